-- odometer: every odometer reading, none hidden, with a verdict.
--
-- Columns
--   vehicle_id   token id in decimal, or user device id
--   timestamp    when it was read, UTC
--   odometer_km  the reading in km; null where it is not a finite number
--   is_valid     whether it lies on the vehicle's curve
--   reason       why it does not; null where it does
--   reading      the number as received: km, or metres where it is above 999 999
--   cycle        counts the odometers the vehicle has had: 1, and one more after each reset or swap; null if not valid
--   source       the integration, as given
--   event_id     the event it came in
--
-- What counts as a reading: a value named `odometer` or, in newer payloads, `powertrainTransmissionTravelledDistance`,
-- as a number or as a string. A JSON null is no reading. Metres are told by size, as DIMO's own converter does
-- (above 999 999: divided by 1000). The valid readings of one cycle never decrease and never rise faster than a
-- vehicle can drive (`plausible_step`).
--
-- Reasons
--   not_a_number  nothing that can be read as a finite number
--   clock         measured before 2000, or more than a day after the UTC day of its own document
--   sentinel      100 km or less, 65538, 65539 or 983040: DIMO's IsOdometerValid
--   too_large     more than 999 999 km even if taken as metres
--   leap          above the curve: the readings after it go on from those before it, below it
--   step_back     below the curve: the readings after it go on from those before it, above it
--
-- Steps
--   1. `leap`: a reading above the level after it, which is not below the level before it. The levels are the
--      second highest of the five readings on either side: one or two glitches in a row do not move them, and of
--      two odometers in one vehicle the higher one is kept, as DIMO's status does.
--      `step_back`: then, a reading below the highest of the five before it, to which one of the five after returns.
--   2. What is left is cut into runs wherever a step is not plausible. A run shorter than both its neighbours,
--      which themselves agree, is out; so is a single reading that agrees with no run beside it: at the end of
--      the data a lower odometer is believed only when a second reading confirms it.
--   3. The runs that remain and do not agree are cycles: a reset, or a swap of dashboards. Inside a cycle a
--      reading below an earlier one (by 1 km at most) is `step_back`.
CREATE VIEW odometer AS
WITH received AS (
    SELECT
        vehicle_id,
        timestamp,
        date,
        source,
        event_id,
        coalesce(value_number, try_cast(value_string AS DOUBLE), try_cast(value_json AS DOUBLE)) AS number
    FROM signals
    WHERE name IN ('odometer', 'powertrainTransmissionTravelledDistance') AND value_json IS DISTINCT FROM 'null'
),
readings AS (
    SELECT
        * EXCLUDE (number),
        CASE WHEN isfinite(number) THEN number END AS reading,
        CASE WHEN reading > 999999 THEN reading / 1000 ELSE reading END AS odometer_km,
        CASE
            WHEN reading IS NULL THEN 'not_a_number'
            WHEN timestamp < '2000-01-01 00:00:00+00'::TIMESTAMPTZ
                OR timestamp >= (date + INTERVAL 2 DAY) AT TIME ZONE 'UTC' THEN 'clock'
            WHEN reading <= 100 OR reading IN (65538, 65539, 983040) THEN 'sentinel'
            WHEN odometer_km > 999999 THEN 'too_large'
        END AS reason
    FROM received
),
heights AS (
    SELECT
        * EXCLUDE (reason),
        (max(odometer_km, 2) OVER earlier)[-1] AS level_before,
        (max(odometer_km, 2) OVER later)[-1] AS level_after,
        coalesce(odometer_km > level_after + 1 AND level_before <= level_after + 1, false) AS is_leap
    FROM readings
    WHERE reason IS NULL
    WINDOW
        earlier AS (
            PARTITION BY vehicle_id ORDER BY timestamp, odometer_km, event_id
            ROWS BETWEEN 5 PRECEDING AND 1 PRECEDING
        ),
        later AS (
            PARTITION BY vehicle_id ORDER BY timestamp, odometer_km, event_id
            ROWS BETWEEN 1 FOLLOWING AND 5 FOLLOWING
        )
),
depths AS (
    SELECT
        * EXCLUDE (level_before, level_after, is_leap),
        max(odometer_km) OVER earlier AS highest_before,
        max(odometer_km) OVER later AS highest_after,
        coalesce(odometer_km < highest_before - 1 AND highest_after >= highest_before - 1, false) AS is_step_back
    FROM heights
    WHERE NOT is_leap
    WINDOW
        earlier AS (
            PARTITION BY vehicle_id ORDER BY timestamp, odometer_km, event_id
            ROWS BETWEEN 5 PRECEDING AND 1 PRECEDING
        ),
        later AS (
            PARTITION BY vehicle_id ORDER BY timestamp, odometer_km, event_id
            ROWS BETWEEN 1 FOLLOWING AND 5 FOLLOWING
        )
),
steps AS (
    SELECT
        * EXCLUDE (highest_before, highest_after, is_step_back),
        NOT coalesce(
            plausible_step(lag(odometer_km) OVER in_time, lag(timestamp) OVER in_time, odometer_km, timestamp), true
        ) AS starts_run
    FROM depths
    WHERE NOT is_step_back
    WINDOW in_time AS (PARTITION BY vehicle_id ORDER BY timestamp, odometer_km, event_id)
),
in_runs AS (
    SELECT
        * EXCLUDE (starts_run),
        count_if(starts_run) OVER (
            PARTITION BY vehicle_id ORDER BY timestamp, odometer_km, event_id ROWS UNBOUNDED PRECEDING
        ) AS run
    FROM steps
),
runs AS (
    SELECT
        vehicle_id,
        run,
        count(*) AS size,
        min(odometer_km) AS first_km,
        max(odometer_km) AS last_km,
        min(timestamp) AS first_at,
        max(timestamp) AS last_at
    FROM in_runs
    GROUP BY ALL
),
beside AS (
    SELECT
        *,
        lag(size) OVER in_order AS size_before,
        lead(size) OVER in_order AS size_after,
        lag(last_km) OVER in_order AS km_before,
        lead(first_km) OVER in_order AS km_after,
        plausible_step(
            lag(last_km) OVER in_order, lag(last_at) OVER in_order,
            lead(first_km) OVER in_order, lead(first_at) OVER in_order
        ) AS neighbours_agree
    FROM runs
    WINDOW in_order AS (PARTITION BY vehicle_id ORDER BY run)
),
judged AS (
    SELECT
        *,
        CASE
            WHEN size_before IS NULL AND size_after IS NULL THEN false
            WHEN size_before IS NULL THEN size = 1 AND size_after > 1
            WHEN size_after IS NULL THEN size = 1
            WHEN neighbours_agree THEN size < size_before AND size < size_after
            ELSE size = 1 AND size_before > 1 AND size_after > 1
        END AS is_stray,
        CASE
            WHEN is_stray AND first_km > coalesce(km_before, km_after) THEN 'leap'
            WHEN is_stray THEN 'step_back'
        END AS reason
    FROM beside
),
cycles AS (
    SELECT
        vehicle_id,
        run,
        1 + count_if(starts_cycle) OVER (PARTITION BY vehicle_id ORDER BY run ROWS UNBOUNDED PRECEDING) AS cycle
    FROM (
        SELECT
            *,
            NOT coalesce(
                plausible_step(lag(last_km) OVER in_order, lag(last_at) OVER in_order, first_km, first_at), true
            ) AS starts_cycle
        FROM judged
        WHERE NOT is_stray
        WINDOW in_order AS (PARTITION BY vehicle_id ORDER BY run)
    )
),
on_curve AS (
    SELECT
        in_runs.*,
        cycle,
        CASE
            WHEN odometer_km < max(odometer_km) OVER (
                PARTITION BY vehicle_id, cycle ORDER BY timestamp, odometer_km, event_id
                ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
            ) THEN 'step_back'
        END AS reason
    FROM in_runs
    JOIN cycles USING (vehicle_id, run)
),
verdicts AS (
    FROM readings WHERE reason IS NOT NULL
    UNION ALL BY NAME
    SELECT * EXCLUDE (level_before, level_after, is_leap), 'leap' AS reason FROM heights WHERE is_leap
    UNION ALL BY NAME
    SELECT * EXCLUDE (highest_before, highest_after, is_step_back), 'step_back' AS reason FROM depths WHERE is_step_back
    UNION ALL BY NAME
    SELECT in_runs.*, judged.reason FROM in_runs JOIN judged USING (vehicle_id, run) WHERE is_stray
    UNION ALL BY NAME
    FROM on_curve
)
SELECT
    vehicle_id,
    timestamp,
    odometer_km,
    reason IS NULL AS is_valid,
    reason,
    reading,
    CASE WHEN is_valid THEN cycle END AS cycle,
    source,
    event_id
FROM verdicts;
