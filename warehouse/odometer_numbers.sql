-- odometer_numbers(): every number that came as an odometer; null where it is not a finite number. Miles of a Tesla and
-- codes of a Ruptela are km, metres are as they came.
--
-- Rules
--   What counts as one is told in `odometer`.
CREATE MACRO odometer_numbers() AS TABLE
WITH received AS (
    SELECT
        vehicle_id,
        timestamp,
        date,
        source,
        event_id,
        coalesce(value_number, try_cast(value_string AS DOUBLE), try_cast(value_json AS DOUBLE)) AS sent,
        CASE WHEN name IN ('signals.645', 'signals.114') THEN try_cast('0x' || value_string AS UBIGINT) END AS code,
        CASE
            WHEN name = 'signals.645' THEN code
            WHEN name = 'signals.114' THEN code * 5 / 1000
            WHEN name IN ('vehicle_state.odometer', 'Odometer') THEN sent * 1.609344
            ELSE sent
        END AS number
    FROM signals
    WHERE one_of(name, odometer_names()) AND value_json IS DISTINCT FROM 'null'
        AND NOT coalesce(
            CASE name WHEN 'signals.645' THEN code > 4294967294 ELSE code = 0 OR code > 4211081215 END, false
        )
)
SELECT vehicle_id, timestamp, date, source, event_id, CASE WHEN isfinite(number) THEN number END AS reading
FROM received;
