-- latest_canonical: the newest value of each canonical signal of each vehicle, whatever source it came from.
--
-- Columns
--   vehicle_id    token id in decimal, or user device id
--   signal        the Telemetry API's name
--   timestamp     when the value was measured, UTC; its age is what tells whether it still holds
--   value_number  as in `signals_canonical`
--   value_string  as in `signals_canonical`
--   unit          km, km/h, %, kPa …; empty where it has none
--   source        the integration, as given
--   name          the name it came under, as in `signals`
--   event_id      the event it came in
--   received_at   when the event was received, UTC
--
-- Rules
--   Those of `latest`: of several values measured at the same instant the one received last wins, then the greatest
--   event id, source, name and value.
CREATE VIEW latest_canonical AS
WITH newest AS (
    SELECT vehicle_id, signal, max(timestamp) AS timestamp
    FROM signals_canonical
    GROUP BY ALL
)
SELECT vehicle_id, signal, timestamp, value_number, value_string, unit, source, name, event_id, received_at
FROM signals_canonical
JOIN newest USING (vehicle_id, signal, timestamp)
QUALIFY row_number() OVER (
    PARTITION BY vehicle_id, signal
    ORDER BY
        received_at DESC NULLS LAST, event_id DESC, source DESC NULLS LAST, name DESC,
        value_number DESC NULLS LAST, value_string DESC NULLS LAST
) = 1;
