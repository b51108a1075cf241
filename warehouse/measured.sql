-- measured: the values that drives, charging and refuelling are told by, under one name each, whatever a source calls
-- them.
--
-- Columns
--   vehicle_id    token id in decimal, or user device id
--   timestamp     when the value was measured, UTC
--   signal        the name the Telemetry API has for it
--   value_number  the value, in the unit of that name: km/h, degrees, percent, km, kWh; 1 or 0 for yes and no
--   source        the integration, as given
--   date          UTC day of the event's document
--
-- Rules
--   A share of fuel or charge of 1 or less is a ratio, as the Device Data API gives it, and is multiplied by 100;
--   newer payloads give percent.
--   A filter on `signal` reads only the values of its names.
CREATE VIEW measured AS
WITH numbers AS (
    SELECT
        vehicle_id,
        timestamp,
        name,
        coalesce(value_number, value_boolean::DOUBLE, try_cast(value_string AS DOUBLE)) AS number,
        source,
        date
    FROM signals
)
SELECT vehicle_id, timestamp, 'speed' AS signal, number AS value_number, source, date
FROM numbers
WHERE name IN ('speed', 'vehicleSpeed') AND isfinite(number)
UNION ALL
SELECT vehicle_id, timestamp, 'isIgnitionOn', number, source, date
FROM numbers
WHERE name IN ('isIgnitionOn', 'ignition') AND isfinite(number)
UNION ALL
SELECT vehicle_id, timestamp, 'currentLocationCoordinates.latitude', number, source, date
FROM numbers
WHERE name IN ('latitude', 'currentLocationCoordinates.latitude') AND isfinite(number)
UNION ALL
SELECT vehicle_id, timestamp, 'currentLocationCoordinates.longitude', number, source, date
FROM numbers
WHERE name IN ('longitude', 'currentLocationCoordinates.longitude') AND isfinite(number)
UNION ALL
SELECT
    vehicle_id, timestamp, 'powertrainTractionBatteryStateOfChargeCurrent', if(number <= 1, number * 100, number),
    source, date
FROM numbers
WHERE name IN ('soc', 'powertrainTractionBatteryStateOfChargeCurrent') AND isfinite(number)
UNION ALL
SELECT vehicle_id, timestamp, 'powertrainTractionBatteryChargingIsCharging', number, source, date
FROM numbers
WHERE name IN ('charging', 'powertrainTractionBatteryChargingIsCharging') AND isfinite(number)
UNION ALL
SELECT
    vehicle_id, timestamp, 'powertrainFuelSystemRelativeLevel', if(number <= 1, number * 100, number), source, date
FROM numbers
WHERE name IN ('fuelPercentRemaining', 'fuelLevel', 'powertrainFuelSystemRelativeLevel') AND isfinite(number)
UNION ALL
SELECT vehicle_id, timestamp, 'powertrainTractionBatteryGrossCapacity', number, source, date
FROM numbers
WHERE name IN ('batteryCapacity', 'powertrainTractionBatteryGrossCapacity') AND isfinite(number)
UNION ALL
SELECT vehicle_id, timestamp, 'powertrainTractionBatteryChargingAddedEnergy', number, source, date
FROM numbers
WHERE name = 'powertrainTractionBatteryChargingAddedEnergy' AND isfinite(number)
UNION ALL
SELECT vehicle_id, timestamp, 'powertrainTransmissionTravelledDistance', if(number > 999999, number / 1000, number), source, date
FROM numbers
WHERE name IN ('odometer', 'powertrainTransmissionTravelledDistance') AND isfinite(number)
UNION ALL
SELECT vehicle_id, timestamp, 'powertrainCombustionEngineSpeed', number, source, date
FROM numbers
WHERE name IN ('engineSpeed', 'rpm', 'powertrainCombustionEngineSpeed') AND isfinite(number)
UNION ALL
SELECT vehicle_id, timestamp, 'powertrainCombustionEngineECT', number, source, date
FROM numbers
WHERE name IN ('coolantTemp', 'powertrainCombustionEngineECT') AND isfinite(number)
UNION ALL
SELECT vehicle_id, timestamp, 'powertrainRange', number, source, date
FROM numbers
WHERE name IN ('range', 'powertrainRange') AND isfinite(number)
UNION ALL
SELECT vehicle_id, timestamp, 'lowVoltageBatteryCurrentVoltage', number, source, date
FROM numbers
WHERE name IN ('batteryVoltage', 'lowVoltageBatteryCurrentVoltage') AND isfinite(number)
UNION ALL
SELECT vehicle_id, timestamp, 'exteriorAirTemperature', number, source, date
FROM numbers
WHERE name IN ('ambientTemp', 'ambientAirTemp', 'exteriorAirTemperature') AND isfinite(number);
