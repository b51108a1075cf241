"""What DIMO says of distances, into the warehouse: two requests a vehicle, at most once an hour.

Promise: a vehicle whose distances are not to be had is told of and stops no other. A service that does not offer them
costs a line in the log.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from dimo_etl.api.distances import DayDistance, DistanceSource
from dimo_etl.breaker import Breaker
from dimo_etl.config import Settings
from dimo_etl.connection import Connection
from dimo_etl.errors import DimoError, NotSharedError, ServiceError
from dimo_etl.lake.distances import Said, add_said, said_between
from dimo_etl.lake.store import Store
from dimo_etl.lake.stores import open_store
from dimo_etl.lake.vehicles import known_vehicles
from dimo_etl.model import Vehicle

# What DIMO says changes with each document; two requests a vehicle are worth it now and then, not with every run.
_NOT_AGAIN_WITHIN = timedelta(hours=1)


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(slots=True)
class DistancesBrought:
    """What asking for distances came to.

    Attributes:
        said: what DIMO said.
        not_due: vehicles that were asked about within the hour.
        not_shared: what a vehicle does not grant that is needed, by its id.
        failed: why something of any other vehicle is not to be had, by its id.
        requests: requests sent, to all services, retries included.
    """

    said: list[Said] = field(default_factory=list)
    not_due: list[str] = field(default_factory=list)
    not_shared: dict[str, NotSharedError] = field(default_factory=dict)
    failed: dict[str, DimoError] = field(default_factory=dict)
    requests: int = 0


def bring_distances(
    settings: Settings, *, only: Sequence[str] = (), refresh: bool = False, now: Callable[[], datetime] = _utc_now
) -> DistancesBrought:
    """Ask DIMO for the total and the last days' distances of each vehicle, and keep the answers.

    Args:
        settings: whose vehicles, which zone, into which warehouse.
        only: vehicle ids; empty for every vehicle.
        refresh: ask also where the last answer is younger than an hour.
        now: the time.

    Returns:
        What came of it; what is refused or fails for a vehicle is in there.

    Raises:
        WarehouseError: the warehouse cannot be read or written.
        DimoError: which vehicles there are is not to be had.
    """
    brought = DistancesBrought()
    with open_store(settings.warehouse) as store, Connection(settings, known_vehicles(store)) as connection:
        vehicles = connection.vehicles(only)
        asked = set() if refresh else _asked_lately(store, now(), settings.time_zone)
        due = [vehicle for vehicle in vehicles if vehicle.vehicle_id not in asked]
        brought.not_due = [vehicle.vehicle_id for vehicle in vehicles if vehicle.vehicle_id in asked]
        visits = _Visits(connection.distances(now), settings.time_zone, Breaker(len(due)), now)
        with ThreadPoolExecutor(settings.concurrency, "dimo-distances") as jobs:
            for vehicle, (said, failure) in zip(due, jobs.map(visits.visit, due), strict=True):
                brought.said += said
                if isinstance(failure, NotSharedError):
                    brought.not_shared[vehicle.vehicle_id] = failure
                elif failure is not None:
                    brought.failed[vehicle.vehicle_id] = failure
        add_said(store, brought.said)
        brought.requests = connection.transport.requests
    return brought


class _Visits:
    """Asks about vehicles, from any thread."""

    def __init__(self, source: DistanceSource, time_zone: str, breaker: Breaker, now: Callable[[], datetime]) -> None:
        self._source = source
        self._time_zone = time_zone
        self._breaker = breaker
        self._now = now

    def visit(self, vehicle: Vehicle) -> tuple[list[Said], DimoError | None]:
        """What DIMO says of a vehicle, as far as it came, and what ended it."""
        said: list[Said] = []
        asked_at = self._now()
        try:
            self._breaker.check()
            total = self._source.total(vehicle)
            if total is not None:
                said.append(Said(vehicle.vehicle_id, asked_at, None, None, total, self._source.said_by))
            days = self._source.daily(vehicle, self._time_zone) or ()
            said += [self._said(vehicle, asked_at, day) for day in days]
        except ServiceError as error:
            self._breaker.failed(vehicle, error)
            return said, error
        except DimoError as error:
            return said, error
        self._breaker.worked()
        return said, None

    def _said(self, vehicle: Vehicle, asked_at: datetime, day: DayDistance) -> Said:
        return Said(
            vehicle_id=vehicle.vehicle_id,
            asked_at=asked_at,
            time_zone=self._time_zone,
            date=day.day,
            dimo_km=day.km,
            said_by=self._source.said_by,
            drives=day.drives,
            driving_s=day.driving_s,
        )


def _asked_lately(store: Store, moment: datetime, time_zone: str) -> set[str]:
    """The vehicles of which DIMO was asked within the hour, for days in this zone or for none."""
    lately = said_between(store, moment - _NOT_AGAIN_WITHIN, moment)
    in_zone = {said.vehicle_id for said in lately if said.time_zone == time_zone}
    elsewhere = {said.vehicle_id for said in lately if said.time_zone not in (None, time_zone)}
    return in_zone | ({said.vehicle_id for said in lately} - elsewhere)
