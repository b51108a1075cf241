-- latest: the newest value of each signal of each vehicle.
--
-- Columns
--   vehicle_id     token id in decimal, or user device id
--   name           path of the leaf, object keys joined by dots
--   timestamp      when the value was measured, UTC; its age is what tells whether it still holds
--   value_number   as in `signals`
--   value_string   as in `signals`
--   value_boolean  as in `signals`
--   value_json     as in `signals`
--   source         the integration, as given
--   event_id       the event the value came in
--   received_at    when the event was received, UTC
--
-- Rules
--   Of several values measured at the same instant the one received last wins, then the greatest event id, then
--   the greatest value: the answer does not depend on the order in which files are read.
CREATE VIEW latest AS
WITH newest AS (
    SELECT vehicle_id, name, max(timestamp) AS timestamp
    FROM signals
    GROUP BY ALL
)
SELECT
    vehicle_id,
    name,
    timestamp,
    value_number,
    value_string,
    value_boolean,
    value_json,
    source,
    event_id,
    received_at
FROM signals
JOIN newest USING (vehicle_id, name, timestamp)
QUALIFY row_number() OVER (
    PARTITION BY vehicle_id, name
    ORDER BY
        received_at DESC NULLS LAST, event_id DESC, source DESC NULLS LAST, value_number DESC NULLS LAST,
        value_string DESC NULLS LAST, value_boolean DESC NULLS LAST, value_json DESC NULLS LAST
) = 1;
