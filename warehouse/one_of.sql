-- one_of(value, choices): whether a value is one of a list. The rows of `signals` whose name is not are passed over unread.
--
-- Rules
--   DuckDB tests a plain `IN` when all columns of a row are read, and the other conditions with it. What it cannot take
--   apart is tested while the file is read, and the other columns of the rest are left alone.
CREATE MACRO one_of(value, choices) AS coalesce(value IN choices, false);
