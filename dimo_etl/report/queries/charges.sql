-- The newest 20.
WITH sessions AS (
    SELECT
        vehicle_id,
        'charged' AS what,
        started_at,
        ended_at,
        start_soc AS from_percent,
        end_soc AS to_percent,
        energy_kwh
    FROM charges
    UNION ALL BY NAME
    SELECT
        vehicle_id,
        'refuelled' AS what,
        started_at,
        ended_at,
        before_percent AS from_percent,
        after_percent AS to_percent
    FROM refuels
)
SELECT
    vehicle_id AS vehicle,
    what,
    started_at,
    ended_at,
    round(from_percent, 1) AS from_percent,
    round(to_percent, 1) AS to_percent,
    round(energy_kwh, 1) AS energy_kwh
FROM sessions
WHERE (started_at AT TIME ZONE 'UTC')::DATE BETWEEN ${first} AND ${last}${only}
ORDER BY started_at DESC, vehicle
LIMIT 20
