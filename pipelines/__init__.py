"""Dagster only: partitions, assets, checks, schedules and resources, each a thin call into `dimo_etl`."""
