-- distance_summed(part, tz): the days of `distance_daily_in(tz)` summed over calendar periods, such as 'week' or 'month'.
--
-- Rules
--   What was driven over a period's border counts where it is first seen, as between days. A period has a row where one
--   of its days has; `starts` is its first day, and weeks are those of ISO 8601.
CREATE MACRO distance_summed(part, tz) AS TABLE
SELECT
    vehicle_id,
    date_trunc(part, date)::DATE AS starts,
    sum(distance_m) / 1000 AS distance_km,
    round(sum(observed_km * 1000)) / 1000 AS observed_km,
    round(sum(bridged_km * 1000)) / 1000 AS bridged_km,
    sum(distance_m)::BIGINT AS distance_m,
    sum(readings)::BIGINT AS readings,
    sum(resets)::BIGINT AS resets,
    count_if(readings > 0) AS days_read
FROM distance_daily_in(tz)
GROUP BY ALL;
