SELECT
    vehicle_id, name, max(timestamp) AS timestamp, arg_max(value_number, timestamp) AS value_number,
    arg_max(value_string, timestamp) AS value_string, arg_max(value_boolean, timestamp) AS value_boolean,
    arg_max(value_json, timestamp) AS value_json, arg_max(source, timestamp) AS source
FROM signals
GROUP BY ALL
