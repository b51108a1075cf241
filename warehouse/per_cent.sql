-- per_cent(number): a ratio of 0 to 1 as per cent; what is above 1 is per cent already.
CREATE MACRO per_cent(number) AS CASE WHEN number BETWEEN 0 AND 1 THEN number * 100 ELSE number END;
