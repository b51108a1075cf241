-- trips_by(gap_s, minimum_s): the drives of each vehicle, where a pause of more than `gap_s` seconds ends one.
--
-- Example
--   FROM trips_by(600, 60)
--
-- Columns
--   vehicle_id       token id in decimal, or user device id
--   trip_id          the vehicle and the start: `4711@2026-01-05T07:58:03.000Z`
--   started_at       when it began, UTC
--   ended_at         when it ended, or when it was last seen to go on, UTC
--   start_latitude   degrees; the first position of the drive; null where none is known
--   start_longitude  degrees; likewise
--   end_latitude     degrees; the last position of the drive; likewise
--   end_longitude    degrees; likewise
--   distance_km      km; null where there is neither odometer nor speed
--   duration_s       ended_at - started_at, seconds
--   max_speed_kmh    the greatest speed measured, km/h; null where none was
--   mean_speed_kmh   distance over duration, stops included, km/h
--   ended_by         `ignition`: it was turned off; `standstill`: the vehicle was heard again within `gap_s`, or read
--                    again, and did not move; `silence`: nothing was heard for `gap_s`; `ongoing`: less than `gap_s`
--                    is known after it, so it may go on
--   found_by         the best that told of it: `ignition`, `speed` or `odometer`
--   distance_by      where the distance is from: `odometer` or `speed`
--
-- Rules
--   A vehicle drives while its ignition is on (from a word that says so to the next word of the ignition, an hour
--   later at most), and at each moment its speed is above 3 km/h. Pauses of up to `gap_s` seconds (60 or more), also
--   with the ignition off, are part of the drive, and a drive shorter than `minimum_s` seconds is none: as in DIMO's
--   segments, whose defaults, 300 and 240, the view `trips` has. Midnight ends nothing.
--   A source that asks a few times a day shows no speed to tell by. On UTC days without two words of ignition or
--   speed in one `gap_s`, a drive is where the odometer rose by 0.1 km between two valid readings up to 4 hours
--   apart, and its bounds are those readings: it was shorter than that.
--   `distance_km` is by the valid readings of the odometer, from the last before the drive to the first after it,
--   where these are not more than 20 minutes away; without readings it is the mean of the speed by minutes, over the
--   duration. A reset within a drive counts as 0.
--   A member of a position that is exactly 0 is none: devices without a fix send (0, 0).
--   A trip keeps its id when data that come later make it longer; only an earlier start changes it.
--   A filter on `vehicle_id` judges only that vehicle. One on a time costs as much as none: every day is read, as a drive
--   is told by what was heard before and after it.
CREATE MACRO trips_by(gap_s, minimum_s) AS TABLE
WITH ignition AS (
    SELECT
        vehicle_id,
        timestamp,
        value_number <> 0 AS is_on,
        lead(timestamp) OVER in_time AS next_at,
        lead(value_number) OVER in_time = 0 AS is_next_off
    FROM signals_canonical
    WHERE signal = 'isIgnitionOn'
    WINDOW in_time AS (PARTITION BY vehicle_id ORDER BY timestamp, value_number)
),
readings AS (
    SELECT
        vehicle_id,
        timestamp,
        odometer_km - lag(odometer_km) OVER in_cycle AS step_km,
        lag(timestamp) OVER in_cycle AS step_since,
        CASE
            WHEN lead(odometer_km) OVER in_cycle - odometer_km >= 0.1
                AND seconds_between(timestamp, lead(timestamp) OVER in_cycle) <= 14400
                THEN lead(timestamp) OVER in_cycle
        END AS rises_to
    FROM odometer
    WHERE is_valid
    WINDOW in_cycle AS (PARTITION BY vehicle_id, cycle ORDER BY timestamp, odometer_km)
),
words_in_gap AS (
    SELECT vehicle_id, date
    FROM signals_canonical
    WHERE signal IN ('isIgnitionOn', 'speed')
    GROUP BY vehicle_id, date, signal, epoch_ms(timestamp) // (gap_s * 1000)
    HAVING count(*) > 1
),
watched_days AS (
    SELECT DISTINCT vehicle_id, date FROM words_in_gap
),
polled AS (
    SELECT
        readings.*,
        rises_to IS NOT NULL AND from_day.date IS NULL AND to_day.date IS NULL AS is_drive
    FROM readings
    LEFT JOIN watched_days AS from_day
        ON from_day.vehicle_id = readings.vehicle_id AND from_day.date = day_in(timestamp, 'UTC')
    LEFT JOIN watched_days AS to_day
        ON to_day.vehicle_id = readings.vehicle_id AND to_day.date = day_in(rises_to, 'UTC')
),
-- Everything that was heard, in one stream; evidence of driving is a span, drive_from to drive_to.
words AS (
    SELECT
        vehicle_id,
        timestamp,
        CASE WHEN signal = 'speed' THEN value_number END AS speed,
        CASE WHEN ends_with(signal, 'latitude') THEN nullif(value_number, 0) END AS latitude,
        CASE WHEN ends_with(signal, 'longitude') THEN nullif(value_number, 0) END AS longitude,
        NULL::DOUBLE AS step_km,
        NULL::TIMESTAMPTZ AS step_since,
        CASE WHEN speed > 3 THEN timestamp END AS drive_from,
        CASE WHEN speed > 3 THEN timestamp END AS drive_to,
        CASE WHEN speed > 3 THEN 2 END AS evidence,
        NULL::TIMESTAMPTZ AS off_at
    FROM signals_canonical
    WHERE signal IN ('speed', 'currentLocationCoordinates.latitude', 'currentLocationCoordinates.longitude')
    UNION ALL BY NAME
    SELECT
        vehicle_id,
        timestamp,
        CASE WHEN is_on THEN timestamp END AS drive_from,
        CASE WHEN is_on THEN if(seconds_between(timestamp, next_at) <= 3600, next_at, timestamp) END AS drive_to,
        CASE WHEN is_on THEN 1 END AS evidence,
        CASE WHEN is_next_off AND drive_to = next_at THEN next_at END AS off_at
    FROM ignition
    UNION ALL BY NAME
    SELECT
        vehicle_id,
        timestamp,
        step_km,
        step_since,
        CASE WHEN is_drive THEN timestamp END AS drive_from,
        CASE WHEN is_drive THEN rises_to END AS drive_to,
        CASE WHEN is_drive THEN 3 END AS evidence
    FROM polled
),
-- Minutes are short of any gap, so that nothing is lost by taking them whole, and they are few.
minutes AS (
    SELECT
        vehicle_id,
        epoch_ms(timestamp) // 60000 AS minute,
        min(timestamp) AS first_at,
        max(timestamp) AS last_at,
        max(speed) AS max_speed,
        avg(speed) AS mean_speed,
        arg_min(latitude, timestamp) AS first_latitude,
        arg_max(latitude, timestamp) AS last_latitude,
        arg_min(longitude, timestamp) AS first_longitude,
        arg_max(longitude, timestamp) AS last_longitude,
        sum(step_km) AS km,
        arg_min(step_km, timestamp) AS first_step_km,
        min(step_since) AS step_since,
        min(drive_from) AS drive_from,
        max(drive_to) AS drive_to,
        min(evidence) AS evidence,
        max(evidence) AS poorest_evidence,
        max(off_at) AS off_at
    FROM words
    GROUP BY ALL
),
in_order AS (
    SELECT
        *,
        max(drive_to) OVER (PARTITION BY vehicle_id ORDER BY minute ROWS UNBOUNDED PRECEDING) AS driven_until,
        max(drive_to) OVER (
            PARTITION BY vehicle_id ORDER BY minute ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS driven_before
    FROM minutes
),
numbered AS (
    SELECT
        *,
        minute * 60 <= epoch(driven_until) AS is_inside,
        count_if(
            drive_from IS NOT NULL AND coalesce(seconds_between(driven_before, drive_from) > gap_s, true)
        ) OVER (
            PARTITION BY vehicle_id ORDER BY minute ROWS UNBOUNDED PRECEDING
        ) AS number
    FROM in_order
),
drives AS (
    SELECT
        vehicle_id,
        number,
        min(drive_from) AS started_at,
        max(drive_to) AS ended_at,
        max(off_at) AS off_at,
        min(evidence) AS evidence,
        max(poorest_evidence) AS poorest_evidence,
        max(max_speed) FILTER (is_inside) AS max_speed,
        avg(mean_speed) FILTER (is_inside) AS mean_speed,
        arg_min(first_latitude, minute) FILTER (is_inside) AS start_latitude,
        arg_min(first_longitude, minute) FILTER (is_inside) AS start_longitude,
        arg_max(last_latitude, minute) FILTER (is_inside) AS end_latitude,
        arg_max(last_longitude, minute) FILTER (is_inside) AS end_longitude,
        sum(km) FILTER (is_inside) AS km_inside,
        arg_min(first_step_km, minute) FILTER (is_inside) AS km_before,
        min(step_since) FILTER (is_inside) AS km_since,
        arg_min(first_step_km, minute) FILTER (NOT is_inside) AS km_after,
        min(minute * 60) FILTER (NOT is_inside AND first_step_km IS NOT NULL) AS km_after_epoch,
        max(last_at) FILTER (is_inside) AS last_inside,
        min(first_at) FILTER (NOT is_inside) AS next_at,
        max(last_at) AS last_at
    FROM numbered
    GROUP BY ALL
),
complete_until AS (
    SELECT vehicle_id, max(least(fetched_at, (date + INTERVAL 1 DAY) AT TIME ZONE 'UTC')) AS complete_at
    FROM coverage_records()
    WHERE complete
    GROUP BY ALL
),
measured_drives AS (
    SELECT
        *,
        seconds_between(started_at, ended_at) AS duration_s,
        km_inside
            - if(seconds_between(km_since, started_at) > 1200, km_before, 0)
            + if(km_after_epoch - epoch(ended_at) <= 1200, km_after, 0) AS odometer_km,
        mean_speed * duration_s / 3600 AS speed_km,
        greatest(max(last_at) OVER (PARTITION BY vehicle_id), complete_at) AS known_until,
        least(if(last_inside > ended_at, last_inside, NULL), next_at) AS heard_at
    FROM drives
    LEFT JOIN complete_until USING (vehicle_id)
)
SELECT
    vehicle_id,
    vehicle_id || '@' || strftime(started_at AT TIME ZONE 'UTC', '%Y-%m-%dT%H:%M:%S.%gZ') AS trip_id,
    started_at,
    ended_at,
    start_latitude,
    start_longitude,
    end_latitude,
    end_longitude,
    coalesce(odometer_km, speed_km) AS distance_km,
    duration_s,
    max_speed AS max_speed_kmh,
    distance_km / duration_s * 3600 AS mean_speed_kmh,
    CASE
        WHEN seconds_between(ended_at, known_until) < gap_s THEN 'ongoing'
        WHEN off_at = ended_at THEN 'ignition'
        WHEN seconds_between(ended_at, heard_at) <= if(poorest_evidence = 3, 14400, gap_s) THEN 'standstill'
        ELSE 'silence'
    END AS ended_by,
    ['ignition', 'speed', 'odometer'][evidence] AS found_by,
    CASE WHEN odometer_km IS NOT NULL THEN 'odometer' WHEN speed_km IS NOT NULL THEN 'speed' END AS distance_by
FROM measured_drives
WHERE number > 0 AND duration_s >= minimum_s;
