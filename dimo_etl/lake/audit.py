"""Hold a day's Parquet file against what is promised of it.

Exactly the recorded events are in it, each once; its columns are those of `signals`; its events are of its day.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from dimo_etl.coverage import Coverage
from dimo_etl.lake import layout
from dimo_etl.lake.store import Store
from dimo_etl.lake.tables import reading
from dimo_etl.schema import COVERAGE_KEY, SIGNALS


def audit_day(store: Store, day: date) -> list[str]:
    """What is wrong with the events of a day.

    Returns:
        A sentence for each vehicle whose events are not the recorded ones, or are there twice; none where all is
        well, or where there is no file.

    Raises:
        WarehouseError: the file is damaged.
    """
    with _opened(store, day) as file:
        if file is None:
            return []
        records = _records(file)
        leaves = file.read(columns=["vehicle_id", "event_id", "name", "timestamp"]).unify_dictionaries()
    found = _events_by_vehicle(leaves)
    recorded = {record.vehicle_id: record.kept_events for record in records}
    wrong = []
    for vehicle_id in sorted(recorded.keys() | found.keys()):
        events, repeated = found.get(vehicle_id, (0, 0))
        if events != recorded.get(vehicle_id, 0):
            wrong.append(
                f"{day}: vehicle {vehicle_id} has {events} events and its record says {recorded.get(vehicle_id, 0)}"
            )
        if repeated:
            wrong.append(f"{day}: vehicle {vehicle_id} has {repeated} events twice")
    return wrong


def audit_columns(store: Store, day: date) -> list[str]:
    """What is wrong with the columns of a day's file: a sentence for each that is missing, too many or of another type.

    Raises:
        WarehouseError: the file is damaged.
    """
    with _opened(store, day) as file:
        if file is None:
            return []
        found = {field.name: field.type for field in file.schema_arrow}
    wanted = {field.name: field.type for field in SIGNALS}
    return [
        f"{day}: the column {name} is {found.get(name, 'missing')} instead of {wanted.get(name, 'not there')}"
        for name in sorted(wanted.keys() | found.keys())
        if wanted.get(name) != found.get(name)
    ]


def audit_times(store: Store, day: date) -> list[str]:
    """A sentence for each vehicle of a day's file with events of another day.

    An event is of the day of its document. Values may be older: some documents give each value a time of its own.

    Raises:
        WarehouseError: the file is damaged.
    """
    return [
        f"{day}: vehicle {record.vehicle_id} has events from {record.first_event_at} to {record.last_event_at}"
        for record in recorded(store, day)
        if {moment.date() for moment in (record.first_event_at, record.last_event_at) if moment is not None} - {day}
    ]


def recorded(store: Store, day: date) -> tuple[Coverage, ...]:
    """The coverage records that a day's file holds; none where there is no file.

    Raises:
        WarehouseError: the file is damaged.
    """
    with _opened(store, day) as file:
        return () if file is None else _records(file)


@contextmanager
def _opened(store: Store, day: date) -> Iterator[pq.ParquetFile | None]:
    """A day's file, None where there is none; what goes wrong while it is read names it."""
    name = layout.signals_file(day)
    if not store.exists(name):
        yield None
        return
    with (
        reading(store, name),
        store.open(name) as source,
        pq.ParquetFile(source, page_checksum_verification=True) as file,
    ):
        yield file


def _records(file: pq.ParquetFile) -> tuple[Coverage, ...]:
    return msgspec.json.decode(file.metadata.metadata[COVERAGE_KEY], type=tuple[Coverage, ...])


def _events_by_vehicle(leaves: pa.Table) -> dict[str, tuple[int, int]]:
    """By vehicle, the events there are, and how many of them came in more than once.

    An event may hold one leaf twice, as its document may; one that holds every leaf twice came in twice.
    """
    by_leaf = leaves.group_by(["vehicle_id", "event_id", "name", "timestamp"]).aggregate([([], "count_all")])
    by_event = by_leaf.group_by(["vehicle_id", "event_id"]).aggregate([("count_all", "min")])
    repeated = pa.compute.greater(by_event.column("count_all_min"), 1).cast(pa.int64())
    by_vehicle = (
        pa.table({"vehicle_id": by_event.column("vehicle_id"), "repeated": repeated})
        .group_by("vehicle_id")
        .aggregate([("repeated", "count"), ("repeated", "sum")])
        .to_pydict()
    )
    return {
        vehicle_id: (events, twice)
        for vehicle_id, events, twice in zip(
            by_vehicle["vehicle_id"], by_vehicle["repeated_count"], by_vehicle["repeated_sum"], strict=True
        )
    }
