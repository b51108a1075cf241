-- freshness: how fresh the data of each vehicle are now; one row for each known vehicle.
--
-- Columns
--   vehicle_id        token id in decimal, or user device id
--   last_event_at     the newest event, UTC; null where there is none
--   last_odometer_at  the newest odometer reading, valid or not, UTC; likewise
--   last_position_at  the newest position, UTC; likewise
--   silent_s          from last_event_at to now, seconds
--   usual_silence_s   its habit: the longest silence of a day, seconds; the median over its days
--   long_silence_s    likewise, the 95th percentile
--   is_overdue        whether it is silent for longer than long_silence_s; null where it has no habit yet
--   lag_median_s      from measuring to receiving, seconds; the median
--   lag_p95_s         likewise, the 95th percentile
--
-- Rules
--   Those of the macro `freshness_at(instant)`, which answers for any other time.
CREATE VIEW freshness AS
FROM freshness_at(now());
