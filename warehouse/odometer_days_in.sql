-- odometer_days_in(tz): the valid readings of each vehicle, odometer and day of an IANA zone.
--
-- Rules
--   Within a cycle no valid reading is below an earlier one, so a day's lowest is its first and its highest its last.
CREATE MACRO odometer_days_in(tz) AS TABLE
SELECT
    vehicle_id,
    cycle,
    day_in(timestamp, tz) AS date,
    min(odometer_km) AS first_km,
    max(odometer_km) AS last_km,
    min(timestamp) AS first_at,
    max(timestamp) AS last_at,
    count(*) AS readings
FROM odometer
WHERE is_valid
GROUP BY ALL;
