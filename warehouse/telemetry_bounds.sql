-- telemetry_bounds: what the Telemetry API says it stores of each signal and event of a vehicle, beside what is held.
--
-- Columns
--   vehicle_id    token id in decimal
--   name          the signal or event
--   kind          `signal` or `event`
--   stored        rows the service says it has in all: an upper bound, see below
--   held          seconds with a value, or events, that are held up to asked_at
--   share         held / stored
--   first_stored  the first time the service has, UTC
--   last_stored   the last
--   first_held    the first time that is held, UTC; null where nothing is
--   last_held     the last
--   verdict       see below
--   asked_at      when the service was asked, UTC: the last time, with the days of the source `telemetry`
--
-- Rules (Telemetry API, `dataSummary`)
--   It counts all of time, and rows as they came: those stored twice, those that share a second, and positions of
--   (0, 0), which it never gives. So there can be fewer held than stored and none missing, and never more.
--
-- Verdicts
--   all          as many are held as the service counts: none is missing
--   fewer        both ends are held, and fewer between them than the service counts; a small share is suspicious
--   not_reached  days at either end are not held
--   not_shared   nothing of it is held, as the vehicle did not share it when its days were last asked for: positions
--                need privilege 4, other signals 1, events both
--   not_held     nothing of it is held: its days were not brought, or the service has no field for it
--   more         more are held than the service counts, which contradicts it
CREATE VIEW telemetry_bounds AS
WITH granted AS (
    SELECT vehicle_id, arg_max(privileges, fetched_at) AS privileges
    FROM coverage_records()
    WHERE asked = 'telemetry'
    GROUP BY ALL
),
told AS (
    FROM snapshots
    WHERE endpoint = 'telemetry/dataSummary' AND json_valid(payload)
    QUALIFY row_number() OVER (PARTITION BY vehicle_id ORDER BY seen_at DESC) = 1
),
listed AS (
    SELECT vehicle_id, seen_at, 'signal' AS kind, unnest(json_extract(payload, '$.signalDataSummary[*]')) AS one
    FROM told
    UNION ALL
    SELECT vehicle_id, seen_at, 'event', unnest(json_extract(payload, '$.eventDataSummary[*]'))
    FROM told
),
bounds AS (
    SELECT
        vehicle_id,
        kind,
        one ->> '$.name' AS name,
        -- A position is held as its members.
        CASE WHEN name LIKE '%Coordinates' THEN name || '.latitude' ELSE name END AS leaf,
        coalesce(one ->> '$.numberOfSignals', one ->> '$.numberOfEvents')::BIGINT AS stored,
        (one ->> '$.firstSeen')::TIMESTAMPTZ AS first_stored,
        (one ->> '$.lastSeen')::TIMESTAMPTZ AS last_stored,
        seen_at AS asked_at,
        NOT list_has_all(
            privileges, CASE WHEN kind = 'event' THEN [1, 4] WHEN name LIKE 'currentLocation%' THEN [4] ELSE [1] END
        ) AS is_withheld
    FROM listed
    LEFT JOIN granted USING (vehicle_id)
),
held_signals AS (
    SELECT
        bounds.vehicle_id,
        bounds.kind,
        bounds.leaf,
        count(DISTINCT date_trunc('second', signals.timestamp)) AS held,
        min(signals.timestamp) AS first_held,
        max(signals.timestamp) AS last_held
    FROM signals
    JOIN bounds
        ON signals.vehicle_id = bounds.vehicle_id AND signals.name = bounds.leaf AND signals.timestamp <= bounds.asked_at
    WHERE bounds.kind = 'signal'
    GROUP BY ALL
),
held_events AS (
    SELECT
        bounds.vehicle_id,
        bounds.kind,
        bounds.leaf,
        count(*) AS held,
        min(events.timestamp) AS first_held,
        max(events.timestamp) AS last_held
    FROM events
    JOIN bounds
        ON events.vehicle_id = bounds.vehicle_id AND events.name = bounds.leaf AND events.timestamp <= bounds.asked_at
    WHERE bounds.kind = 'event'
    GROUP BY ALL
)
SELECT
    vehicle_id,
    name,
    kind,
    stored,
    coalesce(held, 0) AS held,
    coalesce(held, 0) / nullif(stored, 0) AS share,
    first_stored,
    last_stored,
    first_held,
    last_held,
    CASE
        WHEN held IS NULL AND is_withheld THEN 'not_shared'
        WHEN held IS NULL THEN 'not_held'
        WHEN held > stored THEN 'more'
        WHEN held = stored THEN 'all'
        WHEN date_trunc('second', first_stored) < date_trunc('second', first_held)
            OR date_trunc('second', last_stored) > date_trunc('second', last_held) THEN 'not_reached'
        ELSE 'fewer'
    END AS verdict,
    asked_at
FROM bounds
LEFT JOIN (FROM held_signals UNION ALL FROM held_events) USING (vehicle_id, kind, leaf);
