-- ruptela: the values of Ruptela devices, decoded: one row for each signal of each event, under its canonical name.
--
-- Columns
--   vehicle_id    token id in decimal, or user device id
--   timestamp     when the value was measured, UTC; of a list of positions the time of each
--   signal        the canonical name
--   value_number  the value where the signal is a number, in `unit`; flags are 0 and 1
--   value_string  the value where the signal is a text
--   unit          km, km/h, %, kPa …; empty where it has none
--   source        the integration, as given
--   name          the code it came under, as in `signals`; of a list of positions `location`
--   event_id      the event it came in
--   received_at   when the event was received, UTC
--   date          UTC day of the event's document
--
-- Rules
--   `ruptela_codes` says what a code stands for. A code it does not know stands in `signals` alone.
--   number           raw * factor / per + shift
--   bit              whether a bit of the number is set
--   status           0 is off, 1 to 3 are on, anything else is not known
--   switch, pto      0 is off, 1 (of a power take-off 5) is on, anything else is not known
--   inverse          1 where the number is 0
--   oil_level        CRITICALLY_LOW below 25 %, LOW below 50, NORMAL below 75, HIGH below 99, CRITICALLY_HIGH
--   fuel_type, powertrain_type  the fuel of OBD PID 51, by name and by kind
--   torque_mode      the engine torque mode of SAE J1939
--   gear, gear_ratio byte 2, and bytes 3 and 4 thousandths, where byte 1 says that they are there
--   A voltage of a device that is unplugged is not the vehicle's. The codes of troubles are one text, a JSON list.
CREATE VIEW ruptela AS
WITH positions AS (
    SELECT * EXCLUDE (value_json), unnest(CASE WHEN json_valid(value_json) THEN value_json -> '$[*]' END) AS place
    FROM signals
    WHERE name = 'location' AND value_json LIKE '[%'
),
received AS (
    SELECT
        vehicle_id, timestamp, name, name AS code, try_cast('0x' || value_string AS UBIGINT)::DOUBLE AS raw,
        source, event_id, received_at, date
    FROM signals
    WHERE name BETWEEN 'signals.' AND 'signals.~' AND regexp_full_match(value_string, '[0-9A-Fa-f]{1,16}')
    UNION ALL
    SELECT vehicle_id, timestamp, name, name, value_number, source, event_id, received_at, date
    FROM signals
    WHERE name BETWEEN 'pos.' AND 'pos.~'
    UNION ALL
    SELECT
        vehicle_id,
        coalesce(to_timestamp(try_cast(place ->> '$.ts' AS DOUBLE)), try_cast(place ->> '$.ts' AS TIMESTAMPTZ)),
        name, 'pos.' || field, try_cast(place ->> ('$.' || field) AS DOUBLE), source, event_id, received_at, date
    FROM positions, unnest(['lat', 'lon', 'hdop', 'alt', 'dir', 'spd']) AS fields (field)
),
states AS (
    SELECT vehicle_id, event_id, date, bool_or(name = 'signals.409') AS is_off, bool_or(name = 'signals.985') AS is_unplugged
    FROM signals
    WHERE (name = 'signals.409' AND value_string = '0') OR (name = 'signals.985' AND value_string = '1')
    GROUP BY ALL
),
known AS (
    SELECT
        received.* EXCLUDE (code),
        codes.* EXCLUDE (name, least, most, factor, per, shift, zero),
        raw * factor / per + shift AS number
    FROM received
    JOIN ruptela_codes AS codes ON codes.name = code AND raw BETWEEN least AND most
    LEFT JOIN states USING (vehicle_id, event_id, date)
    WHERE timestamp IS NOT NULL
        AND NOT (raw = 0 AND (zero = 'none' OR (zero = 'running' AND coalesce(is_off, false))))
        AND NOT (code = 'signals.29' AND coalesce(is_unplugged, false))
),
decoded AS (
    SELECT
        *,
        CASE kind
            WHEN 'number' THEN number
            WHEN 'bit' THEN (raw::BIGINT >> bit) & 1
            WHEN 'status' THEN CASE WHEN raw <= 3 THEN (raw > 0)::INTEGER END
            WHEN 'switch' THEN CASE WHEN raw <= 1 THEN raw END
            WHEN 'pto' THEN CASE raw WHEN 0 THEN 0 WHEN 5 THEN 1 END
            WHEN 'inverse' THEN (raw = 0)::INTEGER
            WHEN 'gear' THEN CASE WHEN raw::BIGINT >> 24 & 1 = 1 AND raw::BIGINT >> 16 & 15 = 0 THEN raw::BIGINT >> 20 & 15 END
            WHEN 'gear_ratio' THEN
                CASE WHEN raw::BIGINT >> 24 & 1 = 1 AND raw::BIGINT >> 16 & 15 = 0 THEN (raw::BIGINT & 65535) / 1000 END
        END::DOUBLE AS value_number,
        CASE kind
            WHEN 'oil_level' THEN CASE
                WHEN number < 25 THEN 'CRITICALLY_LOW'
                WHEN number < 50 THEN 'LOW'
                WHEN number < 75 THEN 'NORMAL'
                WHEN number < 99 THEN 'HIGH'
                ELSE 'CRITICALLY_HIGH'
            END
            WHEN 'powertrain_type' THEN CASE
                WHEN raw IN (8, 15) THEN 'ELECTRIC'
                WHEN raw BETWEEN 16 AND 22 THEN 'HYBRID'
                WHEN raw BETWEEN 1 AND 32 THEN 'COMBUSTION'
            END
            WHEN 'fuel_type' THEN [
                'GASOLINE', 'METHANOL', 'ETHANOL', 'DIESEL', 'LPG', 'CNG', 'PROPANE', 'ELECTRIC',
                'BIFUEL RUNNING GASOLINE', 'BIFUEL RUNNING METHANOL', 'BIFUEL RUNNING ETHANOL', 'BIFUEL RUNNING LPG',
                'BIFUEL RUNNING CNG', 'BIFUEL RUNNING PROPANE', 'BIFUEL RUNNING ELECTRICITY',
                'BIFUEL RUNNING ELECTRIC AND COMBUSTION ENGINE', 'HYBRID GASOLINE', 'HYBRID ETHANOL', 'HYBRID DIESEL',
                'HYBRID ELECTRIC', 'HYBRID RUNNING ELECTRIC AND COMBUSTION ENGINE', 'HYBRID REGENERATIVE',
                'BIFUEL RUNNING DIESEL'
            ][raw::BIGINT]
            WHEN 'torque_mode' THEN [
                'LOW IDLE GOVERNOR/NO REQUEST', 'ACCELERATOR PEDAL/OPERATOR SELECTION', 'CRUISE CONTROL', 'PTO GOVERNOR',
                'ROAD SPEED GOVERNOR', 'ASR CONTROL', 'TRANSMISSION CONTROL', 'ABS CONTROL', 'TORQUE LIMITING',
                'HIGH SPEED GOVERNOR', 'BRAKING SYSTEM', 'REMOTE ACCELERATOR', 'SERVICE PROCEDURE', 'NOT DEFINED', 'OTHER',
                'NOT AVAILABLE'
            ][raw::BIGINT + 1]
        END AS value_string
    FROM known
    WHERE value_number IS NOT NULL OR value_string IS NOT NULL
    QUALIFY row_number() OVER (PARTITION BY vehicle_id, event_id, signal, timestamp ORDER BY rank) = 1
)
SELECT
    vehicle_id, timestamp, signal, value_number, value_string, unit, source, name, event_id, received_at, date
FROM decoded
UNION ALL
SELECT
    vehicle_id,
    timestamp,
    'obdDTCList',
    NULL,
    to_json(value_json ->> '$[*].code')::VARCHAR,
    '',
    source,
    name,
    event_id,
    received_at,
    date
FROM signals
WHERE name = 'dtc_codes' AND json_valid(value_json) AND len(value_json ->> '$[*].code') > 0;
