"""Days flattened by themselves, without the fetch they come with."""

from __future__ import annotations

from datetime import date

from dimo_etl.config import Settings
from dimo_etl.lake.signals import DayWritten, write_day
from dimo_etl.lake.stores import open_store


def write_signals(settings: Settings, day: date) -> DayWritten | None:
    """Bring a day's Parquet file up to date with its raw units; None where nothing is held of it."""
    with open_store(settings.warehouse) as store:
        return write_day(store, day)
