-- signals: every value of every event held, one row for each leaf of its document.
--
-- Columns
--   vehicle_id     token id in decimal, or user device id, as the user names the vehicle
--   timestamp      when the value was measured, UTC
--   name           path of the leaf, object keys joined by dots (`tires.frontLeft`)
--   value_number   the value where it is a number that float64 holds exactly; in the unit the source sent
--   value_string   the value where it is a string
--   value_boolean  the value where it is true or false
--   value_json     arrays, empty objects, null, and numbers float64 cannot hold exactly, as JSON text
--   source         the integration, as given
--   event_id       the event the value came in
--   received_at    when the event was received, UTC
--   date           UTC day of the event's document; a filter on it opens only the files of those days
--
-- Rules
--   One file a day, sorted by name, vehicle_id, timestamp: a filter on `name` reads only its row groups.
CREATE VIEW signals AS
SELECT
    vehicle_id,
    timestamp,
    name,
    value_number,
    value_string,
    value_boolean,
    value_json,
    source,
    event_id,
    received_at,
    date
FROM ${signals};
