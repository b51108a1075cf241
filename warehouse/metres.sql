-- metres(km): whole metres, in which distances are added up so that sums are exact.
CREATE MACRO metres(km) AS round(km * 1000)::BIGINT;
