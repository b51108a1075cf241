-- The last valid reading of each ${slot}, and the first rejected one of each reason.
WITH readings AS (
    SELECT
        vehicle_id,
        timestamp,
        odometer_km,
        is_valid,
        reason,
        cycle,
        time_bucket(INTERVAL '${slot}', timestamp) AS slot
    FROM odometer
    WHERE (timestamp AT TIME ZONE 'UTC')::DATE BETWEEN ${first} AND ${last}${only}
)
SELECT
    vehicle_id AS vehicle,
    if(is_valid, max(timestamp), min(timestamp)) AS read_at,
    round(if(is_valid, arg_max(odometer_km, timestamp), arg_min(odometer_km, timestamp)), 1) AS km,
    reason,
    cycle,
    count(*) AS readings
FROM readings
GROUP BY vehicle_id, slot, is_valid, reason, cycle
ORDER BY try_cast(vehicle_id AS HUGEINT), vehicle_id, read_at
