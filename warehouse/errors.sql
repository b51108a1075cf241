-- errors: every error an upstream service reported in a vehicle's events, one row for each.
--
-- Columns
--   vehicle_id   token id in decimal, or user device id
--   timestamp    when it was reported, UTC
--   type         what failed (`tires/pressure`); null where the error does not say
--   error_code   the code, as text: some sources send numbers, some words
--   error_type   the class of the error (`UPSTREAM`)
--   resolution   what to do about it (`RETRY_LATER`): the resolution's type, or the resolution where it is a text
--   description  the error in words
--   source       the integration that reported it
--   date         UTC day of the event's document
--   event_id     the event it came in
--   resolution_url  where to read more
--
-- Rules
--   Read from the value named `errors`: an array of {type, errorCode, errorType, description, resolution: {type, url}}
--   as Smartcar sends it. An object that is not in an array is one error, a text is one error with only a description;
--   anything else, and JSON that cannot be read, is none.
CREATE VIEW errors AS
WITH received AS (
    SELECT
        vehicle_id,
        timestamp,
        source,
        date,
        event_id,
        CASE
            WHEN value_string IS NOT NULL THEN to_json(value_string)
            WHEN json_valid(value_json) THEN value_json::JSON
        END AS document
    FROM signals
    WHERE name = 'errors'
),
each AS (
    SELECT
        * EXCLUDE (document),
        unnest(
            CASE json_type(document) WHEN 'ARRAY' THEN json_extract(document, '$[*]') ELSE [document] END
        ) AS error
    FROM received
)
SELECT
    vehicle_id,
    timestamp,
    error ->> '$.type' AS type,
    error ->> '$.errorCode' AS error_code,
    error ->> '$.errorType' AS error_type,
    CASE json_type(error, '$.resolution')
        WHEN 'VARCHAR' THEN error ->> '$.resolution'
        WHEN 'OBJECT' THEN error ->> '$.resolution.type'
    END AS resolution,
    CASE json_type(error) WHEN 'VARCHAR' THEN error ->> '$' ELSE error ->> '$.description' END AS description,
    source,
    date,
    event_id,
    error ->> '$.resolution.url' AS resolution_url
FROM each
WHERE json_type(error) IN ('OBJECT', 'VARCHAR');
