SELECT
    vehicle_id AS vehicle,
    date_trunc('${grain}', date)::DATE AS day,
    (date_trunc('${grain}', date) + INTERVAL 1 ${grain})::DATE AS until,
    round(sum(observed_km), 1) AS observed_km,
    round(sum(bridged_km), 1) AS bridged_km
FROM distance_daily
WHERE date BETWEEN ${first} AND ${last}${only}
GROUP BY ALL
HAVING sum(distance_km) > 0
ORDER BY ALL
