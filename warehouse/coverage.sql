-- coverage: every day of every vehicle: what the service says exists, what is held, and whether that is proved.
--
-- Columns
--   vehicle_id          token id in decimal, or user device id
--   date                UTC day
--   expected_events     distinct events the source that was asked says exist; null where nobody said
--   fetched_events      distinct events held, of those it counts
--   complete            true: proved complete; false: known to be incomplete; null: unknown
--   requests            history requests spent, retries included
--   fetched_at          when the record was made, UTC
--   origin              what gave the events, joined by `+`: sources of history, `late` (events of the
--                       day that a source gave with a later one, on which it received them), `import`, `snapshot`
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
--   state               `complete`, `incomplete`, `unknown` (as `complete` tells), or `never_asked`
--
-- Rules
--   received_events = kept_events + duplicate_events + quarantined_events, for every row.
--   A calendar: every vehicle that is known has a row for each day from the first to the last that was asked for, or is
--   held, of any vehicle. A day of it that nobody asked for and no file told of is `never_asked`, with numbers of 0;
--   of a vehicle that was listed and never brought, each day is.
--   The records live in the footers of the day's signals file, so rows and their proof change by the same rename.
--   An event of `telemetry` is a second with its values, or an event of the drive. The service gives no count of a
--   day: one is complete where each window was answered whole for each signal that may be read, and the answers bear
--   out the bounds of its `dataSummary`: no more values than that counts in all, and one at the first and the last time
--   of each signal.
CREATE VIEW coverage AS
WITH records AS MATERIALIZED (
    FROM coverage_records()
),
known AS (
    SELECT vehicle_id FROM records
    UNION
    SELECT vehicle_id FROM ${vehicles}
),
span AS (
    SELECT min(date) AS first_day, max(date) AS last_day FROM records
),
days AS (
    SELECT unnest(generate_series(first_day, last_day, INTERVAL 1 DAY))::DATE AS date FROM span
)
SELECT
    vehicle_id,
    date,
    records.* EXCLUDE (vehicle_id, date)
    REPLACE (
        coalesce(fetched_events, 0) AS fetched_events,
        coalesce(requests, 0) AS requests,
        coalesce(by_origin, MAP {}) AS by_origin,
        coalesce(imported_events, 0) AS imported_events,
        coalesce(beyond_history_events, 0) AS beyond_history_events,
        coalesce(snapshot_events, 0) AS snapshot_events,
        coalesce(received_events, 0) AS received_events,
        coalesce(kept_events, 0) AS kept_events,
        coalesce(duplicate_events, 0) AS duplicate_events,
        coalesce(quarantined_events, 0) AS quarantined_events,
        coalesce(windows, 0) AS windows,
        coalesce(reason, if(origin IS NULL, 'It was never asked for.', NULL)) AS reason
    ),
    CASE
        WHEN origin IS NULL THEN 'never_asked'
        WHEN complete THEN 'complete'
        WHEN NOT complete THEN 'incomplete'
        ELSE 'unknown'
    END AS state
FROM known
CROSS JOIN days
LEFT JOIN records USING (vehicle_id, date);
