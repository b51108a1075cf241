-- refuels: each time a vehicle was refuelled.
--
-- Columns
--   vehicle_id      token id in decimal, or user device id
--   refuel_id       the vehicle and the end: `4711@2026-01-05T18:10:00.000Z`
--   started_at      the last reading before the rise, to five minutes, UTC
--   ended_at        the first reading after it, likewise
--   latitude        degrees; the position at ended_at, or null
--   longitude       degrees; likewise
--   before_percent  the level before, %
--   after_percent   the level after, %
--   added_percent   after_percent - before_percent
--
-- Rules
--   The level is the median of each five minutes with a reading. A tank was filled where the median of the three levels
--   from one on is 15 points or more above that of the three before it (DIMO's minIncreasePercent), and there where the
--   step from one level to the next is the greatest: fuel that sloshes and a bad reading are none.
--   A member of a position that is exactly 0 is none: devices without a fix send (0, 0).
--   A filter on `vehicle_id` judges only that vehicle. One on a time costs as much as none, as in `trips_by`.
--   The end of data is believed at once, so a refuel may go again when data that come later contradict it.
CREATE VIEW refuels AS
WITH slots AS (
    SELECT
        vehicle_id,
        epoch_ms(timestamp) // 300000 AS slot,
        median(value_number) FILTER (signal = 'powertrainFuelSystemRelativeLevel') AS level,
        min(timestamp) FILTER (signal = 'powertrainFuelSystemRelativeLevel') AS first_at,
        max(timestamp) FILTER (signal = 'powertrainFuelSystemRelativeLevel') AS last_at,
        arg_min(nullif(value_number, 0), timestamp)
            FILTER (signal = 'currentLocationCoordinates.latitude') AS latitude,
        arg_min(nullif(value_number, 0), timestamp)
            FILTER (signal = 'currentLocationCoordinates.longitude') AS longitude
    FROM signals_canonical
    WHERE signal IN (
        'powertrainFuelSystemRelativeLevel', 'currentLocationCoordinates.latitude',
        'currentLocationCoordinates.longitude'
    )
    GROUP BY ALL
),
levels AS (
    SELECT
        *,
        level - lag(level) OVER in_time AS step,
        lag(last_at) OVER in_time AS before_at,
        median(level) OVER (
            PARTITION BY vehicle_id ORDER BY slot ROWS BETWEEN 3 PRECEDING AND 1 PRECEDING
        ) AS level_before,
        median(level) OVER (
            PARTITION BY vehicle_id ORDER BY slot ROWS BETWEEN CURRENT ROW AND 2 FOLLOWING
        ) AS level_after
    FROM slots
    WHERE level IS NOT NULL
    WINDOW in_time AS (PARTITION BY vehicle_id ORDER BY slot)
),
marked AS (
    SELECT
        *,
        coalesce(level_after - level_before >= 15, false) AS is_rise,
        count_if(NOT coalesce(level_after - level_before >= 15, false)) OVER (
            PARTITION BY vehicle_id ORDER BY slot ROWS UNBOUNDED PRECEDING
        ) AS number
    FROM levels
)
SELECT
    vehicle_id,
    vehicle_id || '@' || strftime(first_at AT TIME ZONE 'UTC', '%Y-%m-%dT%H:%M:%S.%gZ') AS refuel_id,
    before_at AS started_at,
    first_at AS ended_at,
    latitude,
    longitude,
    level_before AS before_percent,
    level_after AS after_percent,
    level_after - level_before AS added_percent
FROM marked
WHERE is_rise
QUALIFY row_number() OVER (PARTITION BY vehicle_id, number ORDER BY step DESC, slot) = 1;
