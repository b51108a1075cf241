-- odometer_senders(numbers): what the days of each source of a vehicle's odometer show before any reading is judged; a row
-- for each.
--
-- Rules
--   small_metres  the greatest reading, below 1 000 km, of a source that sends metres; up to `metres_until`. Metres below
--                 1 000 000 cannot be told by size, but they grow fast: a day on which the number grew by more than 6 000,
--                 a day at 250 km/h, is in metres where the days before and after it fit, so that none of their numbers
--                 is out of order. A source that has two such days or more sends metres.
--   new_through   the last day on which a reading of 100 km or less may be true: the first day on which most readings are
--                 above that, if these begin at 500 km at most and are mostly below 1 500 km, and if no more than two
--                 such days before it were otherwise; without an end, if on no day most readings are above 100 km; null if
--                 the vehicle was not new.
CREATE MACRO odometer_senders(numbers) AS TABLE
WITH usable AS (
    SELECT
        vehicle_id,
        source,
        date,
        CASE WHEN reading <= 999999 AND NOT is_sentinel(reading) THEN reading END AS number
    FROM query_table(numbers)
    WHERE vehicle_id IS NOT NULL
),
days AS (
    SELECT
        vehicle_id,
        source,
        date,
        min(number) FILTER (number > 100) AS least,
        max(number) FILTER (number > 100) AS greatest,
        count_if(number > 100) AS high,
        high * 2 > count(number) AS is_high,
        least <= 500 AND count_if(number > 1500) * 2 <= high AS is_young
    FROM usable
    GROUP BY ALL
),
stairs AS (
    SELECT
        *,
        greatest - least > 6000 AND least >= lag(greatest) OVER in_time AND greatest <= lead(least) OVER in_time
            AS is_in_metres
    FROM days
    WINDOW in_time AS (PARTITION BY vehicle_id, source ORDER BY date)
),
senders AS (
    SELECT
        vehicle_id,
        source,
        CASE WHEN count_if(is_in_metres) > 1 THEN max(date) FILTER (is_in_metres) END AS metres_until,
        CASE WHEN count_if(is_in_metres) > 1 THEN max(greatest) FILTER (is_in_metres) END AS small_metres,
        min(date) FILTER (is_high AND is_young) AS young_day,
        coalesce(min(date, 3) FILTER (is_high AND NOT is_young), []) AS used_days
    FROM stairs
    GROUP BY ALL
),
known AS (
    SELECT
        * REPLACE (
            min(young_day) OVER of_vehicle AS young_day,
            list_sort(flatten(list(used_days) OVER of_vehicle)) AS used_days
        )
    FROM senders
    WINDOW of_vehicle AS (PARTITION BY vehicle_id)
)
SELECT
    vehicle_id,
    source,
    metres_until,
    small_metres,
    CASE
        WHEN young_day < coalesce(used_days[3], 'infinity'::DATE) THEN young_day
        WHEN young_day IS NULL AND len(used_days) = 0 THEN 'infinity'::DATE
    END AS new_through
FROM known
WHERE metres_until IS NOT NULL OR new_through IS NOT NULL;
