-- distance_daily_in(tz): how far each vehicle was driven on each local day of an IANA zone, such as 'Europe/Berlin'.
--
-- Example
--   FROM distance_daily_in('Europe/Berlin')
--
-- Columns
--   vehicle_id   token id in decimal, or user device id
--   date         day in the zone, 23 or 25 hours long where its clocks change
--   distance_km  km; 0 where it was read and had not moved; null where it was not read
--   observed_km  the part between two readings of the day
--   bridged_km   the part between the day's first reading and the one before it, on an earlier day
--   distance_m   distance_km in whole metres
--   readings     valid readings of the day
--   resets       resets and swaps of the odometer found on the day
--
-- Rules
--   distance = odometer at the day's end - odometer at the day's start, where the odometer is taken to stand still
--   until the next valid reading: what was driven over midnight, or over days without a reading, counts on the day
--   it is first seen, and none is lost or counted twice. Summed over all days it is exactly last - first reading,
--   less what each reset changed; across a reset the distance is unknown and counts as 0.
--   Every day from the vehicle's first to its last known day has a row; without a valid reading it is null, not 0.
CREATE MACRO distance_daily_in(tz) AS TABLE
WITH days_read AS (
    SELECT *, metres(first_km) AS first_height, metres(last_km) AS last_height
    FROM odometer_days_in(tz)
),
in_order AS (
    SELECT *, lag(last_height) OVER (PARTITION BY vehicle_id, cycle ORDER BY date) AS height_before
    FROM days_read
),
driven AS (
    SELECT
        vehicle_id,
        date,
        sum(last_height - first_height) AS observed,
        sum(coalesce(first_height - height_before, 0)) AS bridged,
        sum(readings)::BIGINT AS readings,
        count_if(cycle > 1 AND height_before IS NULL) AS resets
    FROM in_order
    GROUP BY ALL
)
SELECT
    vehicle_id,
    date,
    (observed + bridged) / 1000 AS distance_km,
    observed / 1000 AS observed_km,
    bridged / 1000 AS bridged_km,
    (observed + bridged)::BIGINT AS distance_m,
    coalesce(readings, 0) AS readings,
    coalesce(resets, 0) AS resets
FROM days_in(tz)
FULL JOIN driven USING (vehicle_id, date);
