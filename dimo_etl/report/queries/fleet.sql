WITH driven AS (
    SELECT vehicle_id, sum(distance_km) AS km, sum(bridged_km) AS bridged_km
    FROM distance_daily
    WHERE date BETWEEN ${first} AND ${last}${only}
    GROUP BY ALL
),
read AS (
    SELECT
        vehicle_id,
        count_if(NOT is_valid) AS rejected,
        arg_max(odometer_km, timestamp) FILTER (is_valid) AS odometer_km
    FROM odometer
    WHERE (timestamp AT TIME ZONE 'UTC')::DATE BETWEEN ${first} AND ${last}${only}
    GROUP BY ALL
),
known AS (
    SELECT vehicle_id, count(*) AS days, count_if(complete) AS complete_days, sum(kept_events) AS events
    FROM coverage
    WHERE date BETWEEN ${first} AND ${last}${only}
    GROUP BY ALL
),
failed AS (
    SELECT vehicle_id, sum(errors) AS errors
    FROM errors_daily
    WHERE date BETWEEN ${first} AND ${last}${only}
    GROUP BY ALL
),
made AS (
    SELECT vehicle_id, count(*) AS trips
    FROM trips
    WHERE (started_at AT TIME ZONE 'UTC')::DATE BETWEEN ${first} AND ${last}${only}
    GROUP BY ALL
)
SELECT
    vehicle_id AS vehicle,
    concat_ws(' ', make, model, year) AS car,
    round(km, 1) AS driven_km,
    round(odometer_km, 1) AS odometer_km,
    coalesce(rejected, 0) AS rejected_readings,
    coalesce(trips, 0) AS trips,
    coalesce(events, 0)::BIGINT AS events,
    coalesce(errors, 0)::BIGINT AS errors,
    coalesce(complete_days, 0) AS complete_days,
    coalesce(days, 0) AS days
FROM vehicles
LEFT JOIN driven USING (vehicle_id)
LEFT JOIN read USING (vehicle_id)
LEFT JOIN known USING (vehicle_id)
LEFT JOIN failed USING (vehicle_id)
LEFT JOIN made USING (vehicle_id)
WHERE true${only}
ORDER BY try_cast(vehicle_id AS HUGEINT), vehicle_id
