-- charges: the charging sessions of each vehicle.
--
-- Columns
--   vehicle_id      token id in decimal, or user device id
--   charge_id       the vehicle and the start: `8102@2026-01-05T18:10:00.000Z`
--   started_at      when it began, UTC
--   ended_at        when it ended, or was last seen to go on, UTC
--   latitude        degrees; the first position of the session, or null
--   longitude       degrees; likewise
--   start_soc       the state of charge when it began, %; null where none was measured
--   end_soc         likewise, when it ended
--   added_percent   end_soc - start_soc
--   energy_kwh      kWh: as the vehicle counted them; else added_percent of its battery's gross capacity; else null
--   duration_s      ended_at - started_at, seconds
--   ended_by        `flag`: the vehicle said that it no longer charges; `level`: its charge rose no further; `ongoing`:
--                   less than 2 hours are known after it, so it may go on
--   found_by        the best that told of it: `flag` or `level`
--
-- Rules
--   A vehicle charges while it says so (from a word that says so to the next word of it, 4 hours later at most), and
--   where its state of charge rises from one reading to the next, a day later at most, while the odometer rises by no
--   more than 0.5 km. Pauses of up to 2 hours are part of the session. Both as in DIMO's segments. A session that only
--   the level tells of is one where it rose by 1 % or more, as there; its bounds are readings.
--   A member of a position that is exactly 0 is none: devices without a fix send (0, 0).
--   A session keeps its id when data that come later make it longer.
--   A filter on `vehicle_id` judges only that vehicle. One on a time costs as much as none, as in `trips_by`.
CREATE VIEW charges AS
WITH flags AS (
    SELECT
        vehicle_id,
        timestamp,
        value_number <> 0 AS is_on,
        lead(timestamp) OVER in_time AS next_at,
        lead(value_number) OVER in_time = 0 AS is_next_off
    FROM signals_canonical
    WHERE signal = 'powertrainTractionBatteryChargingIsCharging'
    WINDOW in_time AS (PARTITION BY vehicle_id ORDER BY timestamp, value_number)
),
electric AS (
    SELECT DISTINCT vehicle_id
    FROM signals_canonical
    WHERE signal IN (
        'powertrainTractionBatteryChargingIsCharging', 'powertrainTractionBatteryStateOfChargeCurrent'
    )
),
-- As in `trips_by`: everything that was heard, in one stream, by minutes, in which evidence of charging is a span.
words AS (
    SELECT
        vehicle_id,
        timestamp,
        CASE WHEN is_on THEN timestamp END AS flagged_from,
        CASE WHEN is_on THEN if(seconds_between(timestamp, next_at) <= 14400, next_at, timestamp) END AS flagged_to,
        CASE WHEN is_next_off AND flagged_to = next_at THEN next_at END AS off_at
    FROM flags
    UNION ALL BY NAME
    SELECT vehicle_id, timestamp, odometer_km
    FROM odometer
    SEMI JOIN electric USING (vehicle_id)
    WHERE is_valid
    UNION ALL BY NAME
    SELECT
        vehicle_id,
        timestamp,
        CASE WHEN signal = 'powertrainTractionBatteryStateOfChargeCurrent' THEN value_number END AS soc,
        CASE WHEN signal = 'currentLocationCoordinates.latitude' THEN nullif(value_number, 0) END AS latitude,
        CASE WHEN signal = 'currentLocationCoordinates.longitude' THEN nullif(value_number, 0) END AS longitude,
        CASE WHEN signal = 'powertrainTractionBatteryChargingAddedEnergy' THEN value_number END AS energy_kwh
    FROM signals_canonical
    SEMI JOIN electric USING (vehicle_id)
    WHERE signal IN (
        'powertrainTractionBatteryStateOfChargeCurrent', 'powertrainTractionBatteryChargingAddedEnergy',
        'currentLocationCoordinates.latitude', 'currentLocationCoordinates.longitude'
    )
),
minutes AS (
    SELECT
        vehicle_id,
        epoch_ms(timestamp) // 60000 AS minute,
        max(timestamp) AS last_at,
        arg_max(soc, timestamp) AS soc,
        max(timestamp) FILTER (soc IS NOT NULL) AS soc_at,
        max(odometer_km) AS odometer_km,
        arg_min(latitude, timestamp) AS latitude,
        arg_min(longitude, timestamp) AS longitude,
        max(energy_kwh) AS energy_kwh,
        min(flagged_from) AS flagged_from,
        max(flagged_to) AS flagged_to,
        max(off_at) AS off_at
    FROM words
    GROUP BY ALL
),
with_levels AS (
    SELECT
        *,
        CASE
            WHEN soc IS NOT NULL THEN {
                'soc': soc,
                'since': soc_at,
                'km': last_value(odometer_km IGNORE NULLS) OVER (
                    PARTITION BY vehicle_id ORDER BY minute ROWS UNBOUNDED PRECEDING
                )
            }
        END AS level
    FROM minutes
),
with_next AS (
    SELECT *, lead(level IGNORE NULLS) OVER (PARTITION BY vehicle_id ORDER BY minute) AS next_level
    FROM with_levels
),
with_rises AS (
    SELECT
        *,
        CASE
            WHEN next_level.soc > level.soc
                AND seconds_between(level.since, next_level.since) <= 86400
                AND coalesce(next_level.km - level.km <= 0.5, true)
                THEN next_level.since
        END AS rises_to
    FROM with_next
),
evidence AS (
    SELECT
        * EXCLUDE (level, next_level),
        least(flagged_from, CASE WHEN rises_to IS NOT NULL THEN soc_at END) AS charge_from,
        greatest(flagged_to, rises_to) AS charge_to
    FROM with_rises
),
in_order AS (
    SELECT
        *,
        max(charge_to) OVER (PARTITION BY vehicle_id ORDER BY minute ROWS UNBOUNDED PRECEDING) AS charged_until,
        max(charge_to) OVER (
            PARTITION BY vehicle_id ORDER BY minute ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS charged_before
    FROM evidence
),
numbered AS (
    SELECT
        *,
        minute * 60 <= epoch(charged_until) AS is_inside,
        count_if(
            charge_from IS NOT NULL AND coalesce(seconds_between(charged_before, charge_from) > 7200, true)
        ) OVER (PARTITION BY vehicle_id ORDER BY minute ROWS UNBOUNDED PRECEDING) AS number
    FROM in_order
),
sessions AS (
    SELECT
        vehicle_id,
        number,
        min(charge_from) AS started_at,
        max(charge_to) AS ended_at,
        max(off_at) AS off_at,
        count(flagged_from) > 0 AS is_flagged,
        arg_min(latitude, minute) FILTER (is_inside) AS latitude,
        arg_min(longitude, minute) FILTER (is_inside) AS longitude,
        arg_min(soc, minute) FILTER (is_inside) AS start_soc,
        arg_max(soc, minute) FILTER (is_inside) AS end_soc,
        max(energy_kwh) FILTER (is_inside) AS energy_kwh,
        max(last_at) AS last_at
    FROM numbered
    GROUP BY ALL
),
capacities AS (
    SELECT vehicle_id, arg_max(value_number, timestamp) AS capacity_kwh
    FROM signals_canonical
    WHERE signal = 'powertrainTractionBatteryGrossCapacity'
    GROUP BY ALL
),
known_sessions AS (
    SELECT *, max(last_at) OVER (PARTITION BY vehicle_id) AS known_until
    FROM sessions
)
SELECT
    vehicle_id,
    vehicle_id || '@' || strftime(started_at AT TIME ZONE 'UTC', '%Y-%m-%dT%H:%M:%S.%gZ') AS charge_id,
    started_at,
    ended_at,
    latitude,
    longitude,
    start_soc,
    end_soc,
    end_soc - start_soc AS added_percent,
    coalesce(energy_kwh, added_percent / 100 * capacity_kwh) AS energy_kwh,
    seconds_between(started_at, ended_at) AS duration_s,
    CASE
        WHEN seconds_between(ended_at, known_until) < 7200 THEN 'ongoing'
        WHEN off_at = ended_at THEN 'flag'
        ELSE 'level'
    END AS ended_by,
    if(is_flagged, 'flag', 'level') AS found_by
FROM known_sessions
LEFT JOIN capacities USING (vehicle_id)
WHERE number > 0 AND (is_flagged OR added_percent >= 1);
