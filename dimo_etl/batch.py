"""One batch of days, from the service to the day files: what a scheduled run, a backfill and `sync` all do.

Each day goes all the way as soon as every vehicle is through it, while the next are fetched, also when another day
fails: what could be had is there to query.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime

from dimo_etl.config import Settings
from dimo_etl.connection import Connection
from dimo_etl.errors import AuthError, DimoError, ServiceDownError, ServiceError
from dimo_etl.history.fetch import Fetcher, Outcome, VehicleDay
from dimo_etl.lake.signals import DayWritten, write_day
from dimo_etl.lake.store import Store
from dimo_etl.lake.stores import open_store
from dimo_etl.lake.unite import remember
from dimo_etl.lake.vehicles import KnownVehicle, known_vehicles

_log = logging.getLogger("dimo_etl")
Progress = Callable[[VehicleDay], None]


@dataclass(slots=True)
class DayFetched:
    """A day of all vehicles, as far as it came.

    Attributes:
        vehicle_days: what was done for each vehicle; those the fetch never came to are missing.
        error: why the day is not brought; None where every vehicle was asked.
        unflattened: why its file of signals could not be made.
        written: its file of signals, where it was flattened and anything is held of it.
        flattening_s: seconds that took.
    """

    day: date
    vehicle_days: list[VehicleDay] = field(default_factory=list)
    error: DimoError | None = None
    unflattened: DimoError | None = None
    written: DayWritten | None = None
    flattening_s: float = 0.0

    @property
    def failure(self) -> DimoError | None:
        """Why anything of it is left to do."""
        return self.error or self.unflattened

    def count(self, *outcomes: Outcome) -> int:
        """Vehicle-days that came out in one of these ways."""
        return sum(done.outcome in outcomes for done in self.vehicle_days)


@dataclass(frozen=True, slots=True)
class BatchFetched:
    """The days of a batch in order, and what fetching them took.

    Attributes:
        late: days of the batch to which events were added after they were told of.
    """

    days: list[DayFetched]
    requests: int
    retries: int
    late: frozenset[date]


def remember_vehicles(settings: Settings) -> list[KnownVehicle]:
    """Ask which vehicles the licence may read, and remember them in the warehouse.

    Returns:
        Every vehicle ever seen, those no longer shared included, by id.
    """
    with open_store(settings.warehouse) as store, Connection(settings, known_vehicles(store)) as connection:
        remember(store, connection.described_vehicles(), listing=connection.listing)
        return known_vehicles(store)


def list_vehicles(settings: Settings) -> list[str]:
    """The ids of the vehicles the licence may read now; nothing is remembered."""
    with open_store(settings.warehouse) as store, Connection(settings, known_vehicles(store)) as connection:
        return [vehicle.vehicle_id for vehicle in connection.vehicles()]


def fetch_days(
    settings: Settings,
    days: Sequence[date],
    *,
    only: Sequence[str] = (),
    refresh: bool = False,
    progress: Progress = lambda _: None,
    through: Callable[[DayFetched], None] = lambda _: None,
) -> BatchFetched:
    """Bring days into raw units.

    Args:
        settings: whose vehicles, from where, into which warehouse.
        days: UTC days in order.
        only: vehicle ids; empty for every vehicle.
        refresh: ask again for what is complete.
        progress: told of each vehicle-day, from any thread.
        through: told of each day as soon as every vehicle is through it and none failed, from any thread.

    Returns:
        Every day with how far it came. An error that ended the fetch early is in the days it kept from being done.
        Events that came late are added to the days they are of; of these, days before the batch are flattened here.

    Raises:
        DimoError: nothing could be asked for at all.
    """
    fetched = {day: DayFetched(day) for day in days}
    counting = threading.Lock()

    def note(done: VehicleDay) -> None:
        day = fetched[done.coverage.date]
        with counting:
            day.vehicle_days.append(done)
            whole = len(day.vehicle_days) == len(vehicles)
        progress(done)
        if whole and not day.count(Outcome.FAILED):
            through(day)

    _log.info("History comes from the source %s", settings.source)
    with open_store(settings.warehouse) as store, Connection(settings, known_vehicles(store)) as connection:
        vehicles = connection.vehicles(only)
        remember(store, [vehicle for vehicle in vehicles if vehicle.user_device_id], days=days)
        fetcher = Fetcher(
            store,
            connection.source(),
            concurrency=settings.concurrency,
            now=lambda: datetime.now(UTC),
            ahead=lambda: connection.transport.ahead,
        )
        ended: DimoError | None = None
        try:
            fetcher.fetch(vehicles, days, refresh=refresh, progress=note)
        except (AuthError, ServiceDownError) as error:
            if not any(day.vehicle_days for day in fetched.values()):
                raise
            ended = error
        named = fetcher.user_device_ids
        remember(store, [replace(v, user_device_id=named[v.vehicle_id]) for v in vehicles if v.vehicle_id in named])
        for earlier in sorted(fetcher.late_days.difference(days)):
            write_day(store, earlier)
        for day in fetched.values():
            failed = [done for done in day.vehicle_days if done.outcome is Outcome.FAILED]
            if len(day.vehicle_days) < len(vehicles):
                day.error = ended
            elif failed:
                record = failed[0].coverage
                day.error = ServiceError(
                    f"{len(failed)} of {len(vehicles)} vehicles could not be brought for {day.day}; "
                    f"vehicle {record.vehicle_id}: {record.reason}"
                )
        sent = connection.transport
        late = frozenset(fetcher.late_days.intersection(days))
        return BatchFetched(list(fetched.values()), sent.requests, sent.retries, late)


def bring_days(
    settings: Settings,
    days: Sequence[date],
    *,
    only: Sequence[str] = (),
    refresh: bool = False,
    progress: Progress = lambda _: None,
    done: Callable[[DayFetched], None],
) -> BatchFetched:
    """Bring days into raw units as `fetch_days` does, and flatten each beside the fetch of the next ones.

    `done` is told of each day once it is flattened, from one thread at a time: of those that went well as they end, of
    the others when the fetch is over. A day to which events came late is told of twice. All else is as there.
    """
    told: dict[date, Future[None]] = {}
    with open_store(settings.warehouse) as store, ThreadPoolExecutor(1, "dimo-flatten") as beside:

        def finish(day: DayFetched) -> None:
            flatten_day(store, day)
            done(day)

        try:
            batch = fetch_days(
                settings,
                days,
                only=only,
                refresh=refresh,
                progress=progress,
                through=lambda day: told.update({day.day: beside.submit(finish, day)}),
            )
        except BaseException:
            beside.shutdown(cancel_futures=True)
            raise
        for one in told.values():
            one.result()
        for day in batch.days:
            if day.day not in told or day.day in batch.late:
                finish(day)
    return batch


def flatten_day(store: Store, day: DayFetched) -> None:
    """Bring a day's Parquet file up to date with its raw units; where it cannot be, the day says why."""
    began = time.monotonic()
    try:
        day.written, day.unflattened = write_day(store, day.day), None
    except DimoError as error:
        day.unflattened = error
    day.flattening_s = time.monotonic() - began
