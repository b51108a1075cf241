"""What the status routes showed, as received: one file for each vehicle and the UTC day they were asked.

Promise: a file is replaced whole. An answer that came again takes hardly any room, for the file keeps each text once.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

import pyarrow as pa

from dimo_etl.lake import layout
from dimo_etl.lake.store import Store
from dimo_etl.lake.tables import read_table, reading, write_table
from dimo_etl.schema import INSTANT

_SCHEMA = pa.schema(
    [
        pa.field("vehicle_id", pa.string(), nullable=False),
        pa.field("seen_at", INSTANT, nullable=False),
        pa.field("endpoint", pa.string(), nullable=False),
        pa.field("signals", pa.int32(), nullable=False),
        pa.field("new_signals", pa.int32(), nullable=False),
        pa.field("newest_at", INSTANT),
        pa.field("payload", pa.binary()),
    ]
)


@dataclass(frozen=True, slots=True)
class Sighting:
    """One answer of a status route.

    Attributes:
        endpoint: the route, by version and name.
        signals: how many signals it showed.
        new_signals: how many of them the warehouse did not hold before.
        newest_at: the newest time of a signal; None where it told none.
        payload: the answer as received; None where the service had seen nothing of the vehicle.
    """

    vehicle_id: str
    seen_at: datetime
    endpoint: str
    signals: int
    new_signals: int
    newest_at: datetime | None
    payload: bytes | None


def read_sightings(store: Store, vehicle_id: str, day: date) -> list[Sighting]:
    """What was seen of a vehicle on a day, in the order it was asked for.

    Raises:
        WarehouseError: the file is damaged.
    """
    name = layout.snapshots_file(vehicle_id, day)
    if not store.exists(name):
        return []
    with reading(store, name):
        return [Sighting(**row) for row in read_table(store, name).to_pylist()]


def add_sightings(store: Store, vehicle_id: str, day: date, seen: Sequence[Sighting]) -> None:
    """Add what was seen of a vehicle on a day to what was seen of it before.

    Raises:
        WarehouseError: the file is damaged or cannot be written.
    """
    name = layout.snapshots_file(vehicle_id, day)
    with store.lock(f"snapshots-{day}"):
        rows = [dataclasses.asdict(one) for one in (*read_sightings(store, vehicle_id, day), *seen)]
        write_table(store, name, _SCHEMA, rows)
