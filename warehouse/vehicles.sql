-- vehicles: every vehicle that is known: listed by the identity service, or with a day in the warehouse.
--
-- Columns
--   vehicle_id      token id in decimal, or user device id, as the user names the vehicle
--   token_id        the vehicle's token id; null where only a user device id is known
--   user_device_id  27 characters; null where only a token id is known
--   make            as the identity service gives it, otherwise the newest `make` the vehicle sent
--   model           likewise, `model`
--   year            likewise, `year`: the model year
--   permissions     the privileges it grants the licence, by number, as identity last told; null where it never told
--   integrations    the sources its events came from, as given
--   first_event     the oldest time of an event in the warehouse, UTC
--   last_event      the newest time of an event in the warehouse, UTC
--   shared_now      whether the last listing by identity named it; null where identity was never asked
--   first_shared    when a listing first named it, UTC
--   last_shared     when a listing last named it, UTC
--
-- Rules
--   What the data say comes from the coverage records in the footers, so it takes no scan of `signals`.
--   A vehicle that is no longer shared keeps its row and its days. One the licence itself owns may be read without
--   any permission listed.
CREATE VIEW vehicles AS
WITH listed AS (
    SELECT
        vehicle_id, token_id, user_device_id, make, model, year, permissions, shared_now, first_shared, last_shared
    FROM ${vehicles}
),
held AS (
    SELECT
        vehicle_id,
        list_sort(list_distinct(flatten(list(sources)))) AS integrations,
        min(first_event_at) AS first_event,
        max(last_event_at) AS last_event
    FROM coverage_records()
    GROUP BY ALL
),
known AS (
    SELECT * FROM listed FULL JOIN held USING (vehicle_id)
),
described AS (
    SELECT
        vehicle_id,
        arg_max(value_string, (timestamp, received_at, event_id)) FILTER (name = 'make') AS make,
        arg_max(value_string, (timestamp, received_at, event_id)) FILTER (name = 'model') AS model,
        arg_max(
            coalesce(try_cast(value_number AS INTEGER), try_cast(value_string AS INTEGER)),
            (timestamp, received_at, event_id)
        ) FILTER (name = 'year') AS year
    FROM signals
    WHERE one_of(name, ['make', 'model', 'year'])
    GROUP BY ALL
)
SELECT
    vehicle_id,
    coalesce(
        token_id,
        CASE WHEN regexp_full_match(vehicle_id, '[0-9]+') THEN try_cast(vehicle_id AS BIGINT) END
    ) AS token_id,
    coalesce(
        user_device_id, CASE WHEN regexp_full_match(vehicle_id, '[0-9A-Za-z]{27}') THEN vehicle_id END
    ) AS user_device_id,
    coalesce(known.make, described.make) AS make,
    coalesce(known.model, described.model) AS model,
    coalesce(known.year, described.year)::INTEGER AS year,
    permissions,
    integrations,
    first_event,
    last_event,
    shared_now,
    first_shared,
    last_shared
-- DuckDB leaves out a join that no wanted column needs only where its key is a column: a query for ids reads no signal.
FROM known
LEFT JOIN described USING (vehicle_id);
