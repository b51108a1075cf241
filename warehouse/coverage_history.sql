-- coverage_history: what was known of a vehicle-day, and when; a row for each time something else became known of it.
--
-- Columns
--   vehicle_id       token id in decimal, or user device id
--   date             UTC day
--   version          1 for what was known first, then 2, 3, …
--   known_from       when it was learned, UTC
--   known_until      when something else was learned; null for what is known now, UTC
--   confirmed_at     when the same was learned last, UTC
--   complete         as in `coverage`, then
--   expected_events  as in `coverage`, then
--   fetched_events   as in `coverage`, then
--   held_events      distinct events held, then
--   appeared_events  events that had not been held before
--   vanished_events  events that had been held and were no longer: a proved fetch did not give them
--   changed_events   events whose document became another under the same id
--   origin           as in `coverage`, then
--   reason           as in `coverage`, then
--   change           what was new, in words; null for the first version
--
-- Rules
--   A number of a day can change only where its events did: after `known_from` of a version with events that appeared,
--   vanished or changed. A day asked for again that gives the same is no new version; `confirmed_at` moves.
--   The versions lie in the raw units and, copied, in the footers of the days' files.
CREATE VIEW coverage_history AS
WITH footers AS (
    SELECT decode(value) AS versions
    FROM ${footers}
    WHERE key = 'dimo_etl.versions'::BLOB
),
versions AS (
    SELECT unnest(from_json(versions, '[{
        "vehicle_id": "VARCHAR", "date": "DATE", "known_from": "TIMESTAMPTZ", "confirmed_at": "TIMESTAMPTZ",
        "origin": "VARCHAR", "expected_events": "BIGINT", "fetched_events": "BIGINT", "held_events": "BIGINT",
        "complete": "BOOLEAN", "reason": "VARCHAR", "appeared_events": "BIGINT", "vanished_events": "BIGINT",
        "changed_events": "BIGINT"
    }]'), max_depth := 2)
    FROM footers
),
numbered AS (
    SELECT
        *,
        row_number() OVER known AS version,
        lead(known_from) OVER known AS known_until,
        lag(complete) OVER known AS was_complete
    FROM versions
    WINDOW known AS (PARTITION BY vehicle_id, date ORDER BY known_from, confirmed_at)
)
SELECT
    vehicle_id,
    date,
    version,
    known_from,
    known_until,
    confirmed_at,
    complete,
    expected_events,
    fetched_events,
    held_events,
    appeared_events,
    vanished_events,
    changed_events,
    origin,
    reason,
    CASE WHEN version > 1 THEN coalesce(
        nullif(concat_ws(
            '; ',
            if(appeared_events > 0, appeared_events || ' events came', NULL),
            if(vanished_events > 0, vanished_events || ' events are gone at the source', NULL),
            if(changed_events > 0, changed_events || ' events changed', NULL),
            if(complete AND was_complete IS NOT TRUE, 'now proved complete', NULL),
            if(complete IS NOT TRUE AND was_complete, 'no longer proved complete', NULL)
        ), ''),
        'the same events, with another record'
    ) END AS change
FROM numbered;
