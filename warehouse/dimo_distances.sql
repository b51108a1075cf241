-- dimo_distances: what DIMO said, and when, of how far each vehicle was driven.
--
-- Columns
--   vehicle_id  token id in decimal, or user device id
--   asked_at    when it was asked, UTC
--   time_zone   the IANA zone whose days were asked for; null for the total
--   date        day in that zone; null for the total
--   dimo_km     km; for a day null where DIMO has no distance for it
--   said_by     the service that said it: `device-data` or `telemetry`
--   drives      how many drives began that day, by how often values came; null where the service does not tell
--   driving_s   for how long it was driven that day, s; likewise
--
-- Rules
--   Each answer is kept. An answer of days lists those from the first to the last of the past 14 that has data.
--   What was said of a vehicle under its user device id, before its token id was known, stands under the token id.
CREATE VIEW dimo_distances AS
WITH renamed AS (
    SELECT user_device_id AS old_id, max(vehicle_id) AS vehicle_id
    FROM ${vehicles}
    WHERE user_device_id <> vehicle_id
    GROUP BY ALL
)
SELECT
    coalesce(renamed.vehicle_id, said.vehicle_id) AS vehicle_id,
    asked_at,
    time_zone,
    date,
    dimo_km,
    coalesce(said_by, 'device-data') AS said_by,
    drives,
    driving_s
FROM ${distances} AS said
LEFT JOIN renamed ON renamed.old_id = said.vehicle_id;
