-- goes_on(level, later, reading): 1 where a later odometer goes on from a level, below a reading between them; otherwise 0.
CREATE MACRO goes_on(level, later, reading) AS coalesce(later >= level - 1 AND later < reading - 1, false)::INTEGER;
