-- status: how complete and how fresh each vehicle's data are; one row for each known vehicle.
--
-- Columns
--   vehicle_id       token id in decimal, or user device id
--   days             days with a coverage record
--   complete_days    days proved complete
--   incomplete_days  days known to be incomplete
--   unknown_days     days of which nobody can say
--   events           events whose values are in `signals`
--   first_at         the oldest value, UTC; null where there is none
--   last_at          the newest value, UTC
--   odometer_km      the last valid odometer reading, km
--   odometer_at      when it was read, UTC
--   age_seconds      time since the newest value
CREATE VIEW status AS
WITH days AS (
    SELECT
        vehicle_id,
        count(*) AS days,
        count_if(complete) AS complete_days,
        count_if(NOT complete) AS incomplete_days,
        count_if(complete IS NULL) AS unknown_days,
        sum(kept_events)::BIGINT AS events
    FROM coverage
    GROUP BY ALL
),
times AS (
    SELECT vehicle_id, min(timestamp) AS first_at, max(timestamp) AS last_at
    FROM signals
    GROUP BY ALL
)
SELECT
    vehicle_id,
    coalesce(days, 0) AS days,
    coalesce(complete_days, 0) AS complete_days,
    coalesce(incomplete_days, 0) AS incomplete_days,
    coalesce(unknown_days, 0) AS unknown_days,
    coalesce(events, 0) AS events,
    times.first_at,
    times.last_at,
    driven.last_km AS odometer_km,
    driven.last_at AS odometer_at,
    epoch(now() - times.last_at)::BIGINT AS age_seconds
FROM vehicles
LEFT JOIN days USING (vehicle_id)
LEFT JOIN times USING (vehicle_id)
LEFT JOIN distance_driven AS driven USING (vehicle_id);
