-- signal_catalogue: every name a value may come under, with the one name DIMO's Telemetry API gives it today.
--
-- Columns
--   name         as in `signals`
--   signal       the canonical name, that of the Telemetry API; null where it has none for it
--   unit         the unit of the canonical signal; empty where it has none (flags are 0 and 1, texts are texts)
--   value_type   `float`, `float(0/1)`, `string`, and of names without a signal whatever they hold
--   conversion   how the value becomes that of the signal, see `signals_canonical`; empty where it already is
--   provider     whose name it is: `dimo` (legacy documents), `telemetry`, `ruptela`, `tesla`, `tesla-telemetry`, `compass`
--   vss_name     the signal's name in the Vehicle Signal Specification; null where it has none
--   description  what it measures
--
-- Rules
--   From `signal_catalogue.csv`, in which a name of a provider has the provider before a colon, and a row without a
--   legacy name is a signal that only the Telemetry API has. A name may stand for two signals (`fuelType`, `oil`).
CREATE VIEW signal_catalogue AS
WITH entries AS (
    SELECT
        unnest(
            from_json(
                entered,
                '[{
                    "legacy_name": "VARCHAR", "vss_name": "VARCHAR", "telemetry_name": "VARCHAR", "unit": "VARCHAR",
                    "value_type": "VARCHAR", "conversion": "VARCHAR", "description": "VARCHAR"
                }]'
            ),
            recursive := true
        )
    -- A column, not a constant: DuckDB would work out the constant's rows when it plans a query, and carry them along.
    FROM (VALUES (${catalogue})) AS catalogue (entered)
),
legacy AS (
    SELECT
        regexp_replace(legacy_name, '^[a-z-]+:', '') AS name,
        nullif(telemetry_name, '') AS signal,
        coalesce(nullif(regexp_extract(legacy_name, '^([a-z-]+):', 1), ''), 'dimo') AS provider,
        * EXCLUDE (legacy_name, telemetry_name)
    FROM entries
    WHERE legacy_name <> ''
),
telemetry AS (
    SELECT
        telemetry_name AS name,
        telemetry_name AS signal,
        'telemetry' AS provider,
        arg_min(vss_name, legacy_name) AS vss_name,
        arg_min(unit, legacy_name) AS unit,
        arg_min(value_type, legacy_name) AS value_type,
        arg_min(description, legacy_name) AS description,
        '' AS conversion
    FROM entries
    ANTI JOIN legacy ON legacy.name = telemetry_name
    WHERE telemetry_name <> ''
    GROUP BY telemetry_name
)
SELECT name, signal, unit, value_type, conversion, provider, nullif(vss_name, '') AS vss_name, description
FROM (FROM legacy UNION ALL BY NAME FROM telemetry);
