-- odometer_received(): every odometer reading in km, with the reason of those that are out before any curve is looked for.
--
-- Rules
--   Told in `odometer`, `odometer_senders` and `odometer_others`.
CREATE MACRO odometer_received() AS TABLE
WITH in_km AS (
    SELECT
        *,
        coalesce(reading <= 999999 AND (reading > 0 AND date <= metres_until OR reading >= small_metres), false)
            AS is_small_metres,
        if(is_small_metres, reading / 1000, kilometres(reading)) AS odometer_km
    FROM odometer_numbers()
    LEFT JOIN odometer_senders() USING (vehicle_id, sender)
)
SELECT
    vehicle_id,
    timestamp,
    odometer_km,
    CASE
        WHEN reading IS NULL THEN 'not_a_number'
        WHEN timestamp < '2000-01-01 00:00:00+00'::TIMESTAMPTZ
            OR timestamp >= (date + INTERVAL 2 DAY) AT TIME ZONE 'UTC' THEN 'clock'
        WHEN reading <= 0 OR reading IN (65538, 65539, 983040) THEN 'sentinel'
        WHEN odometer_km <= 100 AND NOT is_small_metres AND coalesce(date > new_through, true) THEN 'sentinel'
        WHEN odometer_km > 999999 THEN 'too_large'
        WHEN other.event_id IS NOT NULL THEN 'other_source'
    END AS reason,
    reading,
    source,
    in_km.event_id
FROM in_km
LEFT JOIN odometer_others() AS other USING (vehicle_id, timestamp, event_id, reading);
