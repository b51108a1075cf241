-- snapshots: what the service showed of each vehicle when it was asked for the newest values; one row for each answer.
--
-- Columns
--   vehicle_id   token id in decimal, or user device id
--   seen_at      when the service was asked, UTC
--   endpoint     `v1/status-raw`, `v1/status` or `v2/status`: three shapes of the same values; or
--                `telemetry/signalsSnapshot`, where history comes from another source than `device-data`; or
--                `telemetry/dataSummary`, what is stored in all, asked for with the days of the source `telemetry`
--   signals      how many signals had a value; 0 where the service had seen nothing of the vehicle yet
--   new_signals  how many of them came into `signals` with this answer
--   newest_at    the newest time of a signal, UTC; its distance from seen_at is how long the vehicle has been silent
--   payload      the answer as received, JSON; null where the service had seen nothing of the vehicle yet
--   date         UTC day of seen_at; a filter on it opens only the files of those days
--
-- Rules
--   `v1/status-raw` alone tells when and by which integration each value was sent, to the second, so only its values
--   are put into `signals`; those of `v1/status`, and at last of `v2/status`, where the one before is refused. They
--   then have the one time that answer tells, `recordUpdatedAt`.
--   `telemetry/signalsSnapshot` tells the time of each value, and not its source.
--   A value that history gives too is in `signals` once, as history gives it.
--   The service prints the time of an event as it stands and always adds a Z: a device that does not send UTC shows
--   here with its own clock.
--   What was seen of a vehicle under its user device id, before its token id was known, stands under the token id.
CREATE VIEW snapshots AS
WITH renamed AS (
    SELECT user_device_id AS old_id, max(vehicle_id) AS vehicle_id
    FROM ${vehicles}
    WHERE user_device_id <> vehicle_id
    GROUP BY ALL
)
SELECT
    coalesce(renamed.vehicle_id, shown.vehicle_id) AS vehicle_id,
    seen_at,
    endpoint,
    signals,
    new_signals,
    newest_at,
    coalesce(try(decode(payload)), payload::VARCHAR) AS payload,
    date
FROM ${snapshots} AS shown
LEFT JOIN renamed ON renamed.old_id = shown.vehicle_id;
