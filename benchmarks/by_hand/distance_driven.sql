SELECT
    vehicle_id, max(km) - min(km) AS distance_km,
    max(km) FILTER (reason IS NULL) - min(km) FILTER (reason IS NULL) AS distance_robust_km, count(*) AS readings
FROM readings()
GROUP BY ALL
