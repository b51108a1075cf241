-- odometer_others(numbers): the readings by which a source of a vehicle contradicts the one that counts.
--
-- Rules
--   Of several sources the one with readings on the most days counts, then the one with the most readings, then any, but
--   always the same. A reading of another contradicts it by more than 1 km: below a reading of it up to a day before, or above
--   one up to a day after, and as metres too. Only such readings of it are asked that fit those beside them.
CREATE MACRO odometer_others(numbers) AS TABLE
WITH of_many AS (
    SELECT vehicle_id
    FROM query_table(numbers)
    WHERE vehicle_id IS NOT NULL
    GROUP BY ALL
    HAVING min(source) <> max(source)
),
-- Read anew, of these vehicles alone, which are few.
readings AS (
    SELECT
        vehicle_id,
        timestamp,
        source,
        reading,
        kilometres(reading) AS km,
        row_number() OVER (PARTITION BY vehicle_id, source, date ORDER BY timestamp, reading) = 1 AS is_first_of_day
    FROM odometer_numbers()
    JOIN of_many USING (vehicle_id)
    WHERE reading > 100
),
counted AS (
    SELECT *, count_if(is_first_of_day) OVER of_source AS days, count(*) OVER of_source AS readings
    FROM readings
    WINDOW of_source AS (PARTITION BY vehicle_id, source)
),
ranked AS (
    SELECT
        *,
        dense_rank() OVER (PARTITION BY vehicle_id ORDER BY days DESC, readings DESC, source DESC) = 1 AS counts,
        plausible_step(lag(km) OVER of_source, lag(timestamp) OVER of_source, km, timestamp)
            AND plausible_step(km, timestamp, lead(km) OVER of_source, lead(timestamp) OVER of_source) AS fits
    FROM counted
    WINDOW of_source AS (PARTITION BY vehicle_id, source ORDER BY timestamp, km)
),
bounded AS (
    SELECT
        *,
        CASE WHEN counts AND fits THEN km END AS counting_km,
        max(counting_km) OVER (in_time RANGE BETWEEN INTERVAL 24 HOUR PRECEDING AND CURRENT ROW) AS before_km,
        min(counting_km) OVER (in_time RANGE BETWEEN CURRENT ROW AND INTERVAL 24 HOUR FOLLOWING) AS after_km
    FROM ranked
    WINDOW in_time AS (PARTITION BY vehicle_id ORDER BY timestamp)
)
SELECT DISTINCT vehicle_id, timestamp, source, reading
FROM bounded
WHERE NOT counts
    AND before_km <= after_km + 1
    AND km NOT BETWEEN before_km - 1 AND after_km + 1
    AND km NOT BETWEEN (before_km - 1) * 1000 AND (after_km + 1) * 1000
    AND km * 1000 NOT BETWEEN before_km - 1 AND after_km + 1;
