-- days_in(tz): every local day of each vehicle, from its first to its last day with a coverage record or a valid
-- odometer reading, gaps included.
--
-- Columns
--   vehicle_id  token id in decimal, or user device id
--   date        day in the IANA zone `tz`
--
-- Rules
--   A coverage record is for a UTC day; every local day that a part of that UTC day falls in counts.
CREATE MACRO days_in(tz) AS TABLE
WITH spans AS (
    SELECT
        vehicle_id,
        date::TIMESTAMP AT TIME ZONE 'UTC' AS first_at,
        (date + INTERVAL 1 DAY) AT TIME ZONE 'UTC' - INTERVAL 1 MICROSECOND AS last_at
    FROM coverage
    UNION ALL
    SELECT vehicle_id, min(timestamp), max(timestamp) FROM odometer WHERE is_valid GROUP BY ALL
),
known AS (
    SELECT vehicle_id, min(first_at) AS first_at, max(last_at) AS last_at
    FROM spans
    GROUP BY ALL
)
SELECT
    vehicle_id,
    unnest(
        generate_series(
            (first_at AT TIME ZONE tz)::DATE, (last_at AT TIME ZONE tz)::DATE, INTERVAL 1 DAY
        )
    )::DATE AS date
FROM known;
