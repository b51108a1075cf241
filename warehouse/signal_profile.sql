-- signal_profile: what each vehicle sends: every name of `signals`, from when to when, how often, and between which values.
--
-- Columns
--   vehicle_id    token id in decimal, or user device id
--   name          as in `signals`
--   signal        the canonical name for it, as in `signals_canonical`; null where there is none
--   unit          the unit of min_value, median_value and max_value; null where it has none, or it is not known to be
--                 that of the signal
--   first_at      when it was first measured, UTC
--   last_at       when it was last measured, UTC
--   samples       values, nulls included
--   days          UTC days of the events with a value
--   per_day       samples for each UTC day from the first to the last of these
--   null_share    the share of samples that are JSON null
--   min_value     the smallest number, in the unit the source sends; null where none is a number
--   median_value  the median of the numbers, estimated where there are many
--   max_value     the greatest number
--   texts         different texts, estimated where there are many; 0 where none is a text
--   sources       the integrations that sent it
--
-- Rules
--   Every value is looked at: on a large warehouse ask for some names or vehicles, which reads only these.
CREATE VIEW signal_profile AS
WITH known AS (
    SELECT name, min(signal) AS signal, min(unit) FILTER (conversion = '' AND unit <> '') AS unit
    FROM signal_catalogue
    GROUP BY ALL
)
SELECT
    vehicle_id,
    name,
    any_value(known.signal) AS signal,
    any_value(known.unit) AS unit,
    min(timestamp) AS first_at,
    max(timestamp) AS last_at,
    count(*) AS samples,
    count(DISTINCT date) AS days,
    count(*) / (1 + max(date) - min(date)) AS per_day,
    count(*) FILTER (value_json = 'null') / count(*) AS null_share,
    min(value_number) AS min_value,
    approx_quantile(value_number, 0.5) AS median_value,
    max(value_number) AS max_value,
    approx_count_distinct(value_string) AS texts,
    list_sort(list(DISTINCT source)) AS sources
FROM signals
LEFT JOIN known USING (name)
GROUP BY ALL;
