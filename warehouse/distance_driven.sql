-- distance_driven: how far each vehicle has been driven in all its history; one row for each known vehicle.
--
-- Columns
--   vehicle_id          token id in decimal, or user device id
--   distance_km         DIMO's own number, km: greatest minus smallest reading, valid or not; 0 where none was received
--   distance_robust_km  km over the valid readings: the sum over odometer cycles of last minus first; 0 where none
--   readings            odometer readings received
--   valid_readings      those on the curve
--   resets              resets and swaps of the odometer
--   first_at            time of the first valid reading, UTC
--   last_at             time of the last valid reading, UTC
--   first_km            the first valid reading, km
--   last_km             the last valid reading, km
--
-- Rules
--   `distance_km` is what the Device Data API's distance-driven answers: the readings as received, so one stray 6 or
--   65538 spoils it, and 0 does not tell "stood still" from "no odometer"; `readings` does.
--   What was driven between the last reading of one cycle and the first of the next is unknown and counts as 0.
CREATE VIEW distance_driven AS
-- Within a cycle no valid reading is below an earlier one, so the lowest is the first and the highest the last; what is
-- not valid has no cycle.
WITH read_in_cycle AS (
    SELECT
        vehicle_id,
        cycle,
        max(reading) AS greatest,
        min(reading) AS smallest,
        count(*) AS readings,
        min(timestamp) AS first_at,
        max(timestamp) AS last_at,
        min(odometer_km) AS first_km,
        max(odometer_km) AS last_km
    FROM odometer
    GROUP BY ALL
),
driven AS (
    SELECT
        vehicle_id,
        max(greatest) - min(smallest) AS distance_km,
        sum(metres(last_km) - metres(first_km)) FILTER (cycle IS NOT NULL) / 1000 AS distance_robust_km,
        sum(readings)::BIGINT AS readings,
        sum(readings) FILTER (cycle IS NOT NULL)::BIGINT AS valid_readings,
        max(cycle) - 1 AS resets,
        min(first_at) FILTER (cycle IS NOT NULL) AS first_at,
        max(last_at) FILTER (cycle IS NOT NULL) AS last_at,
        arg_min(first_km, cycle) AS first_km,
        arg_max(last_km, cycle) AS last_km
    FROM read_in_cycle
    GROUP BY ALL
)
SELECT
    vehicle_id,
    coalesce(distance_km, 0) AS distance_km,
    coalesce(distance_robust_km, 0) AS distance_robust_km,
    coalesce(readings, 0) AS readings,
    coalesce(valid_readings, 0) AS valid_readings,
    coalesce(resets, 0) AS resets,
    first_at,
    last_at,
    first_km,
    last_km
FROM vehicles
FULL JOIN driven USING (vehicle_id);
