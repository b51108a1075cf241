-- canonical_ratio(legacy_name, canonical_name): the rows of `signals_canonical` for a name that is a ratio of 0 to 1 in
-- v1 documents and per cent in those of v2.
--
-- Rules
--   A document of v2 is known by its own `timestamp`, a number of milliseconds; that of v1 is a text. A source of a
--   vehicle sends one of the two on a day; on a day with both, and on one with neither, the value is told by size. The
--   names are constants of each use, so that a query for another signal skips this one when it is planned.
CREATE MACRO canonical_ratio(legacy_name, canonical_name) AS TABLE
WITH second_version AS (
    SELECT vehicle_id, date, source, true AS is_per_cent
    FROM signals
    WHERE name = 'timestamp'
    GROUP BY ALL
    HAVING bool_and(value_number IS NOT NULL)
),
received AS (
    SELECT *, coalesce(value_number, try_cast(value_string AS DOUBLE)) AS number
    FROM signals
    WHERE name = legacy_name
)
SELECT
    vehicle_id,
    timestamp,
    canonical_name AS signal,
    CASE WHEN is_per_cent THEN number ELSE per_cent(number) END AS value_number,
    NULL::VARCHAR AS value_string,
    '%' AS unit,
    source,
    name,
    event_id,
    received_at,
    date
FROM received
LEFT JOIN second_version USING (vehicle_id, date, source)
WHERE isfinite(number);
