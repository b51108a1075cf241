-- days_in(tz): every local day of each vehicle, from its first to its last day in the warehouse, gaps included.
--
-- Example
--   FROM days_in('Europe/Berlin')
--
-- Columns
--   vehicle_id  token id in decimal, or user device id
--   date        day in the IANA zone `tz`
--
-- Rules
--   A vehicle's days in the warehouse are the UTC days it has a coverage record for, as every day with a value has; every
--   local day that a part of such a UTC day falls in counts.
CREATE MACRO days_in(tz) AS TABLE
WITH spans AS (
    SELECT
        vehicle_id,
        min(date)::TIMESTAMP AT TIME ZONE 'UTC' AS first_at,
        (max(date) + INTERVAL 1 DAY - INTERVAL 1 MICROSECOND) AT TIME ZONE 'UTC' AS last_at
    FROM coverage_records()
    GROUP BY ALL
)
SELECT
    vehicle_id,
    unnest(
        generate_series(day_in(first_at, tz), day_in(last_at, tz), INTERVAL 1 DAY)
    )::DATE AS date
FROM spans;
