-- plausible_step(earlier_km, earlier_at, later_km, later_at): whether one odometer can show both readings.
--
-- Rules
--   Going back by up to 1 km is noise of rounding and of sources that read at different moments; going forward
--   is bounded by 250 km/h, plus 10 km because a polled odometer can be older than its timestamp says.
CREATE MACRO plausible_step(earlier_km, earlier_at, later_km, later_at) AS
    later_km - earlier_km BETWEEN -1 AND 10 + 250 * seconds_between(earlier_at, later_at) / 3600;
