-- The odometer with a verdict, as one would judge it who knows that bad readings of this fleet stand alone.
CREATE TEMP MACRO readings() AS TABLE
WITH read AS (
    SELECT
        vehicle_id,
        timestamp,
        value_number AS km,
        value_number <= 100 OR value_number IN (65538, 65539, 983040) AS is_sentinel,
        source,
        event_id
    FROM signals
    WHERE name = 'odometer'
),
beside AS (
    SELECT *, lag(km) OVER in_time AS before, lead(km) OVER in_time AS after
    FROM read
    WINDOW in_time AS (PARTITION BY vehicle_id, is_sentinel ORDER BY timestamp, km)
)
SELECT
    * EXCLUDE (is_sentinel, before, after),
    CASE
        WHEN is_sentinel THEN 'sentinel'
        WHEN km > before + 1 AND km > after + 1 THEN 'leap'
        WHEN km < before - 1 AND km < after - 1 THEN 'step_back'
    END AS reason
FROM beside;
