WITH days AS (
    SELECT
        vehicle_id, date_trunc('day', timestamp)::DATE AS date, min(km) AS first_km, max(km) AS last_km,
        count(*) AS readings
    FROM readings()
    WHERE reason IS NULL
    GROUP BY ALL
)
SELECT vehicle_id, date, last_km - coalesce(lag(last_km) OVER in_time, first_km) AS distance_km, readings
FROM days
WINDOW in_time AS (PARTITION BY vehicle_id ORDER BY date)
