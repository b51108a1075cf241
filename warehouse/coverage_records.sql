-- coverage_records(): the coverage records of the vehicle-days that are held, as the footers of the days' files have them;
-- the columns are those of `coverage`.
--
-- Rules
--   The records live in the footers of the day's signals file, so rows and their proof change by the same rename.
CREATE MACRO coverage_records() AS TABLE
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
    CASE WHEN split_part(record.origin, '+', 1) NOT IN ('late', 'import', 'snapshot')
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
