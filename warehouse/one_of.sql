-- one_of(value, choices): whether a value is one of a list. The rows of `signals` whose name is not are passed over unread.
--
-- Rules
--   DuckDB takes `IN` apart: its bounds skip row groups, and the test itself waits until every column of a row is read.
--   What it cannot take apart is tested while the file is read, and the other columns of the rest are left alone.
CREATE MACRO one_of(value, choices) AS value IN choices AND coalesce(value IN choices, false);
