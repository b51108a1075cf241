-- distance_weekly: how far each vehicle was driven in each week of UTC days.
--
-- Columns
--   vehicle_id   token id in decimal, or user device id
--   week         its first day, a Monday: weeks are those of ISO 8601
--   distance_km  km; 0 where it was read and had not moved; null where it was not read at all
--   observed_km  the part between two readings of one day
--   bridged_km   the part between the first reading of a day and the one before it, on an earlier day
--   distance_m   distance_km in whole metres
--   readings     valid readings
--   resets       resets and swaps of the odometer found in it
--   days_read    days with a valid reading
--
-- Rules
--   Those of the macro `distance_weekly_in(tz)`, which gives those of a zone: FROM distance_weekly_in('Europe/Berlin').
CREATE VIEW distance_weekly AS
FROM distance_weekly_in('UTC');
