-- quarantine: every event that could not be understood, whole, with the reason.
--
-- Columns
--   vehicle_id  token id in decimal, or user device id
--   date        UTC day the event was filed under
--   event_id    the event's id, or a stable hash of its content
--   reason      why it could not be understood
--   origin      where it came from: `device-data`, `import` or `snapshot`
--   payload     the document as received; bytes that are not UTF-8 are shown as \xHH
CREATE VIEW quarantine AS
SELECT vehicle_id, date, event_id, reason, origin, coalesce(try(decode(payload)), payload::VARCHAR) AS payload
FROM ${quarantine};
