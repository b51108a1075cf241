-- wide_between(since, until): the common signals of each vehicle side by side, one row for each second with any of them,
-- from `since` up to and including `until`.
--
-- Example
--   FROM wide_between('2026-03-01 00:00:00+00'::TIMESTAMPTZ, '2026-04-01 00:00:00+00'::TIMESTAMPTZ)
--
-- Columns
--   vehicle_id      token id in decimal, or user device id
--   timestamp       the second, UTC
--   latitude        degrees
--   longitude       degrees
--   speed_kmh       km/h
--   odometer_km     km, as received; `odometer` says which readings are valid
--   is_ignition_on  whether the ignition is on
--   engine_rpm      turns of the combustion engine a minute
--   coolant_c       temperature of its coolant, °C
--   fuel_percent    fuel in the tank, %
--   soc_percent     state of charge of the traction battery, %
--   is_charging     whether it is being charged
--   range_km        range that is left, km
--   battery_v       voltage of the 12 V battery, V
--   outside_c       temperature outside, °C
--
-- Rules
--   Each column is the newest value measured up to the end of that second and in the five minutes before it (an `asof`
--   join with that tolerance); null where there is none. Of several values of a second it is the last.
--   A member of a position that is exactly 0 is none: devices without a fix send (0, 0).
--   Bounds open only the files of their days, and a filter on `vehicle_id` reads only that vehicle.
CREATE MACRO wide_between(since, until) AS TABLE
WITH received AS (
    SELECT
        vehicle_id,
        timestamp,
        epoch_ms(timestamp) // 1000 AS second,
        signal,
        value_number AS value
    FROM signals_canonical
    WHERE signal IN (
        'currentLocationCoordinates.latitude', 'currentLocationCoordinates.longitude', 'speed',
        'powertrainTransmissionTravelledDistance', 'isIgnitionOn', 'powertrainCombustionEngineSpeed',
        'powertrainCombustionEngineECT', 'powertrainFuelSystemRelativeLevel',
        'powertrainTractionBatteryStateOfChargeCurrent', 'powertrainTractionBatteryChargingIsCharging',
        'powertrainRange', 'lowVoltageBatteryCurrentVoltage', 'exteriorAirTemperature'
    )
        AND timestamp BETWEEN since - INTERVAL 5 MINUTE AND until
        -- A document can be of another day than the values in it, by the little they are apart.
        AND date BETWEEN (since AT TIME ZONE 'UTC')::DATE - 1 AND (until AT TIME ZONE 'UTC')::DATE + 1
),
seconds AS (
    SELECT
        vehicle_id,
        second,
        arg_max(nullif(value, 0), timestamp) FILTER (signal = 'currentLocationCoordinates.latitude') AS latitude,
        arg_max(nullif(value, 0), timestamp) FILTER (signal = 'currentLocationCoordinates.longitude') AS longitude,
        arg_max(value, timestamp) FILTER (signal = 'speed') AS speed_kmh,
        arg_max(value, timestamp) FILTER (signal = 'powertrainTransmissionTravelledDistance') AS odometer_km,
        arg_max(value <> 0, timestamp) FILTER (signal = 'isIgnitionOn') AS is_ignition_on,
        arg_max(value, timestamp) FILTER (signal = 'powertrainCombustionEngineSpeed') AS engine_rpm,
        arg_max(value, timestamp) FILTER (signal = 'powertrainCombustionEngineECT') AS coolant_c,
        arg_max(value, timestamp) FILTER (signal = 'powertrainFuelSystemRelativeLevel') AS fuel_percent,
        arg_max(value, timestamp) FILTER (signal = 'powertrainTractionBatteryStateOfChargeCurrent') AS soc_percent,
        arg_max(value <> 0, timestamp) FILTER (signal = 'powertrainTractionBatteryChargingIsCharging') AS is_charging,
        arg_max(value, timestamp) FILTER (signal = 'powertrainRange') AS range_km,
        arg_max(value, timestamp) FILTER (signal = 'lowVoltageBatteryCurrentVoltage') AS battery_v,
        arg_max(value, timestamp) FILTER (signal = 'exteriorAirTemperature') AS outside_c
    FROM received
    GROUP BY ALL
)
SELECT
    vehicle_id,
    to_timestamp(second) AS timestamp,
    last_value(COLUMNS(* EXCLUDE (vehicle_id, second)) IGNORE NULLS) OVER (
        PARTITION BY vehicle_id ORDER BY second RANGE BETWEEN 300 PRECEDING AND CURRENT ROW
    )
FROM seconds
QUALIFY timestamp >= since;
