SELECT
    vehicle_id, vehicle_id::BIGINT AS token_id, min(first_event_at) AS first_event, max(last_event_at) AS last_event
FROM coverage_records
GROUP BY ALL
