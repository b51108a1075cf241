-- odometer: every odometer reading, none hidden, with a verdict.
--
-- Columns
--   vehicle_id   token id in decimal, or user device id
--   timestamp    when it was read, UTC
--   odometer_km  the reading in km; null where it is not a finite number
--   is_valid     whether it lies on the vehicle's curve
--   reason       why it does not; null where it does
--   reading      the number received, in km: miles of a Tesla and codes of a Ruptela are converted, metres are not
--   cycle        counts the odometers the vehicle has had: 1, and one more after each reset or swap; null if not valid
--   source       the integration, as given
--   event_id     the event it came in
--
-- What counts as a reading: a value under any name that `signal_catalogue` has for the Telemetry API's
-- `powertrainTransmissionTravelledDistance`, as a number or as a string. A JSON null is no reading, nor is a code of a
-- Ruptela outside of what `ruptela_codes` says means something: it sends all ones for what it has not. All sources of a
-- vehicle are one stream, so a vehicle that moves from one to another has one curve, and the same reading through two
-- is on it twice and counts once; where two disagree the higher is the curve, as in DIMO's own status. Metres are told by size, as DIMO's own converter does
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
        coalesce(value_number, try_cast(value_string AS DOUBLE), try_cast(value_json AS DOUBLE)) AS sent,
        CASE WHEN name IN ('signals.645', 'signals.114') THEN try_cast('0x' || value_string AS UBIGINT) END AS code,
        CASE
            WHEN name = 'signals.645' THEN code
            WHEN name = 'signals.114' THEN code * 5 / 1000
            WHEN name IN ('vehicle_state.odometer', 'Odometer') THEN sent * 1.609344
            ELSE sent
        END AS number
    FROM signals
    WHERE one_of(name, [
        'odometer', 'powertrainTransmissionTravelledDistance', 'vehicle_state.odometer', 'Odometer',
        'labels.odometer.value', 'signals.645', 'signals.114'
    ]) AND value_json IS DISTINCT FROM 'null'
        AND NOT coalesce(
            CASE name WHEN 'signals.645' THEN code > 4294967294 ELSE code = 0 OR code > 4211081215 END, false
        )
),
readings AS (
    SELECT
        * EXCLUDE (number, sent, code),
        CASE WHEN isfinite(number) THEN number END AS reading,
        kilometres(reading) AS odometer_km,
        CASE
            WHEN reading IS NULL THEN 'not_a_number'
            WHEN timestamp < '2000-01-01 00:00:00+00'::TIMESTAMPTZ
                OR timestamp >= (date + INTERVAL 2 DAY) AT TIME ZONE 'UTC' THEN 'clock'
            WHEN reading <= 100 OR reading IN (65538, 65539, 983040) THEN 'sentinel'
            WHEN odometer_km > 999999 THEN 'too_large'
        END AS reason
    FROM received
),
placed AS (
    SELECT
        *,
        row_number() OVER in_time AS place,
        lead(timestamp) OVER in_time IS NULL AS is_last,
        -- Rows that have a reason stay in the stream, in a partition of their own, and out of every step below.
        reason IS NULL AND (
            odometer_km < lag(odometer_km) OVER in_time
            OR NOT coalesce(
                plausible_step(lag(odometer_km) OVER in_time, lag(timestamp) OVER in_time, odometer_km, timestamp), true
            )
        ) AS is_break
    FROM readings
    WINDOW in_time AS (PARTITION BY vehicle_id, reason IS NULL ORDER BY timestamp, odometer_km)
),
-- Calm is what rises as it can from one reading to the next. It is judged by its ends alone: a few readings beside
-- each break, twice as many as any window below looks at, with the first and the last of all.
ends AS (
    SELECT DISTINCT
        vehicle_id,
        unnest(CASE WHEN is_break THEN generate_series(place - 11, place + 10) ELSE [place] END) AS place
    FROM placed
    WHERE reason IS NULL AND (is_break OR is_last OR place = 1)
),
near AS (
    SELECT placed.vehicle_id, placed.place, timestamp, odometer_km, reason
    FROM placed
    JOIN ends ON ends.vehicle_id = placed.vehicle_id AND ends.place = placed.place
    WHERE reason IS NULL
),
levels AS (
    SELECT
        *,
        coalesce(lead(place) OVER in_time - place, 1) AS stands_for,
        lag(place) OVER in_time < place - 1 AS follows_calm,
        (max(odometer_km, 2) OVER earlier)[-1] AS level_before,
        (max(odometer_km, 2) OVER later)[-1] AS level_after
    FROM near
    WINDOW
        in_time AS (PARTITION BY vehicle_id ORDER BY place),
        earlier AS (PARTITION BY vehicle_id ORDER BY place ROWS BETWEEN 5 PRECEDING AND 1 PRECEDING),
        later AS (PARTITION BY vehicle_id ORDER BY place ROWS BETWEEN 1 FOLLOWING AND 5 FOLLOWING)
),
without_leaps AS (
    SELECT
        * REPLACE (
            CASE WHEN odometer_km > level_after + 1 AND level_before <= level_after + 1 THEN 'leap' END AS reason
        )
    FROM levels
),
heights AS (
    SELECT
        *,
        max(odometer_km) OVER earlier AS highest_before,
        max(odometer_km) OVER later AS highest_after
    FROM without_leaps
    WINDOW
        earlier AS (
            PARTITION BY vehicle_id, reason IS NULL ORDER BY place ROWS BETWEEN 5 PRECEDING AND 1 PRECEDING
        ),
        later AS (
            PARTITION BY vehicle_id, reason IS NULL ORDER BY place ROWS BETWEEN 1 FOLLOWING AND 5 FOLLOWING
        )
),
without_glitches AS (
    SELECT
        * REPLACE (
            CASE
                WHEN reason IS NOT NULL THEN reason
                WHEN odometer_km < highest_before - 1 AND highest_after >= highest_before - 1 THEN 'step_back'
            END AS reason
        )
    FROM heights
),
steps AS (
    SELECT
        *,
        NOT coalesce(
            follows_calm
            OR plausible_step(lag(odometer_km) OVER in_time, lag(timestamp) OVER in_time, odometer_km, timestamp),
            true
        ) AS starts_run
    FROM without_glitches
    WINDOW in_time AS (PARTITION BY vehicle_id, reason IS NULL ORDER BY place)
),
in_runs AS (
    SELECT
        vehicle_id,
        place,
        timestamp,
        odometer_km,
        reason,
        stands_for,
        count_if(starts_run) OVER (
            PARTITION BY vehicle_id, reason IS NULL ORDER BY place ROWS UNBOUNDED PRECEDING
        ) AS run
    FROM steps
),
-- Those that are out already are a run of their own, beside the others of the vehicle.
runs AS (
    SELECT
        vehicle_id,
        reason IS NOT NULL AS is_out,
        run,
        sum(stands_for) AS size,
        min(odometer_km) AS first_km,
        max(odometer_km) AS last_km,
        min(timestamp) AS first_at,
        max(timestamp) AS last_at,
        list({'place': place, 'odometer_km': odometer_km, 'stands_for': stands_for, 'reason': reason}) AS members
    FROM in_runs
    GROUP BY ALL
),
beside AS (
    SELECT
        *,
        lag(size) OVER in_order AS size_before,
        lead(size) OVER in_order AS size_after,
        coalesce(lag(last_km) OVER in_order, lead(first_km) OVER in_order) AS km_beside,
        plausible_step(
            lag(last_km) OVER in_order, lag(last_at) OVER in_order,
            lead(first_km) OVER in_order, lead(first_at) OVER in_order
        ) AS neighbours_agree
    FROM runs
    WINDOW in_order AS (PARTITION BY vehicle_id, is_out ORDER BY run)
),
judged AS (
    SELECT
        *,
        CASE
            WHEN is_out THEN true
            WHEN size_before IS NULL AND size_after IS NULL THEN false
            WHEN size_before IS NULL THEN size = 1 AND size_after > 1
            WHEN size_after IS NULL THEN size = 1
            WHEN neighbours_agree THEN size < size_before AND size < size_after
            ELSE size = 1 AND size_before > 1 AND size_after > 1
        END AS is_stray
    FROM beside
),
remaining AS (
    SELECT
        *,
        NOT coalesce(
            plausible_step(lag(last_km) OVER in_order, lag(last_at) OVER in_order, first_km, first_at), true
        ) AS starts_cycle
    FROM judged
    WINDOW in_order AS (PARTITION BY vehicle_id, is_stray ORDER BY run)
),
cycles AS (
    SELECT
        vehicle_id,
        unnest(members) AS member,
        CASE
            WHEN NOT is_stray
                THEN 1 + count_if(starts_cycle) OVER (
                    PARTITION BY vehicle_id, is_stray ORDER BY run ROWS UNBOUNDED PRECEDING
                )
        END AS cycle,
        CASE WHEN NOT is_stray THEN NULL WHEN first_km > km_beside THEN 'leap' ELSE 'step_back' END AS stray
    FROM remaining
),
verdicts AS (
    SELECT
        vehicle_id,
        member.place,
        member.odometer_km,
        member.stands_for,
        cycle,
        coalesce(member.reason, stray) AS reason,
        max(member.odometer_km) OVER (
            PARTITION BY vehicle_id, cycle ORDER BY member.place ROWS UNBOUNDED PRECEDING
        ) AS height
    FROM cycles
),
-- Of the calm that a reading stands for, what differs from the most: valid, of the first odometer, and at its height.
places AS (
    SELECT
        vehicle_id,
        unnest(
            CASE
                WHEN cycle > 1 OR reason IS NOT NULL OR odometer_km < height
                    THEN generate_series(place, place + stands_for - 1)
                ELSE [place]
            END
        ) AS place,
        cycle,
        reason,
        height
    FROM verdicts
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
FROM (
    SELECT
        placed.vehicle_id,
        timestamp,
        odometer_km,
        reading,
        source,
        event_id,
        coalesce(placed.reason, places.reason, CASE WHEN odometer_km < height THEN 'step_back' END) AS reason,
        coalesce(cycle, 1) AS cycle
    FROM placed
    LEFT JOIN places
        ON places.vehicle_id = placed.vehicle_id AND places.place = placed.place AND placed.reason IS NULL
);
