-- The eight most frequent kinds by name; the rest together.
WITH counted AS (
    SELECT vehicle_id, date, concat_ws(' ', coalesce(type, error_type, 'unnamed'), error_code) AS kind, errors
    FROM errors_daily
    WHERE date BETWEEN ${first} AND ${last} AND errors > 0${only}
),
kinds AS (
    SELECT kind, row_number() OVER (ORDER BY sum(errors) DESC, kind) AS rank
    FROM counted
    GROUP BY kind
    QUALIFY rank <= 8
)
SELECT
    vehicle_id AS vehicle,
    date_trunc('${grain}', date)::DATE AS day,
    (date_trunc('${grain}', date) + INTERVAL 1 ${grain})::DATE AS until,
    coalesce(kinds.kind, 'other') AS kind,
    coalesce(rank, 9) AS rank,
    sum(errors)::BIGINT AS errors
FROM counted
LEFT JOIN kinds USING (kind)
GROUP BY ALL
ORDER BY vehicle, day, rank
