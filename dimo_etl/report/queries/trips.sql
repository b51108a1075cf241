-- The newest ${trips} trips of each vehicle, each drawn through at most ${stops} points.
WITH newest AS (
    SELECT *
    FROM trips
    WHERE (started_at AT TIME ZONE 'UTC')::DATE BETWEEN ${first} AND ${last} AND start_latitude IS NOT NULL${only}
    QUALIFY row_number() OVER (PARTITION BY vehicle_id ORDER BY started_at DESC) <= ${trips}
),
positions AS (
    SELECT
        vehicle_id,
        timestamp,
        max(value_number) FILTER (signal = 'currentLocationCoordinates.latitude') AS latitude,
        max(value_number) FILTER (signal = 'currentLocationCoordinates.longitude') AS longitude
    FROM signals_canonical
    WHERE date BETWEEN ${first} AND ${last} + 1
        AND signal IN ('currentLocationCoordinates.latitude', 'currentLocationCoordinates.longitude')${only}
    GROUP BY ALL
    HAVING latitude BETWEEN -90 AND 90 AND longitude BETWEEN -180 AND 180 AND (latitude, longitude) <> (0, 0)
),
passed AS (
    SELECT
        newest.vehicle_id,
        trip_id,
        started_at,
        distance_km,
        timestamp,
        latitude,
        longitude,
        floor(${stops} * epoch(timestamp - started_at) / (epoch(ended_at - started_at) + 1)) AS stop
    FROM newest
    JOIN positions
        ON positions.vehicle_id = newest.vehicle_id AND timestamp BETWEEN started_at AND ended_at
)
SELECT
    vehicle_id AS vehicle,
    dense_rank() OVER (ORDER BY started_at, trip_id) AS trip,
    started_at AS started,
    round(distance_km, 1) AS km,
    round(arg_min(latitude, timestamp), 5) AS latitude,
    round(arg_min(longitude, timestamp), 5) AS longitude
FROM passed
GROUP BY vehicle_id, trip_id, started_at, distance_km, stop
ORDER BY try_cast(vehicle_id AS HUGEINT), vehicle_id, trip, min(timestamp)
