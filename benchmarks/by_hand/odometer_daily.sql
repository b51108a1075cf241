SELECT
    vehicle_id, date_trunc('day', timestamp)::DATE AS date, arg_min(km, timestamp) AS first_km,
    arg_max(km, timestamp) AS last_km, min(km) AS min_km, max(km) AS max_km, count(*) AS readings
FROM readings()
WHERE reason IS NULL
GROUP BY ALL
