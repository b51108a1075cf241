"""Small warehouses for tests, made by the code that makes real ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, date, datetime

import msgspec
import orjson
import pyarrow.parquet as pq

from dimo_etl.coverage import Coverage
from dimo_etl.events import read_event
from dimo_etl.lake import layout
from dimo_etl.lake.commit import commit_fetch, commit_import
from dimo_etl.lake.raw import FROM_FILE, RawWriter, events_of, find_unit
from dimo_etl.lake.store import Store
from dimo_etl.model import Event, day_window

DAY = date(2026, 1, 5)
DEVICE_DATA = "device-data"
START_US = day_window(DAY).start_ms * 1000
NOW = datetime(2026, 2, 1, tzinfo=UTC)
LATER = datetime(2026, 2, 2, tzinfo=UTC)


def document(number: int, *, own_id: bool = True, **data: object) -> dict[str, object]:
    """A status document of the day, one a second."""
    seconds = number % 86_400
    stamp = f"{DAY}T{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}Z"
    head = {"id": f"event-{number:06}"} if own_id else {}
    return head | {"source": "test", "time": stamp, "data": {"timestamp": stamp, "speed": number} | data}


def event(number: int, *, own_id: bool = True, index_id: str | None = None, **data: object) -> Event:
    return read_event(orjson.dumps(document(number, own_id=own_id, **data)), index_id=index_id)


def events(count: int, first: int = 0) -> list[Event]:
    return [event(number) for number in range(first, first + count)]


def record(vehicle_id: str = "4711", **known: object) -> Coverage:
    fields: dict = {"vehicle_id": vehicle_id, "date": DAY, "origin": DEVICE_DATA, "expected_events": 0}
    return Coverage(**(fields | {"fetched_events": 0, "complete": True, "fetched_at": NOW} | known))


def fetched(store: Store, given: Iterable[Event], vehicle_id: str = "4711", **known: object) -> Coverage:
    """Commit what a fetch brought; proved, and by the Device Data API, unless told otherwise."""
    supersedes = known.pop("supersedes", frozenset())
    told = record(vehicle_id, **known)
    writer = RawWriter(store)
    writer.add(given, told.origin)
    if "expected_events" not in known:
        told = msgspec.structs.replace(told, expected_events=writer.held[told.origin])
    return commit_fetch(store, writer, told, supersedes=supersedes)


def imported(store: Store, given: Iterable[Event], vehicle_id: str = "4711", **known: object) -> tuple[Coverage, int]:
    """Commit what a file brought."""
    claim = record(vehicle_id, **({"origin": FROM_FILE, "expected_events": None, "complete": None} | known))
    return commit_import(store, vehicle_id, DAY, list(given), claim, LATER)


def held(store: Store, vehicle_id: str = "4711") -> Counter[str]:
    unit = find_unit(store, vehicle_id, DAY)
    return Counter(one.event_id for _, batch in events_of(store, unit) for one in batch) if unit else Counter()


def ids(given: Iterable[Event]) -> Counter[str]:
    return Counter(one.event_id for one in given)


def day_bytes(store: Store) -> bytes:
    """The day's Parquet file, byte for byte."""
    with store.open(layout.signals_file(DAY)) as file:
        return file.read()


def day_rows(store: Store) -> list[dict]:
    with store.open(layout.signals_file(DAY)) as file:
        return pq.read_table(file).to_pylist()


def quarantined(store: Store) -> list[dict]:
    if not store.exists(layout.quarantine_file(DAY)):
        return []
    with store.open(layout.quarantine_file(DAY)) as file:
        return pq.read_table(file).to_pylist()
