"""The days of a fleet, from the service into raw units, with a coverage record for each vehicle-day.

Promise: whatever happens to one vehicle-day is written into its record and never stops another. Only what makes every
further request pointless ends a fetch: refused credentials, a warehouse that cannot be written, a service that is down.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import Enum

from dimo_etl.breaker import Breaker
from dimo_etl.coverage import Coverage
from dimo_etl.errors import DimoError, NothingSharedError, RequestRefusedError, VehicleRefusedError
from dimo_etl.history.source import Piece, Source, Visit
from dimo_etl.lake.commit import asked_of, commit_fetch, commit_late
from dimo_etl.lake.raw import RawWriter, find_unit
from dimo_etl.lake.snapshots import Sighting, add_sightings
from dimo_etl.lake.store import Store
from dimo_etl.model import DAY_MS, Event, Vehicle, consecutive, day_of_us, moment_of_us

_log = logging.getLogger("dimo_etl.history")
# A car without reception sends when it has some again; one that has none for longer is out of order.
_LATEST = timedelta(days=31)


class Outcome(Enum):
    """How a vehicle-day came out of a fetch."""

    ALREADY_COMPLETE = "already complete"
    COMPLETE = "complete"
    INCOMPLETE = "incomplete"
    REFUSED = "refused"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class VehicleDay:
    """What a fetch did for one vehicle-day: its record, and how it came out.

    `INCOMPLETE`: the service was asked and does not give all it says it has. `REFUSED`: it does not share the
    vehicle's history. `FAILED`: it did not answer, and may another time.

    Attributes:
        retries: how many of the day's requests repeated an earlier one.
        seconds: from the vehicle's day before, or its first request, to this day's commit. As with requests, days that
            came together count with the first of them.
    """

    coverage: Coverage
    outcome: Outcome
    retries: int = 0
    seconds: float = 0.0


class Fetcher:
    """Brings vehicle-days into the warehouse.

    Args:
        store: the warehouse's files.
        source: whose history is brought.
        concurrency: vehicles, and requests, under way at once.
        now: the time, for the records, and to know which days are over.
        ahead: how far it is ahead of the service's clock, as its answers tell.

    Attributes:
        user_device_ids: those that the events of a vehicle told, by vehicle id, where it was not known before.
        late_days: the days, asked for or not, to which events were added that a source gave with a later day.
    """

    def __init__(
        self,
        store: Store,
        source: Source,
        *,
        concurrency: int,
        now: Callable[[], datetime],
        ahead: Callable[[], timedelta] = lambda: timedelta(0),
    ) -> None:
        self._store = store
        self._source = source
        self._concurrency = concurrency
        self._now = now
        self._ahead = ahead
        self.user_device_ids: dict[str, str] = {}
        self.late_days: set[date] = set()

    def fetch(
        self,
        vehicles: Sequence[Vehicle],
        days: Sequence[date],
        *,
        refresh: bool = False,
        progress: Callable[[VehicleDay], None] = lambda _: None,
    ) -> list[VehicleDay]:
        """Bring every day of every vehicle that is not yet proved complete.

        Args:
            vehicles: each with a name that the source goes by.
            days: UTC days in order, gaps allowed.
            refresh: ask again for days that are already complete.
            progress: told of each vehicle-day as it is done, from any thread.

        Returns:
            One for each vehicle-day, in no order.

        Raises:
            AuthError: the credentials are refused.
            ServiceDownError: the service fails again and again.
            WarehouseError: the warehouse cannot be read or written.
        """
        breaker = Breaker(vehicles=len(vehicles))
        # Asking ahead of what is not read yet is a guess; it is worth it only where requests would else wait for none.
        ahead = -(-self._concurrency // max(1, len(vehicles)))
        with (
            ThreadPoolExecutor(self._concurrency, "dimo-request") as requests,
            ThreadPoolExecutor(self._concurrency, "dimo-vehicle") as jobs,
        ):
            started = [
                jobs.submit(self._fetch_vehicle, vehicle, days, refresh, requests, ahead, breaker, progress)
                for vehicle in vehicles
            ]
            try:
                return [done for job in started for done in job.result()]
            except BaseException:
                breaker.stop()
                jobs.shutdown(wait=True, cancel_futures=True)
                raise

    def _fetch_vehicle(
        self,
        vehicle: Vehicle,
        days: Sequence[date],
        refresh: bool,
        requests: Executor,
        ahead: int,
        breaker: Breaker,
        progress: Callable[[VehicleDay], None],
    ) -> list[VehicleDay]:
        done: list[VehicleDay] = []

        def note(vehicle_day: VehicleDay) -> None:
            done.append(vehicle_day)
            progress(vehicle_day)

        open_days: list[date] = []
        asked_before = False
        for day in days:
            unit = find_unit(self._store, vehicle.vehicle_id, day)
            if unit is not None and not refresh and self._is_proved(unit.coverage):
                note(VehicleDay(unit.coverage, Outcome.ALREADY_COMPLETE))
            else:
                open_days.append(day)
                asked_before = asked_before or unit is not None
        for run in consecutive(open_days):
            visit = Visit(vehicle, requests, ahead=ahead, refresh=refresh or asked_before, breaker=breaker)
            left = list(run)
            began = self._now()
            try:
                for coverage in self._committed(visit, run, self._source.pieces(visit, run)):
                    left.remove(coverage.date)
                    now = self._now()
                    seconds = max(0.0, (now - began).total_seconds())
                    note(VehicleDay(coverage, _outcome(coverage), visit.retries_of(coverage.date), seconds))
                    began = now
            except (VehicleRefusedError, RequestRefusedError) as error:
                # Not a warning: the records below say so, and whoever asked tells of them.
                _log.info("vehicle %s is refused: %s", vehicle.vehicle_id, error)
                if isinstance(error, NothingSharedError):
                    visit.privileges = ()
                for day in left:
                    nothing = _Day(self._store, day, self._source.name)
                    note(VehicleDay(self._commit(visit, day, nothing, began, str(error)), Outcome.REFUSED))
            self._keep(visit)
            if visit.user_device_id is not None:
                self.user_device_ids[vehicle.vehicle_id] = visit.user_device_id
        return done

    def _keep(self, visit: Visit) -> None:
        """Keep what the source was told besides events."""
        seen_at = self._now()
        seen = [
            Sighting(
                vehicle_id=visit.vehicle.vehicle_id,
                seen_at=seen_at,
                endpoint=shown.endpoint,
                signals=shown.signals,
                new_signals=0,
                newest_at=None if shown.newest_us is None else moment_of_us(shown.newest_us),
                payload=shown.payload,
            )
            for shown in visit.shown
        ]
        if seen:
            add_sightings(self._store, visit.vehicle.vehicle_id, seen_at.date(), seen)

    def _is_proved(self, coverage: Coverage) -> bool:
        """Whether a day need not be asked for: a proof is one whoever gave it, unless this source gives more."""
        return bool(coverage.complete) and asked_of(coverage) not in self._source.supersedes

    def _committed(self, visit: Visit, run: Sequence[date], pieces: Iterator[Piece]) -> Iterator[Coverage]:
        """Commit each day as soon as the pieces, which come day after day, have left it."""
        under_way: dict[date, _Day] = {}
        asked_at = self._now()
        try:
            for piece in pieces:
                first, last = _day(piece.window.start_ms), _day(piece.window.end_ms)
                for day in [day for day in under_way if not first <= day <= last]:
                    yield self._commit(visit, day, under_way.pop(day), asked_at)
                covered = [first + timedelta(days=n) for n in range((last - first).days + 1)]
                for day in covered:
                    if day not in under_way:
                        under_way[day] = _Day(self._store, day, self._source.name)
                for day, events in _by_day(piece, covered).items():
                    under_way[day].add(piece, events)
            for day in run:
                if day in under_way:
                    yield self._commit(visit, day, under_way.pop(day), asked_at)
        finally:
            for day_under_way in under_way.values():
                day_under_way.writer.discard()

    def _commit(self, visit: Visit, day: date, found: _Day, asked_at: datetime, failure: str | None = None) -> Coverage:
        # First, so that a run that is killed in between has not yet proved the day that gave them.
        for earlier, events in sorted(found.late.items()):
            if commit_late(self._store, visit.vehicle.vehicle_id, earlier, events, self._now()):
                self.late_days.add(earlier)
        reasons = [*found.reasons, *([failure] if failure else self._unfinished(day, asked_at))]
        record = Coverage(
            vehicle_id=visit.vehicle.vehicle_id,
            date=day,
            origin=self._source.name,
            expected_events=None if failure else found.expected(),
            fetched_events=0,
            complete=not reasons,
            reason="; ".join(dict.fromkeys(reasons)) or None,
            requests=visit.requests_of(day),
            windows=found.windows,
            privileges=visit.privileges,
            fetched_at=self._now(),
        )
        return commit_fetch(self._store, found.writer, record, supersedes=self._source.supersedes)

    def _unfinished(self, day: date, asked_at: datetime) -> list[str]:
        """Why a day that was asked for then cannot be proved yet: all that had come was not all that was to come."""
        ahead = self._ahead()
        if (asked_at - ahead).astimezone(UTC).date() > day:
            return []
        if not ahead:
            return ["the day was not over yet"]
        seconds = f"{ahead.total_seconds():,.0f} s"
        return [
            f"the day was not over yet by the service's clock, of which this machine's is {seconds} ahead; "
            "set it by network time (NTP)"
        ]


def _outcome(coverage: Coverage) -> Outcome:
    if coverage.complete:
        return Outcome.COMPLETE
    return Outcome.FAILED if coverage.expected_events is None else Outcome.INCOMPLETE


class _Day:
    """A vehicle-day under way: its writer, the sums of its pieces, and what came with it but is of earlier days."""

    def __init__(self, store: Store, day: date, origin: str) -> None:
        self.writer = RawWriter(store)
        self.late: dict[date, list[Event]] = {}
        self._day = day
        self._origin = origin
        self.windows = 0
        self.reasons: list[str] = []
        self._expected: int | None = 0
        self._documents = 0

    def add(self, piece: Piece, events: list[Event]) -> None:
        """Take in what a piece holds of this day."""
        repeated = max(0, piece.received - len(piece.events)) if piece.events else 0
        own: list[Event] = []
        for event in events:
            earlier = self._earlier_day(event)
            (own if earlier is None else self.late.setdefault(earlier, [])).append(event)
        self.writer.add(sorted(own, key=lambda event: (event.timestamp_us or 0, event.event_id)), self._origin)
        self.writer.received += repeated if len(events) == len(piece.events) else 0
        self.windows += 1
        self._documents += len(events)
        if piece.reason is not None:
            self.reasons.append(piece.reason)
            in_piece = piece.expected
        else:
            in_piece = len(events)
        self._expected = None if self._expected is None or in_piece is None else self._expected + in_piece

    def _earlier_day(self, event: Event) -> date | None:
        """The day an event is of, where it came late; None where it is of this one.

        A clock that is far off dates no event: it stays with the day it was received on.
        """
        day = self._day if event.timestamp_us is None else day_of_us(event.timestamp_us)
        return day if timedelta(0) < self._day - day <= _LATEST else None

    def expected(self) -> int | None:
        """Distinct events of the day that the service says exist: one that lies in two of its indices counts once."""
        if self._expected is None:
            return None
        return self._expected - (self._documents - self.writer.held[self._origin])


def _by_day(piece: Piece, covered: Sequence[date]) -> dict[date, list[Event]]:
    """The events of a piece by the day they belong to; one without a time belongs to the day that was asked for."""
    if len(covered) == 1:
        return {covered[0]: list(piece.events)}
    by_day: dict[date, list[Event]] = {day: [] for day in covered}
    for event in piece.events:
        if event.timestamp_us is None:
            raise DimoError(f"An event without a time came in a window of several days: {event.event_id}")
        by_day[day_of_us(event.timestamp_us)].append(event)
    return by_day


def _day(ms: int) -> date:
    return date(1970, 1, 1) + timedelta(days=ms // DAY_MS)
