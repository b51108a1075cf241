-- is_in_miles(number, km): whether one odometer may have shown both, the first in miles.
CREATE MACRO is_in_miles(number, km) AS km / nullif(number, 0) BETWEEN 0.995 * 1.609344 AND 1.005 * 1.609344;
