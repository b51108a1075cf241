-- distance_monthly_in(tz): how far each vehicle was driven in each month of an IANA zone, such as 'Europe/Berlin'.
--
-- Example
--   FROM distance_monthly_in('Europe/Berlin')
--
-- Columns
--   vehicle_id   token id in decimal, or user device id
--   month        its first day, the 1st
--   distance_km  km; 0 where it was read and had not moved; null where it was not read at all
--   observed_km  the part between two readings of one day
--   bridged_km   the part between the first reading of a day and the one before it, on an earlier day
--   distance_m   distance_km in whole metres
--   readings     valid readings
--   resets       resets and swaps of the odometer found in it
--   days_read    days with a valid reading
--
-- Rules
--   The sum of its days in `distance_daily_in(tz)`: what was driven over its border counts where it is first seen, and
--   none is lost or counted twice. Every month from the vehicle's first to its last known day has a row.
CREATE MACRO distance_monthly_in(tz) AS TABLE
SELECT * RENAME (starts AS month)
FROM distance_summed('month', tz);
