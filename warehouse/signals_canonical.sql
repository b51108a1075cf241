-- signals_canonical: the values of `signals` under one vocabulary and in one unit each, whatever source they came from.
--
-- Columns
--   vehicle_id    token id in decimal, or user device id
--   timestamp     when the value was measured, UTC
--   signal        the Telemetry API's name (`speed`, `powertrainTransmissionTravelledDistance`); a position is three
--                 signals, `currentLocationCoordinates.latitude`, `.longitude` and `.hdop`
--   value_number  the value where the signal is a number, in `unit`; flags are 0 and 1
--   value_string  the value where the signal is a text
--   unit          km, km/h, %, kPa …; empty where it has none
--   source        the integration, as given
--   name          the name it came under, as in `signals`
--   event_id      the event it came in
--   received_at   when the event was received, UTC
--   date          UTC day of the event's document; a filter on it opens only the files of those days
--
-- Rules
--   `signal_catalogue` says which name stands for which signal. A name it does not know, and a value that cannot be
--   read as what the signal is, stand in `signals` alone. A value of two signals (`oil`) is two rows. The same signal
--   from two sources is two rows, told apart by `source`.
--   Conversions, as DIMO's own converters do them; the catalogue names them:
--     a number         the value times that number (1.609344 for miles, 100 for bar, 101.325 for atmospheres)
--     ratio            a ratio of 0 to 1 becomes per cent; what is above 1 is per cent already
--     ratio_v1         likewise, but documents of v2, whose own `timestamp` is a number, have per cent throughout
--     odometer         above 999 999 it is metres
--     oil_level        CRITICALLY_LOW below 0.25, LOW below 0.5, NORMAL below 0.75, HIGH below 0.99, CRITICALLY_HIGH
--     fuel_type        GASOLINE, E85, DIESEL, LPG or OTHER
--     powertrain_type  ELECTRIC or COMBUSTION
--     charging         1 for a state `Starting` or `Charging`, otherwise 0
--     cable            0 for a state `Disconnected`, otherwise 1
--     window           1 for a state `Opened` or `PartiallyOpen`, 0 for `Closed`
--     open <door>      1 where a text such as `DriverFront|TrunkRear`, which lists what is open, has the door, otherwise 0
--     ruptela          what `ruptela_codes` says; several codes of one event for one signal are one row
--   A position of (0, 0), which a device without a fix sends, is here as it came; the Telemetry API never gives one. The
--   views of drives, charges, refuels and `wide` take a member that is exactly 0 for none.
--   A filter on `signal` reads only the row groups of the names that stand for it.
CREATE VIEW signals_canonical AS
WITH known AS (
    SELECT
        name,
        signal,
        unit,
        value_type = 'string' AS is_text,
        conversion,
        coalesce(try_cast(conversion AS DOUBLE), 1) AS factor
    FROM signal_catalogue
    WHERE signal IS NOT NULL AND conversion NOT IN ('ratio_v1', 'ruptela')
),
received AS (
    SELECT
        vehicle_id,
        timestamp,
        signal,
        coalesce(
            value_number, value_boolean::DOUBLE, try_cast(value_string AS DOUBLE), try_cast(value_json AS DOUBLE)
        ) AS any_number,
        CASE WHEN isfinite(any_number) THEN any_number END AS number,
        coalesce(value_string, nullif(value_json, 'null')) AS text,
        unit,
        source,
        name,
        event_id,
        received_at,
        date,
        is_text,
        conversion,
        factor
    FROM signals
    JOIN known USING (name)
),
converted AS (
    SELECT
        vehicle_id,
        timestamp,
        signal,
        CASE
            WHEN is_text THEN NULL
            WHEN conversion = 'ratio' THEN per_cent(number)
            WHEN conversion = 'odometer' THEN kilometres(number)
            WHEN conversion = 'charging' THEN (text SIMILAR TO '.*(Starting|Charging)')::INTEGER
            WHEN conversion = 'cable' THEN (text NOT LIKE '%Disconnected')::INTEGER
            WHEN conversion = 'window' AND text SIMILAR TO '.*(Opened|PartiallyOpen|Closed)' THEN (text NOT LIKE '%Closed')::INTEGER
            WHEN conversion = 'window' THEN NULL
            WHEN conversion LIKE 'open %' THEN (substr(conversion, 6) IN string_split(text, '|'))::INTEGER
            -- Not -0 for a 0.
            ELSE number * factor + 0
        END AS value_number,
        CASE
            WHEN NOT is_text THEN NULL
            WHEN conversion = 'oil_level' THEN CASE
                WHEN number IS NULL THEN text
                WHEN per_cent(number) < 25 THEN 'CRITICALLY_LOW'
                WHEN per_cent(number) < 50 THEN 'LOW'
                WHEN per_cent(number) < 75 THEN 'NORMAL'
                WHEN per_cent(number) < 99 THEN 'HIGH'
                ELSE 'CRITICALLY_HIGH'
            END
            WHEN conversion = 'fuel_type' THEN CASE text
                WHEN 'Gasoline' THEN 'GASOLINE'
                WHEN 'Ethanol' THEN 'E85'
                WHEN 'Diesel' THEN 'DIESEL'
                WHEN 'LPG' THEN 'LPG'
                ELSE CASE WHEN text IS NOT NULL THEN 'OTHER' END
            END
            WHEN conversion = 'powertrain_type' THEN CASE
                WHEN text = 'Electric' THEN 'ELECTRIC'
                WHEN text IS NOT NULL THEN 'COMBUSTION'
            END
            ELSE coalesce(text, number::VARCHAR)
        END AS value_string,
        unit,
        source,
        name,
        event_id,
        received_at,
        date
    FROM received
)
FROM converted
WHERE value_number IS NOT NULL OR value_string IS NOT NULL
UNION ALL
FROM canonical_ratio('engineLoad', 'obdEngineLoad')
UNION ALL
FROM canonical_ratio('throttlePosition', 'powertrainCombustionEngineTPS')
UNION ALL
FROM canonical_ratio('soc', 'powertrainTractionBatteryStateOfChargeCurrent')
UNION ALL
SELECT
    vehicle_id, timestamp, signal, value_number, value_string, unit, source, name, event_id, received_at, date
FROM ruptela;
