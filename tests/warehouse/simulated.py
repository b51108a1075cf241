"""A month of the sandbox's fleet as a lake, through the code that makes real ones, and the truth about it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from dimo_etl.events import read_event
from dimo_etl.lake.signals import write_day
from dimo_etl.lake.store import Store
from dimo_etl.sandbox.fleet import Fleet
from dimo_etl.sandbox.vehicles import SimVehicle
from tests.lake.make import fetched

NOW = datetime(2026, 7, 1, 6, tzinfo=UTC)
FIRST = date(2026, 6, 1)
DAYS = 30
FLEET = Fleet(7, lambda: NOW)


def days_of(vehicle: SimVehicle) -> list[date]:
    """The days of a vehicle that are in the lake; a dongle's are few, since each has thousands of documents."""
    return [FIRST + timedelta(days=n) for n in range(6 if vehicle.kind == "autopi" else DAYS)]


def write_simulated(root: Path) -> None:
    """Write the lake."""
    with Store(str(root)) as store:
        for day in (FIRST + timedelta(days=n) for n in range(DAYS)):
            for vehicle in FLEET.vehicles:
                if day in days_of(vehicle):
                    documents = FLEET.documents(vehicle.token_id, day)
                    given = [read_event(document.payload, index_id=document.doc_id) for document in documents]
                    fetched(store, given, str(vehicle.token_id), date=day, fetched_at=NOW)
            write_day(store, day)
