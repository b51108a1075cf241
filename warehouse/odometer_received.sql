-- odometer_received(numbers): every odometer reading of `odometer_numbers` in km, with the reason of those that are out
-- before any curve is looked for.
--
-- Rules
--   Told in `odometer`, `odometer_senders` and `odometer_others`.
CREATE MACRO odometer_received(numbers) AS TABLE
WITH in_km AS (
    SELECT
        number.*,
        new_through,
        coalesce(reading <= 999999 AND (reading > 0 AND date <= metres_until OR reading >= small_metres), false)
            AS is_small_metres,
        if(is_small_metres, reading / 1000, kilometres(reading)) AS odometer_km
    FROM query_table(numbers) AS number
    LEFT JOIN odometer_senders(numbers) AS sender
        ON sender.vehicle_id = number.vehicle_id AND sender.source IS NOT DISTINCT FROM number.source
    WHERE number.vehicle_id IS NOT NULL
)
SELECT
    in_km.vehicle_id,
    in_km.timestamp,
    odometer_km,
    CASE
        WHEN in_km.reading IS NULL THEN 'not_a_number'
        WHEN in_km.timestamp < '2000-01-01 00:00:00+00'::TIMESTAMPTZ
            OR in_km.timestamp >= make_timestamptz(epoch_us(date + INTERVAL 2 DAY)) THEN 'clock'
        WHEN is_sentinel(in_km.reading) THEN 'sentinel'
        WHEN odometer_km <= 100 AND NOT is_small_metres AND coalesce(date > new_through, true) THEN 'sentinel'
        WHEN odometer_km > 999999 THEN 'too_large'
        WHEN other.reading IS NOT NULL THEN 'other_source'
    END AS reason,
    in_km.reading,
    in_km.source,
    event_id
FROM in_km
LEFT JOIN odometer_others(numbers) AS other
    ON other.vehicle_id = in_km.vehicle_id AND other.timestamp = in_km.timestamp AND other.reading = in_km.reading
    AND other.source IS NOT DISTINCT FROM in_km.source;
