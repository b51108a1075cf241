-- seconds_between(earlier, later): the seconds from one instant to another.
--
-- Rules
--   Instants are never subtracted themselves: DuckDB counts the days between them in the session's time zone, and one is
--   23 or 25 hours long where its clocks change.
CREATE MACRO seconds_between(earlier, later) AS (epoch_us(later) - epoch_us(earlier)) / 1000000;
