WITH each AS (
    SELECT vehicle_id, timestamp, source, unnest(value_json::JSON[]) AS error
    FROM signals
    WHERE name = 'errors'
)
SELECT
    vehicle_id, timestamp, error ->> 'type' AS type, error ->> 'errorCode' AS error_code,
    error ->> 'errorType' AS error_type, error ->> '$.resolution.type' AS resolution,
    error ->> 'description' AS description, source
FROM each
