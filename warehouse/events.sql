-- events: what was noticed of a vehicle: hard braking, a collision, a fingerprint taken; one row for each.
--
-- Columns
--   vehicle_id  token id in decimal, or user device id
--   timestamp   when it began, UTC
--   name        what it was (`behavior.harshBraking`); of a CloudEvent without a list of events its type (`dimo.fingerprint`)
--   source      the connection that noticed it, as given
--   duration_s  for how long, s; null where it does not say
--   metadata    what else it tells, JSON; of a CloudEvent without a list of events its values by name
--   event_id    the event it came in
--   date        UTC day of the event's document; a filter on it opens only the files of those days
--
-- Rules
--   Read from the value named `events`: an array of {name, timestamp, durationNs, metadata, source}, as the default
--   module sends it and as the Telemetry API is asked for it. An element without a name is none, and one without a
--   readable time of its own has that of its document.
--   A CloudEvent that is no status goes by its id and type, `<id>/<type>`: one without such a list is a row itself.
--   The same event from two sources (vehicle, time and name) is one row, the one with the greatest event id.
CREATE VIEW events AS
WITH listed AS (
    SELECT
        vehicle_id,
        timestamp,
        source,
        event_id,
        date,
        unnest(CASE WHEN json_valid(value_json) AND json_type(value_json) = 'ARRAY' THEN json_extract(value_json, '$[*]') END)
            AS event
    FROM signals
    WHERE name = 'events'
),
noticed AS (
    SELECT
        vehicle_id,
        event ->> '$.timestamp' AS stamp,
        -- A time without a zone is UTC, whatever the session's.
        CASE WHEN regexp_matches(stamp, ':\d\d.*(Z|[+-]\d\d(:?\d\d)?)$') THEN stamp ELSE stamp || 'Z' END AS zoned,
        coalesce(try_cast(zoned AS TIMESTAMPTZ), timestamp) AS timestamp,
        event ->> '$.name' AS name,
        coalesce(event ->> '$.source', source) AS source,
        try_cast(event ->> '$.durationNs' AS DOUBLE) / 1e9 AS duration_s,
        event ->> '$.metadata' AS metadata,
        event_id,
        date
    FROM listed
    WHERE json_type(event) = 'OBJECT' AND json_type(event, '$.name') = 'VARCHAR'
),
others AS (
    SELECT
        vehicle_id,
        min(timestamp) AS timestamp,
        regexp_extract(event_id, '/(dimo\.[\w.]+)', 1) AS name,
        min(source) AS source,
        NULL::DOUBLE AS duration_s,
        json_group_object(
            signals.name, coalesce(value_json::JSON, to_json(value_number), to_json(value_string), to_json(value_boolean))
        )::VARCHAR AS metadata,
        event_id,
        date
    FROM signals
    WHERE contains(event_id, '/dimo.')
    GROUP BY vehicle_id, event_id, date
    HAVING NOT bool_or(signals.name = 'events')
),
told AS (
    SELECT * EXCLUDE (stamp, zoned) FROM noticed
    UNION ALL BY NAME
    FROM others
)
FROM told
QUALIFY row_number() OVER (PARTITION BY vehicle_id, timestamp, name ORDER BY event_id DESC, metadata DESC) = 1;
