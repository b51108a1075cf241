-- error_episodes: for how long each kind of upstream error went on, for whom, and what it cost.
--
-- Columns
--   vehicle_id        token id in decimal, or user device id
--   source            the integration that reported it
--   type              what failed (`tires/pressure`); null where the error does not say
--   error_code        the code, as text
--   error_type        the class of the error (`UPSTREAM`)
--   started_at        when it was first reported, UTC
--   ended_at          when it was last reported, UTC
--   errors            how often it was reported
--   values_meanwhile  values of what failed, one a moment, that the same source gave from started_at to ended_at; null where it is not
--                     known which values those are
--   data_arrived      whether there were any; likewise
--   failure_rate      errors / (errors + values_meanwhile): the share of attempts that failed; likewise
--   is_open           whether it may go on: the vehicle's data end less than a day after ended_at
--   resolution        what to do about it, as last reported
--   description       the error in words, as last reported
--
-- Rules
--   An episode ends where a day (24 hours) passes without the same error (source, type, code and class) of the vehicle.
--   What fails is told by Smartcar's names of it: `odometer`, `fuel` (fuelPercentRemaining), `tires/pressure` (tires.*),
--   `location` (latitude), `engine/oil` (oil), `battery` (soc), `battery/capacity` (batteryCapacity), `charge` (charging),
--   `charge/limit` (chargeLimit), `vin`.
CREATE VIEW error_episodes AS
WITH reported AS (
    SELECT
        *,
        coalesce(seconds_between(lag(timestamp) OVER of_its_kind, timestamp) > 86400, true) AS starts
    FROM errors
    WINDOW of_its_kind AS (PARTITION BY vehicle_id, source, type, error_code, error_type ORDER BY timestamp)
),
numbered AS (
    SELECT
        *,
        count_if(starts) OVER (
            PARTITION BY vehicle_id, source, type, error_code, error_type ORDER BY timestamp ROWS UNBOUNDED PRECEDING
        ) AS episode
    FROM reported
),
episodes AS (
    SELECT
        vehicle_id,
        source,
        type,
        error_code,
        error_type,
        episode,
        min(timestamp) AS started_at,
        max(timestamp) AS ended_at,
        count(*) AS errors,
        arg_max(resolution, (timestamp, event_id)) AS resolution,
        arg_max(description, (timestamp, event_id)) AS description
    FROM numbered
    GROUP BY ALL
),
given AS (
    SELECT
        vehicle_id,
        source,
        timestamp,
        CASE
            WHEN starts_with(name, 'tires.') THEN 'tires/pressure'
            WHEN name = 'fuelPercentRemaining' THEN 'fuel'
            WHEN name = 'latitude' THEN 'location'
            WHEN name = 'oil' THEN 'engine/oil'
            WHEN name = 'soc' THEN 'battery'
            WHEN name = 'batteryCapacity' THEN 'battery/capacity'
            WHEN name = 'charging' THEN 'charge'
            WHEN name = 'chargeLimit' THEN 'charge/limit'
            ELSE name
        END AS type
    FROM signals
    WHERE one_of(name, [
        'odometer', 'fuelPercentRemaining', 'tires.frontLeft', 'tires.frontRight', 'tires.backLeft', 'tires.backRight',
        'latitude', 'oil', 'soc', 'batteryCapacity', 'charging', 'chargeLimit', 'vin'
    ]) AND value_json IS DISTINCT FROM 'null'
),
failing AS (
    SELECT DISTINCT vehicle_id, source, type FROM errors
),
given_of_what_failed AS (
    SELECT DISTINCT vehicle_id, source, type, timestamp
    FROM given
    SEMI JOIN failing USING (vehicle_id, source, type)
),
-- The values of each kind and the bounds of its episodes in one stream: what lies between two bounds is counted by
-- subtraction.
stream AS (
    SELECT *, unnest([started_at, ended_at]) AS timestamp, 0 AS is_value
    FROM episodes
    UNION ALL BY NAME
    SELECT vehicle_id, source, type, timestamp, 1 AS is_value
    FROM given_of_what_failed
),
counted AS (
    SELECT
        *,
        sum(is_value) OVER (PARTITION BY vehicle_id, source, type ORDER BY timestamp) AS values_until,
        sum(is_value) OVER (
            PARTITION BY vehicle_id, source, type ORDER BY timestamp RANGE BETWEEN CURRENT ROW AND CURRENT ROW
        ) AS values_now
    FROM stream
),
bounds AS (
    SELECT
        * EXCLUDE (timestamp, is_value, values_until, values_now),
        max(values_until) - min(values_until - values_now) AS values_between
    FROM counted
    WHERE episode IS NOT NULL
    GROUP BY ALL
),
newest AS (
    SELECT vehicle_id, max(last_event_at) AS last_event_at
    FROM coverage_records()
    GROUP BY ALL
)
SELECT
    vehicle_id,
    source,
    type,
    error_code,
    error_type,
    started_at,
    ended_at,
    errors,
    CASE
        WHEN type IN (
            'odometer', 'fuel', 'tires/pressure', 'location', 'engine/oil', 'battery', 'battery/capacity', 'charge',
            'charge/limit', 'vin'
        ) THEN values_between::BIGINT
    END AS values_meanwhile,
    values_meanwhile > 0 AS data_arrived,
    errors / (errors + values_meanwhile) AS failure_rate,
    coalesce(seconds_between(ended_at, last_event_at) < 86400, true) AS is_open,
    resolution,
    description
FROM bounds
LEFT JOIN newest USING (vehicle_id);
