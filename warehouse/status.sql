-- status: how complete and how fresh each vehicle's data are; one row for each known vehicle.
--
-- Columns
--   vehicle_id       token id in decimal, or user device id
--   days             days with a coverage record
--   complete_days    days proved complete
--   incomplete_days  days known to be incomplete
--   unknown_days     days of which nobody can say
--   events           events whose values are in `signals`
--   first_at         the oldest event, UTC; null where there is none
--   last_at          the newest event, UTC
--   odometer_km      the last valid odometer reading, km
--   odometer_at      when it was read, UTC
--   age_seconds      time since the newest event
--   unread           what was held back on some day for want of a privilege, as in `coverage`; empty where nothing was
--   shared_now       as in `vehicles`
--   asked_days       days a source was asked for
--   first_asked      the first of them
--   last_asked       the last of them
--   quarantined      events that could not be understood; they are in `quarantine`
CREATE VIEW status AS
WITH days AS (
    SELECT
        vehicle_id,
        count(*) AS days,
        count_if(complete) AS complete_days,
        count_if(NOT complete) AS incomplete_days,
        count_if(complete IS NULL) AS unknown_days,
        sum(kept_events)::BIGINT AS events,
        list_sort(list(DISTINCT unread) FILTER (unread IS NOT NULL)) AS unread,
        count_if(asked IS NOT NULL) AS asked_days,
        min(date) FILTER (asked IS NOT NULL) AS first_asked,
        max(date) FILTER (asked IS NOT NULL) AS last_asked,
        sum(quarantined_events)::BIGINT AS quarantined
    FROM coverage_records()
    GROUP BY ALL
)
SELECT
    vehicle_id,
    coalesce(days, 0) AS days,
    coalesce(complete_days, 0) AS complete_days,
    coalesce(incomplete_days, 0) AS incomplete_days,
    coalesce(unknown_days, 0) AS unknown_days,
    coalesce(events, 0) AS events,
    vehicles.first_event AS first_at,
    vehicles.last_event AS last_at,
    driven.last_km AS odometer_km,
    driven.last_at AS odometer_at,
    seconds_between(vehicles.last_event, now())::BIGINT AS age_seconds,
    coalesce(days.unread, []) AS unread,
    vehicles.shared_now,
    coalesce(days.asked_days, 0) AS asked_days,
    days.first_asked,
    days.last_asked,
    coalesce(days.quarantined, 0) AS quarantined
FROM vehicles
LEFT JOIN days USING (vehicle_id)
LEFT JOIN distance_driven AS driven USING (vehicle_id);
