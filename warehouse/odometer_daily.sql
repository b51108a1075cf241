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
        (timestamp AT TIME ZONE 'UTC')::DATE AS date,
        arg_min(odometer_km, (timestamp, odometer_km)) AS first_km,
        arg_max(odometer_km, (timestamp, odometer_km)) AS last_km,
        min(odometer_km) AS min_km,
        max(odometer_km) AS max_km,
        count(*) AS readings
    FROM odometer
    WHERE is_valid
    GROUP BY ALL
)
SELECT vehicle_id, date, first_km, last_km, min_km, max_km, coalesce(readings, 0) AS readings
FROM days_in('UTC')
FULL JOIN read USING (vehicle_id, date);
