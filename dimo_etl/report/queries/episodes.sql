SELECT
    vehicle_id AS vehicle,
    type,
    error_code,
    started_at,
    ended_at,
    errors,
    round(100 * failure_rate, 1) AS failed_percent,
    is_open AS open,
    description
FROM error_episodes
WHERE (started_at AT TIME ZONE 'UTC')::DATE <= ${last} AND (ended_at AT TIME ZONE 'UTC')::DATE >= ${first}${only}
ORDER BY is_open DESC, errors DESC, started_at DESC
LIMIT 20
