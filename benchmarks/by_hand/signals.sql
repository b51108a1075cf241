SELECT
    name, count(*) AS signals, count(DISTINCT vehicle_id) AS vehicles, min(timestamp) AS first_at, max(timestamp) AS last_at,
    min(value_number) AS least, max(value_number) AS greatest, max(value_string) AS last_text
FROM signals
GROUP BY ALL
