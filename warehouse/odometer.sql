-- odometer: every odometer reading, none hidden, with a verdict.
--
-- Columns
--   vehicle_id   token id in decimal, or user device id
--   timestamp    when it was read, UTC
--   odometer_km  the reading in km; null where it is not a finite number
--   is_valid     whether it lies on the vehicle's curve
--   reason       why it does not; null where it does
--   reading      the number received, in km: miles of a Tesla's own documents and codes of a Ruptela are
--                converted, metres and other miles are not
--   cycle        counts the odometers the vehicle has had: 1, and one more after each reset or swap; null if not valid
--   source       the integration, as given
--   event_id     the event it came in
--
-- What counts as a reading: a value under any name that `signal_catalogue` has for the Telemetry API's
-- `powertrainTransmissionTravelledDistance`, as a number or as a string. A JSON null is no reading, nor is a code of a
-- Ruptela outside of what `ruptela_codes` says means something: it sends all ones for what it has not.
--
-- Rules
--   Readings of a vehicle that are equal in time and number have one verdict, unless it is `other_source`.
--   All sources of a vehicle are one curve, so a vehicle may move from one to another; the same reading through two is
--   on it twice and counts once. The valid readings of one cycle never decrease, and a step between two is one a vehicle
--   can drive (`plausible_step`: 250 km/h and 10 km, back by 1 km at most).
--   Metres are told by size, as DIMO's own converter does: above 999 999 a number is divided by 1000. So is a smaller one
--   that is above the curve and on it as metres, and what a source sends that grows too fast for km (`odometer_senders`).
--   Miles are told where a source turns to them, or from them: three readings or more that begin or end where the ones
--   beside them, three or more too, show 1.609344 times as much (0.5 % off at most) are miles, and converted.
--   Fewer than ten of them amid the curve are below it and soon return to it, and so are `step_back`.
--
-- Reasons
--   not_a_number  nothing that can be read as a finite number
--   clock         measured before 2000, or more than a day after the UTC day of its own document
--   sentinel      65538, 65539, 983040, 0 or less, or 100 km or less of a car that is not new: DIMO's IsOdometerValid, which
--                 calls all readings up to 100 km invalid; `odometer_senders` tells when a car is new
--   too_large     more than 999 999 km even if taken as metres
--   other_source  more than 1 km off what another source of the vehicle shows, within a day before and after, that has
--                 readings on more days, and counts (`odometer_others`)
--   leap          above the curve: the readings after it go on from those before it, below it
--   step_back     below the curve: the readings after it go on from those before it, above it
--   noise         below an earlier reading by 1 km at most: 32-bit floats, rounding to km or miles, sources that are read
--                 at different moments
--
-- Steps
--   1. `leap`: a reading below which two or more of the five after it go on from the level of the two
--      before it; not where two or more of the five before are as high, as before a reset. The first reading of all is
--      one where two of the five after go on from the next one, below it.
--   2. `step_back`: a reading below the highest of the five before it that are no leaps, to which one of
--      the five after returns. So of two odometers in one source the one with more readings is kept, and the higher one
--      of two that take turns, as DIMO's status does.
--   3. What is left is cut into runs wherever a step is not plausible. A run shorter than both its
--      neighbours, which themselves agree, is out, unless it is in miles; so is a single reading that agrees with no run
--      beside it: at the end of the data a lower odometer is believed only when a second reading confirms it.
--   4. The runs that remain and do not agree, in miles neither, are cycles: a reset, or a swap of dashboards. Inside a
--      cycle a reading below an earlier one is `noise`, or where it is more than 1 km, `step_back`.
CREATE VIEW odometer AS
-- Read once. DuckDB takes a filter on the vehicle along to where all that use it have a filter, the same: `IS NOT NULL`.
WITH numbers AS MATERIALIZED (
    FROM odometer_numbers()
),
received AS MATERIALIZED (
    FROM odometer_received('numbers')
),
-- Only what is looked at is put in order of time; the rest of a reading, its texts above all, stays where it is.
placed AS (
    SELECT
        vehicle_id,
        timestamp,
        odometer_km,
        row_number() OVER in_time AS place,
        rank() OVER in_time AS first_place,
        lead(timestamp) OVER in_time IS NULL AS is_last,
        coalesce(
            odometer_km < lag(odometer_km) OVER in_time
            OR NOT plausible_step(lag(odometer_km) OVER in_time, lag(timestamp) OVER in_time, odometer_km, timestamp),
            false
        ) AS is_break
    FROM received
    WHERE reason IS NULL AND vehicle_id IS NOT NULL
    WINDOW in_time AS (PARTITION BY vehicle_id ORDER BY timestamp, odometer_km)
),
-- Calm is what rises as it can from one reading to the next. It is judged by its ends alone: a few readings beside
-- each break, twice as many as any window below looks at, with the first and the last of all.
ends AS (
    SELECT DISTINCT
        vehicle_id,
        unnest(CASE WHEN is_break THEN generate_series(place - 11, place + 10) ELSE [place] END) AS place
    FROM placed
    WHERE is_break OR is_last OR place = 1
),
near AS (
    SELECT placed.vehicle_id, placed.place, timestamp, odometer_km
    FROM placed
    JOIN ends ON ends.vehicle_id = placed.vehicle_id AND ends.place = placed.place
),
levels AS (
    SELECT
        *,
        coalesce(lead(place) OVER in_time - place, 1) AS stands_for,
        lag(place) OVER in_time < place - 1 AS follows_calm,
        lag(odometer_km, 1) OVER in_time AS before_1,
        lag(odometer_km, 2) OVER in_time AS before_2,
        lag(odometer_km, 3) OVER in_time AS before_3,
        lag(odometer_km, 4) OVER in_time AS before_4,
        lag(odometer_km, 5) OVER in_time AS before_5,
        lead(odometer_km, 1) OVER in_time AS after_1,
        lead(odometer_km, 2) OVER in_time AS after_2,
        lead(odometer_km, 3) OVER in_time AS after_3,
        lead(odometer_km, 4) OVER in_time AS after_4,
        lead(odometer_km, 5) OVER in_time AS after_5,
        middle_of(before_1, before_2, before_3) AS level,
        middle_of(after_1, after_2, after_3) AS next_level
    FROM near
    WINDOW in_time AS (PARTITION BY vehicle_id ORDER BY place)
),
without_leaps AS (
    SELECT
        *,
        CASE
            WHEN coalesce(least(after_1, after_2) >= odometer_km - 1, true) THEN NULL
            WHEN before_1 IS NULL
                THEN CASE
                    WHEN goes_on(after_1, after_1, odometer_km) + goes_on(after_1, after_2, odometer_km)
                        + goes_on(after_1, after_3, odometer_km) + goes_on(after_1, after_4, odometer_km)
                        + goes_on(after_1, after_5, odometer_km) >= 2
                        AND after_2 >= after_1 - 1 AND coalesce(after_3 >= after_2 - 1, true) THEN 'leap'
                END
            WHEN goes_on(level, after_1, odometer_km) + goes_on(level, after_2, odometer_km) >= 1
                AND goes_on(level, after_1, odometer_km) + goes_on(level, after_2, odometer_km)
                + goes_on(level, after_3, odometer_km) + goes_on(level, after_4, odometer_km)
                + goes_on(level, after_5, odometer_km) >= if(after_2 IS NULL, 1, 2)
                AND is_above(before_1, next_level) + is_above(before_2, next_level)
                + is_above(before_3, next_level) + is_above(before_4, next_level)
                + is_above(before_5, next_level)
                <= if(before_3 IS NOT NULL OR is_above(before_1, next_level) = 1, 1, 0) THEN 'leap'
        END AS reason
    FROM levels
),
heights AS (
    SELECT
        *,
        max(odometer_km) FILTER (reason IS NULL) OVER earlier AS highest_before,
        max(odometer_km) FILTER (reason IS NULL) OVER later AS highest_after,
        coalesce(
            reason = 'leap' AND odometer_km / 1000 BETWEEN highest_before - 1 AND highest_after + 1, false
        ) AS is_metres
    FROM without_leaps
    WINDOW
        earlier AS (PARTITION BY vehicle_id ORDER BY place ROWS BETWEEN 5 PRECEDING AND 1 PRECEDING),
        later AS (PARTITION BY vehicle_id ORDER BY place ROWS BETWEEN 1 FOLLOWING AND 5 FOLLOWING)
),
without_glitches AS (
    SELECT
        * REPLACE (
            if(is_metres, odometer_km / 1000, odometer_km) AS odometer_km,
            CASE
                WHEN is_metres THEN NULL
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
        is_metres,
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
        list({
            'place': place,
            'odometer_km': odometer_km,
            'stands_for': stands_for,
            'is_metres': is_metres,
            'reason': reason
        }) AS members
    FROM in_runs
    GROUP BY ALL
),
beside AS (
    SELECT
        *,
        lag(size) OVER in_order AS size_before,
        lead(size) OVER in_order AS size_after,
        max(size) OVER (PARTITION BY vehicle_id, is_out) AS largest,
        coalesce(lag(last_km) OVER in_order, lead(first_km) OVER in_order) AS km_beside,
        plausible_step(
            lag(last_km) OVER in_order, lag(last_at) OVER in_order,
            lead(first_km) OVER in_order, lead(first_at) OVER in_order
        ) AS neighbours_agree,
        size >= 3 AND coalesce(
            (size_before >= 3 AND is_in_miles(first_km, lag(last_km) OVER in_order))
            OR (size_after >= 3 AND is_in_miles(last_km, lead(first_km) OVER in_order)), false
        ) AS is_in_miles
    FROM runs
    WINDOW in_order AS (PARTITION BY vehicle_id, is_out ORDER BY run)
),
judged AS (
    SELECT
        *,
        CASE
            WHEN is_out THEN true
            WHEN size_before IS NULL AND size_after IS NULL OR is_in_miles THEN false
            WHEN neighbours_agree THEN size < size_before AND size < size_after
            ELSE size = 1 AND (largest > 1 OR size_after IS NULL)
        END AS is_stray
    FROM beside
),
remaining AS (
    SELECT
        *,
        NOT coalesce(
            plausible_step(lag(last_km) OVER in_order, lag(last_at) OVER in_order, first_km, first_at), true
        ) AS starts_level
    FROM judged
    WINDOW in_order AS (PARTITION BY vehicle_id, is_stray ORDER BY run)
),
in_levels AS (
    SELECT
        *,
        count_if(starts_level) OVER (
            PARTITION BY vehicle_id, is_stray ORDER BY run ROWS UNBOUNDED PRECEDING
        ) AS level
    FROM remaining
),
levels_of_runs AS (
    SELECT
        vehicle_id,
        is_stray,
        level,
        sum(size) AS size,
        arg_min(first_km, run) AS first_km,
        arg_max(last_km, run) AS last_km,
        list({'members': members, 'stray': if(first_km > km_beside, 'leap', 'step_back')}) AS runs
    FROM in_levels
    GROUP BY ALL
),
in_units AS (
    SELECT
        *,
        NOT is_stray AND size >= 3 AND coalesce(
            lag(size) OVER in_order >= 3 AND is_in_miles(first_km, lag(last_km) OVER in_order), false
        ) AS turns_to_miles,
        NOT is_stray AND size >= 3 AND coalesce(
            lead(size) OVER in_order >= 3 AND is_in_miles(last_km, lead(first_km) OVER in_order), false
        ) AS turns_from_miles
    FROM levels_of_runs
    WINDOW in_order AS (PARTITION BY vehicle_id, is_stray ORDER BY level)
),
new_cycles AS (
    SELECT
        *,
        level > 0 AND NOT turns_to_miles AND NOT coalesce(lag(turns_from_miles) OVER in_order, false) AS starts_cycle
    FROM in_units
    WINDOW in_order AS (PARTITION BY vehicle_id, is_stray ORDER BY level)
),
cycles AS (
    SELECT
        vehicle_id,
        unnest(runs) AS run,
        CASE
            WHEN NOT is_stray
                THEN 1 + count_if(starts_cycle) OVER (
                    PARTITION BY vehicle_id, is_stray ORDER BY level ROWS UNBOUNDED PRECEDING
                )
        END AS cycle,
        if(turns_to_miles OR turns_from_miles, 1.609344, 1) AS factor,
        is_stray
    FROM new_cycles
),
members AS (
    SELECT vehicle_id, unnest(run.members) AS member, cycle, factor, CASE WHEN is_stray THEN run.stray END AS stray
    FROM cycles
),
verdicts AS (
    SELECT
        vehicle_id,
        member.place,
        member.odometer_km * factor AS odometer_km,
        member.stands_for,
        member.is_metres,
        factor,
        cycle,
        coalesce(member.reason, stray) AS reason,
        max(member.odometer_km * factor) OVER (
            PARTITION BY vehicle_id, cycle ORDER BY member.place ROWS UNBOUNDED PRECEDING
        ) AS height
    FROM members
),
-- What differs from the most: valid, of the first odometer, and the highest so far; with the calm that it stands for.
places AS (
    SELECT
        vehicle_id,
        unnest(generate_series(place, place + stands_for - 1)) AS place,
        is_metres,
        factor,
        cycle,
        reason,
        height
    FROM verdicts
    WHERE cycle > 1 OR is_metres OR factor <> 1 OR reason IS NOT NULL OR odometer_km < height
),
-- Readings that are equal in time and number have the verdict of the first of them.
differing AS (
    SELECT
        placed.vehicle_id,
        timestamp,
        odometer_km,
        -- In the order of the steps above: another one would differ from the height in the last digit.
        if(is_metres, odometer_km / 1000, odometer_km) * factor AS true_km,
        if(reason IS NULL, true_km, odometer_km) AS converted_km,
        coalesce(
            reason, CASE WHEN true_km < height - 1 THEN 'step_back' WHEN true_km < height THEN 'noise' END
        ) AS reason,
        cycle
    FROM placed
    JOIN places ON places.vehicle_id = placed.vehicle_id AND places.place = placed.place
    WHERE placed.place = first_place
)
SELECT
    vehicle_id,
    timestamp,
    odometer_km,
    reason IS NULL AS is_valid,
    reason,
    reading,
    CASE WHEN is_valid THEN coalesce(cycle, 1) END AS cycle,
    source,
    event_id
FROM (
    SELECT
        received.vehicle_id,
        received.timestamp,
        coalesce(converted_km, received.odometer_km) AS odometer_km,
        coalesce(received.reason, differing.reason) AS reason,
        reading,
        cycle,
        source,
        event_id
    FROM received
    LEFT JOIN differing
        ON differing.vehicle_id = received.vehicle_id AND differing.timestamp = received.timestamp
        AND differing.odometer_km = received.odometer_km AND received.reason IS NULL
    WHERE received.vehicle_id IS NOT NULL
);
