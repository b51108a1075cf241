WITH each AS (
    SELECT vehicle_id, date, unnest(value_json::JSON[]) AS error
    FROM signals
    WHERE name = 'errors'
),
counted AS (
    SELECT
        vehicle_id, date, error ->> 'type' AS type, error ->> 'errorType' AS error_type,
        error ->> 'errorCode' AS error_code, count(*) AS errors
    FROM each
    GROUP BY ALL
)
SELECT vehicle_id, date, type, error_type, error_code, coalesce(errors, 0) AS errors, kept_events AS events
FROM coverage_records
LEFT JOIN counted USING (vehicle_id, date)
