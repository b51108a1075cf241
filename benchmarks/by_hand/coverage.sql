WITH days AS (
    SELECT unnest(generate_series(min(date), max(date), INTERVAL 1 DAY))::DATE AS date FROM coverage_records
)
SELECT
    vehicle_id, date, expected_events,
    coalesce(fetched_events, 0) AS fetched_events, complete, coalesce(requests, 0) AS requests, fetched_at
FROM (SELECT DISTINCT vehicle_id FROM coverage_records)
CROSS JOIN days
LEFT JOIN coverage_records USING (vehicle_id, date)
