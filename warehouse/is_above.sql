-- is_above(earlier, level): 1 where an earlier odometer is above a later level, by more than 1 km; otherwise 0.
CREATE MACRO is_above(earlier, level) AS coalesce(earlier > level + 1, false)::INTEGER;
