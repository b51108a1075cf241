-- errors_daily: how often each kind of upstream error was reported, by vehicle and UTC day.
--
-- Columns
--   vehicle_id  token id in decimal, or user device id
--   date        UTC day of the events' documents
--   type        what failed; null where the error does not say, and on a day without errors
--   error_type  the class of the error; likewise
--   error_code  the code; likewise
--   errors      errors of this kind
--   events      documents of the vehicle on that day that are in the warehouse, with or without errors; what only a
--               snapshot gave is none
--   error_rate  errors / events: errors of this kind for each event; null where the day has no events
--
-- Rules
--   Every day from the vehicle's first to its last known day appears; one without an error is a row with
--   errors = 0 and no kind.
CREATE VIEW errors_daily AS
WITH counted AS (
    SELECT vehicle_id, date, type, error_type, error_code, count(*) AS errors
    FROM errors
    GROUP BY ALL
),
held AS MATERIALIZED (
    SELECT vehicle_id, date, kept_events - snapshot_events AS events FROM coverage_records()
),
-- The days of `days_in('UTC')`, from the records that are read here already.
spans AS (
    SELECT vehicle_id, generate_series(min(date), max(date), INTERVAL 1 DAY) AS days FROM held GROUP BY ALL
),
known AS (
    SELECT vehicle_id, unnest(days)::DATE AS date FROM spans
    UNION
    SELECT vehicle_id, date FROM counted
)
SELECT
    vehicle_id,
    date,
    type,
    error_type,
    error_code,
    coalesce(errors, 0) AS errors,
    coalesce(events, 0) AS events,
    coalesce(errors, 0) / nullif(events, 0) AS error_rate
FROM known
LEFT JOIN counted USING (vehicle_id, date)
LEFT JOIN held USING (vehicle_id, date);
