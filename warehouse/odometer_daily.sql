-- odometer_daily: the valid odometer readings of each vehicle and UTC day.
--
-- Columns
--   vehicle_id  token id in decimal, or user device id
--   date        UTC day of the readings' own timestamps
--   first_km    first valid reading of the day, km
--   last_km     last valid reading of the day, km
--   min_km      smallest valid reading of the day, km; below first_km only where the odometer was reset
--   max_km      greatest valid reading of the day, km
--   readings    valid readings of the day
--
-- Rules
--   Every day from the vehicle's first to its last known day has a row; one without a valid reading has
--   readings = 0 and nulls.
CREATE VIEW odometer_daily AS
WITH read AS (
    SELECT
        vehicle_id,
        date,
        arg_min(first_km, (first_at, first_km)) AS first_km,
        arg_max(last_km, (last_at, last_km)) AS last_km,
        min(first_km) AS min_km,
        max(last_km) AS max_km,
        sum(readings)::BIGINT AS readings
    FROM odometer_days_in('UTC')
    GROUP BY ALL
)
SELECT vehicle_id, date, first_km, last_km, min_km, max_km, coalesce(readings, 0) AS readings
FROM days_in('UTC')
FULL JOIN read USING (vehicle_id, date);
