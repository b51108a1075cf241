SELECT
    vehicle_id, timestamp, km AS odometer_km, reason IS NULL AS is_valid, reason, km AS reading,
    CASE WHEN reason IS NULL THEN 1 END AS cycle, source, event_id
FROM readings()
