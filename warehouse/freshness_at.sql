-- freshness_at(instant): how fresh the data of each vehicle were at an instant; one row for each known vehicle.
--
-- Example
--   FROM freshness_at('2026-04-01 00:00:00+00'::TIMESTAMPTZ)
--
-- Columns
--   vehicle_id        token id in decimal, or user device id
--   last_event_at     the newest event, UTC; null where there is none
--   last_odometer_at  the newest odometer reading, valid or not, UTC; likewise
--   last_position_at  the newest position, UTC; likewise
--   silent_s          from last_event_at to the instant, seconds
--   usual_silence_s   its habit: the longest silence of a day, seconds; the median over its days
--   long_silence_s    likewise, the 95th percentile
--   is_overdue        whether it is silent for longer than long_silence_s; null where it has no habit yet
--   lag_median_s      from measuring to receiving, seconds; the median
--   lag_p95_s         likewise, the 95th percentile
--
-- Rules
--   Events are told by their odometer, position, speed or ignition, under any name that `signal_catalogue` has; the
--   Device Data API's history has none without the first two. What was measured after the instant, or before 2000, is left out.
--   A silence is the time between two events, and counts on the UTC day that the second one is of, however long it is.
--   Days that were not brought yet are silence too: `coverage` tells which.
--   What only a snapshot gave has no time of receipt, and so no lag; a lag below 0 is a vehicle's clock that is ahead.
CREATE MACRO freshness_at(instant) AS TABLE
WITH moments AS (
    SELECT
        vehicle_id,
        timestamp,
        max(received_at) AS received_at,
        bool_or(one_of(name, odometer_names())) AS has_odometer,
        bool_or(name IN (
            'latitude', 'currentLocationCoordinates.latitude', 'drive_state.latitude', 'Location.latitude',
            'labels.geolocation.latitude', 'pos.lat'
        )) AS has_position
    FROM signals
    WHERE one_of(name, odometer_names() || [
        'latitude', 'currentLocationCoordinates.latitude', 'drive_state.latitude', 'Location.latitude',
        'labels.geolocation.latitude', 'pos.lat',
        'speed', 'vehicleSpeed', 'drive_state.speed', 'VehicleSpeed', 'labels.speed.value', 'pos.spd', 'signals.95',
        'signals.210', 'isIgnitionOn', 'ignition', 'signals.409', 'signals.522', 'labels.engine.ignition'
    ])
        -- What a Ruptela sends where it has none.
        AND NOT coalesce(name = 'signals.645' AND upper(value_string) = 'FFFFFFFF', false)
        AND NOT coalesce(name = 'pos.lat' AND abs(value_number) > 900000000, false)
        AND timestamp BETWEEN '2000-01-01 00:00:00+00'::TIMESTAMPTZ AND instant
        AND value_json IS DISTINCT FROM 'null'
    GROUP BY ALL
),
silences AS (
    SELECT
        *,
        seconds_between(lag(timestamp) OVER (PARTITION BY vehicle_id ORDER BY timestamp), timestamp) AS silence_s
    FROM moments
),
days AS (
    SELECT
        vehicle_id,
        day_in(timestamp, 'UTC') AS date,
        max(timestamp) AS last_event_at,
        max(timestamp) FILTER (has_odometer) AS last_odometer_at,
        max(timestamp) FILTER (has_position) AS last_position_at,
        max(silence_s) AS longest_s,
        list(seconds_between(timestamp, received_at)) FILTER (received_at IS NOT NULL) AS lags
    FROM silences
    GROUP BY ALL
),
habits AS (
    SELECT
        vehicle_id,
        max(last_event_at) AS last_event_at,
        max(last_odometer_at) AS last_odometer_at,
        max(last_position_at) AS last_position_at,
        quantile_cont(longest_s, 0.5) AS usual_silence_s,
        quantile_cont(longest_s, 0.95) AS long_silence_s,
        flatten(list(lags)) AS lags
    FROM days
    GROUP BY ALL
)
SELECT
    vehicle_id,
    last_event_at,
    last_odometer_at,
    last_position_at,
    seconds_between(last_event_at, instant) AS silent_s,
    usual_silence_s,
    long_silence_s,
    silent_s > long_silence_s AS is_overdue,
    list_aggregate(lags, 'quantile_cont', 0.5) AS lag_median_s,
    list_aggregate(lags, 'quantile_cont', 0.95) AS lag_p95_s
FROM (SELECT vehicle_id FROM vehicles)
LEFT JOIN habits USING (vehicle_id);
