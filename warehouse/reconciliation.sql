-- reconciliation: DIMO's distances beside ours, computed by DIMO's own rule; where they differ, why.
--
-- Columns
--   vehicle_id     token id in decimal, or user device id
--   date           day in `time_zone`; null for the total
--   dimo_km        what DIMO said last: total-distance or distance-driven, or the day of daily-distance, km
--   ours_km        the same from our readings, km
--   difference_km  dimo_km - ours_km
--   agrees         whether they are the same within 0.01 km; null where DIMO counts a UTC day that was not over yet
--   why            `agrees`, or the reason, see below
--   detail         the reason in a sentence, with numbers; null where they agree
--   missing_days   UTC days from our first to our last that are not proved complete, of those the row is about
--   time_zone      the zone of `date`; null for the total
--   asked_at       when DIMO was asked, UTC
--   said_by        the service that said it: `device-data` or `telemetry`
--
-- DIMO's rule (Device Data API)
--   Total: greatest minus smallest `odometer` of all documents, valid or not; 0 where there is none. Day: the same
--   within the local day; null where there is none or the greatest is invalid (100 km or less, 65538, 65539 or
--   983040: DIMO's IsOdometerValid). Readings are 32-bit floats there, and so they are here. Ours are those received
--   until DIMO was asked.
-- DIMO's rule (Telemetry API, `dailyActivity`)
--   Day: greatest minus smallest `powertrainTransmissionTravelledDistance`, valid or not; null where there is none. Ours
--   are the readings under any name that `signal_catalogue` has for it, converted as there, of a Ruptela and a Tesla,
--   too; a legacy `odometer` above 999 999 is metres there, rounded to km. There is no total.
--
-- Why, the first that holds
--   agrees                they agree
--   no_odometer           they agree: no reading is known, so DIMO's 0 is no distance
--   no_movement           they agree: all readings are the same, so 0 is a distance
--   bad_reading           an invalid reading spoils one of the two: with it, or without it, they are the same
--   days_missing          DIMO has more, and `missing_days` of ours are not held or not proved complete
--   newer_than_ours       DIMO has more, and counts what came after we asked for history: days after our last, or
--                         late documents of a day fetched less than three days after its end
--   before_our_first_day  DIMO has more, and counts days before our first
--   beyond_history        DIMO has more than history gives of days that are proved complete
--   not_counted           we have more: DIMO's index lacks the readings, as it lacks those of v2 payloads
CREATE VIEW reconciliation AS
WITH said AS (
    -- What a row is about: its day, or all of time.
    SELECT vehicle_id, coalesce(date, 'infinity') AS about, date, dimo_km, time_zone, asked_at, said_by
    FROM dimo_distances
    QUALIFY row_number() OVER (PARTITION BY vehicle_id, date ORDER BY asked_at DESC) = 1
),
received AS (
    SELECT
        vehicle_id,
        timestamp,
        name,
        coalesce(received_at, timestamp) AS received_at,
        coalesce(value_number, try_cast(value_string AS DOUBLE), try_cast(value_json AS DOUBLE)) AS number
    FROM signals
    SEMI JOIN said USING (vehicle_id)
    WHERE one_of(name, ['odometer', 'powertrainTransmissionTravelledDistance']) AND isfinite(number)
    UNION ALL
    -- What the Device Data API never had.
    SELECT vehicle_id, timestamp, name, coalesce(received_at, timestamp), value_number
    FROM signals_canonical
    SEMI JOIN (SELECT vehicle_id FROM said WHERE said_by = 'telemetry') AS telemetry USING (vehicle_id)
    WHERE signal = 'powertrainTransmissionTravelledDistance'
        AND name NOT IN ('odometer', 'powertrainTransmissionTravelledDistance')
),
-- As each service counts them.
readings AS (
    SELECT
        vehicle_id,
        said_by,
        timestamp,
        received_at,
        CASE
            WHEN said_by = 'device-data' THEN try_cast(number AS FLOAT)::DOUBLE
            WHEN name = 'odometer' AND number > 999999 THEN round(number / 1000)
            ELSE number
        END AS km,
        km > 100 AND km NOT IN (65538, 65539, 983040) AS is_valid
    FROM received
    JOIN (SELECT DISTINCT vehicle_id, said_by FROM said) USING (vehicle_id)
    WHERE name = 'odometer' OR said_by = 'telemetry'
),
zones AS (
    SELECT DISTINCT vehicle_id, said_by, time_zone FROM said WHERE date IS NOT NULL
),
dated AS (
    SELECT vehicle_id, said_by, time_zone, timezone(time_zone, timestamp)::DATE AS date, received_at, km, is_valid
    FROM readings
    JOIN zones USING (vehicle_id, said_by)
),
heights AS (
    SELECT
        vehicle_id,
        about,
        max(km) AS greatest,
        min(km) AS smallest,
        max(km) FILTER (is_valid) AS greatest_valid,
        min(km) FILTER (is_valid) AS smallest_valid
    FROM said
    JOIN dated USING (vehicle_id, said_by, time_zone, date)
    WHERE received_at <= asked_at
    GROUP BY ALL
    UNION ALL
    SELECT vehicle_id, about, max(km), min(km), max(km) FILTER (is_valid), min(km) FILTER (is_valid)
    FROM said
    JOIN readings USING (vehicle_id, said_by)
    WHERE said.date IS NULL AND received_at <= asked_at
    GROUP BY ALL
),
-- Days of which nothing but a snapshot is held were never asked for.
held AS (
    SELECT vehicle_id, date AS utc_day, complete IS true AS is_proved, fetched_at
    FROM coverage_records()
    WHERE origin <> 'snapshot'
),
spans AS (
    SELECT vehicle_id, min(utc_day) AS first_day, max(utc_day) AS last_day
    FROM held
    GROUP BY ALL
),
-- The UTC days that each row is about: all of ours for the total, those a part of the local day falls in otherwise.
utc_days AS (
    SELECT
        vehicle_id,
        about,
        asked_at,
        first_day,
        last_day,
        CASE
            WHEN date IS NULL THEN first_day
            ELSE (timezone(time_zone, date::TIMESTAMP) AT TIME ZONE 'UTC')::DATE
        END AS from_day,
        CASE
            WHEN date IS NULL THEN last_day
            ELSE (timezone(time_zone, date + INTERVAL 1 DAY) AT TIME ZONE 'UTC' - INTERVAL 1 MICROSECOND)::DATE
        END AS to_day,
        unnest(generate_series(from_day, to_day, INTERVAL 1 DAY))::DATE AS utc_day
    FROM said
    JOIN spans USING (vehicle_id)
),
evidence AS (
    SELECT
        vehicle_id,
        about,
        first_day,
        last_day,
        count_if(utc_day BETWEEN first_day AND last_day AND is_proved IS NOT true) AS missing_days,
        count_if(utc_day < first_day) AS days_before,
        max(utc_day) FILTER (utc_day > last_day) IS NOT NULL AS is_past_our_last_day,
        coalesce(bool_and(utc_day >= day_in(asked_at, 'UTC')) FILTER (utc_day > last_day), false)
            AS is_only_open,
        coalesce(
            bool_or(
                fetched_at < asked_at
                AND fetched_at < (utc_day + INTERVAL 4 DAY) AT TIME ZONE 'UTC'
            ), false
        ) AS is_unsettled
    FROM utc_days
    LEFT JOIN held USING (vehicle_id, utc_day)
    GROUP BY ALL
),
compared AS (
    SELECT
        said.*,
        heights.* EXCLUDE (vehicle_id, about),
        evidence.* EXCLUDE (vehicle_id, about),
        CASE
            WHEN said.date IS NULL THEN coalesce(greatest - smallest, 0)
            WHEN greatest = greatest_valid OR said_by = 'telemetry' THEN greatest - smallest
        END AS ours_km,
        dimo_km - ours_km AS difference_km,
        CASE
            WHEN dimo_km IS NULL AND ours_km IS NULL THEN true
            ELSE coalesce(round(abs(difference_km), 6) <= 0.01, false)
        END AS is_same,
        CASE WHEN dimo_km IS NULL OR ours_km IS NULL THEN ours_km IS NULL ELSE dimo_km > ours_km END AS dimo_has_more
    FROM said
    LEFT JOIN heights USING (vehicle_id, about)
    LEFT JOIN evidence USING (vehicle_id, about)
),
suspects(km) AS (
    VALUES (NULL::DOUBLE), (65538), (65539), (983040)
),
-- What DIMO's number would be with invalid readings, which history deletes: ours with one of them on either end, or
-- with a low one at the bottom. A day whose greatest is invalid is null.
theirs AS (
    SELECT
        vehicle_id,
        about,
        coalesce(top.km, greatest) AS highest,
        highest - dimo_km AS low_km,
        CASE
            WHEN round(abs(highest - coalesce(bottom.km, smallest) - dimo_km), 6) <= 0.01
                THEN concat_ws(' and ', top.km::BIGINT, bottom.km::BIGINT)
            WHEN bottom.km IS NULL AND low_km BETWEEN -0.01 AND 100
                THEN concat_ws(' and ', top.km::BIGINT, abs(round(low_km, 1)))
        END AS invalid_km
    FROM compared, suspects AS top, suspects AS bottom
    WHERE NOT is_same
        AND ours_km IS NOT NULL
        AND (top.km IS NULL OR ((date IS NULL OR said_by = 'telemetry') AND top.km > greatest))
        AND (bottom.km IS NULL OR bottom.km < smallest)
),
spoilt AS (
    SELECT vehicle_id, about, 'DIMO counts an invalid reading, which history does not give: ' || invalid_km || ' km' AS culprit
    FROM theirs
    WHERE invalid_km IS NOT NULL
    UNION ALL
    SELECT
        vehicle_id,
        about,
        'DIMO gives no distance, since its greatest reading of the day is invalid: '
        || CASE WHEN greatest < 65538 THEN '65538, 65539 or ' ELSE '' END || '983040 km'
    FROM compared
    ANTI JOIN (SELECT vehicle_id FROM said WHERE date IS NULL AND dimo_km = 0) USING (vehicle_id)
    WHERE NOT is_same AND dimo_km IS NULL AND greatest < 983040 AND said_by = 'device-data'
    UNION ALL
    SELECT
        vehicle_id,
        about,
        'we hold an invalid reading, which DIMO does not count: '
        || CASE WHEN greatest = greatest_valid THEN smallest ELSE greatest END || ' km'
    FROM compared
    WHERE NOT is_same
        AND (greatest, smallest) IS DISTINCT FROM (greatest_valid, smallest_valid)
        AND round(abs(coalesce(greatest_valid - smallest_valid, 0) - dimo_km), 6) <= 0.01
),
spoiled AS (
    SELECT vehicle_id, about, arg_min(culprit, (length(culprit), culprit)) AS spoiled_by FROM spoilt GROUP BY ALL
),
-- How much of the total can have come since: what DIMO's days have more than ours from our last day on, and 10 km for
-- each night; null where DIMO's days do not say.
said_lately AS (
    SELECT vehicle_id, min(date) AS first_said
    FROM (FROM said WHERE date IS NOT NULL QUALIFY asked_at = max(asked_at) OVER (PARTITION BY vehicle_id))
    GROUP BY ALL
),
newer AS (
    SELECT
        vehicle_id,
        coalesce(
            sum(coalesce(dimo_km - coalesce(ours_km, 0), 'infinity') + 10)
                FILTER (NOT is_same AND (is_past_our_last_day OR is_unsettled)), 0
        ) AS newer_km,
        coalesce(bool_and(is_only_open) FILTER (NOT is_same AND (is_past_our_last_day OR is_unsettled)), true)
            AS newer_is_open
    FROM compared
    WHERE date IS NOT NULL
    GROUP BY ALL
),
judged AS (
    SELECT
        compared.*,
        spoiled_by,
        day_in(asked_at, 'UTC') - last_day AS days_since,
        first_said IS NULL OR first_said > last_day + 1 AS is_gap,
        CASE
            WHEN date IS NOT NULL THEN is_past_our_last_day OR is_unsettled
            WHEN is_gap THEN days_since > 0
            ELSE difference_km <= newer_km
        END AS is_newer,
        CASE
            WHEN is_same AND greatest IS NULL THEN 'no_odometer'
            WHEN is_same AND ours_km = 0 THEN 'no_movement'
            WHEN is_same THEN 'agrees'
            WHEN spoiled_by IS NOT NULL THEN 'bad_reading'
            WHEN NOT dimo_has_more THEN 'not_counted'
            WHEN first_day IS NULL OR missing_days > 0 THEN 'days_missing'
            WHEN is_newer THEN 'newer_than_ours'
            WHEN date IS NOT NULL AND days_before > 0 THEN 'before_our_first_day'
            WHEN date IS NULL AND coalesce(greatest - dimo_km, dimo_km) > 100 THEN 'before_our_first_day'
            ELSE 'beyond_history'
        END AS why,
        CASE
            WHEN date IS NOT NULL THEN is_only_open
            WHEN is_gap THEN days_since = 1
            ELSE newer_is_open
        END AS is_open
    FROM compared
    LEFT JOIN newer USING (vehicle_id)
    LEFT JOIN said_lately USING (vehicle_id)
    LEFT JOIN spoiled USING (vehicle_id, about)
)
SELECT
    vehicle_id,
    date,
    dimo_km,
    ours_km,
    difference_km,
    CASE WHEN is_same THEN true WHEN why <> 'newer_than_ours' OR NOT is_open THEN false END AS agrees,
    why,
    CASE why
        WHEN 'bad_reading' THEN spoiled_by
        WHEN 'days_missing' THEN CASE
            WHEN first_day IS NULL THEN 'no day of the vehicle is held'
            ELSE missing_days || ' UTC days from our first to our last are not proved complete'
        END
        WHEN 'newer_than_ours' THEN CASE
            WHEN date IS NOT NULL AND NOT is_past_our_last_day THEN 'late documents may have come since it was fetched'
            ELSE 'DIMO was asked at ' || strftime(asked_at AT TIME ZONE 'UTC', '%Y-%m-%d %H:%M UTC') || ', and our last day is ' || last_day
        END
        WHEN 'before_our_first_day' THEN 'DIMO counts days before our first, ' || first_day
        WHEN 'beyond_history' THEN 'each day is proved complete, and DIMO counts a reading that history does not give'
        WHEN 'not_counted' THEN 'we hold readings that DIMO does not count'
    END AS detail,
    coalesce(missing_days, 0) AS missing_days,
    time_zone,
    asked_at,
    said_by
FROM judged;
