WITH held AS (
    SELECT
        vehicle_id, list_sort(list_distinct(flatten(list(sources)))) AS integrations,
        min(first_event_at) AS first_event, max(last_event_at) AS last_event
    FROM coverage_records
    GROUP BY ALL
),
described AS (
    SELECT
        vehicle_id, arg_max(value_string, timestamp) FILTER (name = 'make') AS make,
        arg_max(value_string, timestamp) FILTER (name = 'model') AS model,
        arg_max(value_number, timestamp) FILTER (name = 'year')::INTEGER AS year
    FROM signals
    WHERE name IN ('make', 'model', 'year')
    GROUP BY ALL
)
SELECT vehicle_id, vehicle_id::BIGINT AS token_id, make, model, year, integrations, first_event, last_event
FROM held
LEFT JOIN described USING (vehicle_id)
