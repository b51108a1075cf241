-- coverage: what is known of each vehicle-day: what the service says exists, what is held, and whether that is proved.
--
-- Columns
--   vehicle_id          token id in decimal, or user device id
--   date                UTC day
--   expected_events     distinct events the source that was asked says exist; null where nobody said
--   fetched_events      distinct events held, of those it counts
--   complete            true: proved complete; false: known to be incomplete; null: unknown
--   requests            history requests spent, retries included
--   fetched_at          when the record was made, UTC
--   origin              what gave the events, joined by `+`: sources of history, `import`, `snapshot`
--   asked               the source that was asked last, whose numbers and proof these are; null where none was asked
--   by_origin           how many distinct events each of these gave
--   imported_events     distinct events held that came from a file and from no source
--   beyond_history_events  imported events in `signals` that the service's history cannot give: they hold neither
--                       odometer nor latitude, so `expected_events` does not count them and only an export has them
--   snapshot_events     signals in `signals` that only a snapshot gave, each an event of its own
--   received_events     documents received, the same document twice counted twice
--   kept_events         events whose values are in `signals`
--   duplicate_events    documents that were the same event as another one
--   quarantined_events  events that could not be understood; they are in `quarantine`
--   reason              why it is not proved complete, in a sentence; null where it is
--   windows             windows that tile the day
--   privileges          the privileges the vehicle token had, by number; empty where the vehicle grants none of use;
--                       null where no vehicle token was used
--   unread              what could not be read for want of a privilege: `location` (privilege 4), `everything but
--                       location` (privilege 1), `everything` (neither); null where nothing was held back, as
--                       with privilege 7
--   sources             the integrations whose events are kept
--   first_event_at      the oldest time of a kept event, UTC
--   last_event_at       the newest time of a kept event, UTC
--
-- Rules
--   received_events = kept_events + duplicate_events + quarantined_events, for every row.
--   The records live in the footers of the day's signals file, so rows and their proof change by the same rename.
--   A day nobody asked for has no row.
--   An event of `telemetry` is a second with its values, or an event of the drive. The service gives no count of a
--   day: one is complete where each window was answered whole for each signal that may be read, and the answers bear
--   out the bounds of its `dataSummary`: no more values than that counts in all, and one at the first and the last time
--   of each signal.
CREATE VIEW coverage AS
WITH footers AS (
    SELECT decode(value) AS records
    FROM ${footers}
    WHERE key = 'dimo_etl.coverage'::BLOB
),
records AS (
    SELECT unnest(from_json(records, '[{
        "vehicle_id": "VARCHAR", "date": "DATE", "origin": "VARCHAR", "by_origin": "MAP(VARCHAR, BIGINT)",
        "expected_events": "BIGINT", "fetched_events": "BIGINT", "imported_events": "BIGINT",
        "beyond_history_events": "BIGINT", "snapshot_events": "BIGINT",
        "received_events": "BIGINT", "kept_events": "BIGINT", "duplicate_events": "BIGINT",
        "quarantined_events": "BIGINT", "complete": "BOOLEAN", "reason": "VARCHAR", "requests": "BIGINT",
        "windows": "BIGINT", "privileges": ["BIGINT"], "fetched_at": "TIMESTAMPTZ",
        "sources": ["VARCHAR"], "first_event_at": "TIMESTAMPTZ", "last_event_at": "TIMESTAMPTZ"
    }]')) AS record
    FROM footers
)
SELECT
    record.vehicle_id,
    record.date,
    record.expected_events,
    record.fetched_events,
    record.complete,
    record.requests,
    record.fetched_at,
    record.origin,
    CASE WHEN split_part(record.origin, '+', 1) NOT IN ('import', 'snapshot')
        THEN split_part(record.origin, '+', 1)
    END AS asked,
    coalesce(record.by_origin, MAP {}) AS by_origin,
    record.imported_events,
    coalesce(record.beyond_history_events, 0) AS beyond_history_events,
    coalesce(record.snapshot_events, 0) AS snapshot_events,
    record.received_events,
    record.kept_events,
    record.duplicate_events,
    record.quarantined_events,
    record.reason,
    record.windows,
    record.privileges,
    CASE
        WHEN list_contains(record.privileges, 7) THEN NULL
        WHEN NOT list_has_any(record.privileges, [1, 4]) THEN 'everything'
        WHEN NOT list_contains(record.privileges, 1) THEN 'everything but location'
        WHEN NOT list_contains(record.privileges, 4) THEN 'location'
    END AS unread,
    record.sources,
    record.first_event_at,
    record.last_event_at
FROM records;
