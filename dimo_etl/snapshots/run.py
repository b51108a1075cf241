"""A snapshot of every vehicle from the settings alone: what a scheduled run and `dimo-etl snapshot` both do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count

from dimo_etl.config import Settings
from dimo_etl.connection import Connection
from dimo_etl.lake.stores import open_store
from dimo_etl.lake.vehicles import known_vehicles
from dimo_etl.snapshots.take import VehicleSnapshot, take_snapshots

# Given the number of vehicles, what is told how many are done and which was the last, from any thread.
Watch = Callable[[int], AbstractContextManager[Callable[[int, str], object]]]


@dataclass(frozen=True, slots=True)
class SnapshotRun:
    """What was done for each vehicle, and every request it took, those for tokens and listings included."""

    vehicles: list[VehicleSnapshot]
    requests: int


def snapshot_vehicles(
    settings: Settings, *, only: Sequence[str] = (), watch: Watch = lambda _: nullcontext(lambda *_: None)
) -> SnapshotRun:
    """Take a snapshot of the vehicles the settings name.

    Args:
        settings: whose vehicles, from where, into which warehouse.
        only: vehicle ids; empty for every vehicle.
        watch: shows how far it has come.

    Raises:
        DimoError: nothing could be asked for at all, or the service is down.
    """
    with open_store(settings.warehouse) as store, Connection(settings, known_vehicles(store)) as connection:
        vehicles = connection.vehicles(only)
        done = count(1)
        with watch(len(vehicles)) as advance:
            taken = take_snapshots(
                store,
                connection.status_source(),
                vehicles,
                concurrency=settings.concurrency,
                now=lambda: datetime.now(UTC),
                progress=lambda one: advance(next(done), one.vehicle_id),
            )
        return SnapshotRun(taken, connection.transport.requests)
