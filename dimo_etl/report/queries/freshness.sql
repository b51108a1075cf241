SELECT
    vehicle_id AS vehicle,
    last_event_at AS last_event,
    last_odometer_at AS last_odometer,
    last_position_at AS last_position,
    round(silent_s / 3600, 1) AS silent_h,
    round(long_silence_s / 3600, 1) AS long_silence_h,
    is_overdue AS overdue,
    round(lag_median_s, 1) AS lag_median_s,
    round(lag_p95_s, 1) AS lag_p95_s
FROM freshness
WHERE true${only}
ORDER BY silent_s DESC, vehicle
