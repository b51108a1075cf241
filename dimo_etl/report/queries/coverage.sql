-- Days next to each other that are in the same state are one row.
WITH numbered AS (
    SELECT *, date - row_number() OVER (PARTITION BY vehicle_id, state ORDER BY date)::INTEGER AS run
    FROM coverage
    WHERE date BETWEEN ${first} AND ${last}${only}
)
SELECT
    vehicle_id AS vehicle,
    replace(state, '_', ' ') AS state,
    min(date) AS first_day,
    max(date) AS last_day,
    count(*) AS days,
    coalesce(sum(kept_events), 0)::BIGINT AS events,
    arg_max(reason, date) AS reason
FROM numbered
GROUP BY vehicle_id, state, run
ORDER BY try_cast(vehicle_id AS HUGEINT), vehicle_id, first_day
