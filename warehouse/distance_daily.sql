-- distance_daily: how far each vehicle was driven on each UTC day.
--
-- Columns
--   vehicle_id   token id in decimal, or user device id
--   date         UTC day
--   distance_km  km; 0 where it was read and had not moved; null where it was not read
--   observed_km  the part between two readings of the day
--   bridged_km   the part between the day's first reading and the one before it, on an earlier day
--   distance_m   distance_km in whole metres
--   readings     valid readings of the day
--   resets       resets and swaps of the odometer found on the day
--
-- Rules
--   Those of the macro `distance_daily_in(tz)`, which gives local days: FROM distance_daily_in('Europe/Berlin').
CREATE VIEW distance_daily AS
FROM distance_daily_in('UTC');
