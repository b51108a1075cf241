"""A snapshot of each vehicle: asked for, its signals put with the days they were measured on, and kept as received.

Promise: whatever happens to one vehicle is told in its record and never stops another; only what makes every further
request pointless ends it: refused credentials, a warehouse that cannot be written, a service that is down. An answer is
kept after its signals are there to query, so one that is kept has given all it has.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import Enum
from typing import Protocol

from dimo_etl.api.status import Endpoint, Status
from dimo_etl.breaker import Breaker
from dimo_etl.errors import RequestRefusedError, ServiceError, VehicleRefusedError
from dimo_etl.lake.commit import commit_snapshot
from dimo_etl.lake.signals import write_day
from dimo_etl.lake.snapshots import Sighting, add_sightings, read_sightings
from dimo_etl.lake.store import Store
from dimo_etl.model import Event, Vehicle, day_of_us, moment_of_us
from dimo_etl.snapshots.read import Reading, read_answer


class Outcome(Enum):
    """How a vehicle came out of a snapshot.

    `REFUSED`: it shares no status. `FAILED`: the route that tells the signals did not answer, and may another time.
    """

    SEEN = "seen"
    NOTHING_YET = "nothing seen yet"
    REFUSED = "refused"
    FAILED = "failed"


@dataclass(slots=True)
class VehicleSnapshot:
    """What a snapshot did for one vehicle.

    Attributes:
        signals: signals with a value in the answer that feeds `signals`.
        new_signals: those of them the warehouse did not hold before.
        days: the days its signals were measured on; none where the answer was the one seen last.
        answers: what every route showed.
        requests: requests to the status routes, retries included.
        reason: what was refused or failed, in sentences; None where all was answered.
    """

    vehicle_id: str
    outcome: Outcome
    signals: int = 0
    new_signals: int = 0
    days: set[date] = field(default_factory=set)
    answers: list[Sighting] = field(default_factory=list, repr=False)
    requests: int = 0
    reason: str | None = None


class StatusSource(Protocol):
    """Where the status of a vehicle comes from."""

    @property
    def endpoints(self) -> Sequence[Endpoint]:
        """What may be asked, the one that tells the most first: it alone tells the time of each signal."""

    def status(self, vehicle: Vehicle, endpoint: Endpoint) -> Status | None:
        """One answer, or None where this vehicle cannot be asked that way.

        Raises VehicleRefusedError, RequestRefusedError, ServiceError or AuthError.
        """


def take_snapshots(
    store: Store,
    source: StatusSource,
    vehicles: Sequence[Vehicle],
    *,
    concurrency: int,
    now: Callable[[], datetime],
    progress: Callable[[VehicleSnapshot], object] = lambda _: None,
) -> list[VehicleSnapshot]:
    """Take a snapshot of each vehicle, and bring the files of the days its signals lie in up to date.

    Args:
        store: the warehouse's files.
        source: the status routes.
        vehicles: whom to look at.
        concurrency: vehicles under way at once.
        now: the time.
        progress: told of each vehicle as it is done, from any thread.

    Returns:
        One for each vehicle, in their order.

    Raises:
        AuthError: the credentials are refused.
        ServiceDownError: the service fails again and again.
        WarehouseError: the warehouse cannot be read or written.
    """
    breaker = Breaker(vehicles=len(vehicles))
    taken: list[VehicleSnapshot] = []

    def one(vehicle: Vehicle) -> VehicleSnapshot:
        done = _Visit(store, source, breaker, vehicle, now).take()
        taken.append(done)
        progress(done)
        return done

    with ThreadPoolExecutor(concurrency, "dimo-snapshot") as jobs:
        started = [jobs.submit(one, vehicle) for vehicle in vehicles]
        try:
            return [job.result() for job in started]
        except BaseException:
            breaker.stop()
            jobs.shutdown(wait=True, cancel_futures=True)
            raise
        finally:
            _keep(store, taken)


def _keep(store: Store, taken: Sequence[VehicleSnapshot]) -> None:
    for day in sorted({day for one in taken for day in one.days}):
        write_day(store, day)
    for one in taken:
        if one.answers:
            add_sightings(store, one.vehicle_id, one.answers[0].seen_at.date(), one.answers)


class _Visit:
    """One vehicle's snapshot."""

    def __init__(
        self, store: Store, source: StatusSource, breaker: Breaker, vehicle: Vehicle, now: Callable[[], datetime]
    ) -> None:
        self._store = store
        self._source = source
        self._breaker = breaker
        self._vehicle = vehicle
        self._now = now
        self._reasons: list[str] = []
        self._failed: set[Endpoint] = set()
        self._done = VehicleSnapshot(vehicle.vehicle_id, Outcome.SEEN)

    def take(self) -> VehicleSnapshot:
        """Ask every route, and commit the signals."""
        answers = dict(self._answers())
        seen_at = self._now()
        feeding = self._feeding(answers)
        self._done.answers = [
            self._sighting(endpoint, answer, seen_at, feeding) for endpoint, answer in answers.items()
        ]
        self._done.outcome = self._outcome(feeding)
        self._done.reason = " ".join(dict.fromkeys(self._reasons)) or None
        return self._done

    def _answers(self) -> Iterator[tuple[Endpoint, bytes | None]]:
        dated = True
        for endpoint in self._source.endpoints:
            if endpoint is Endpoint.V2 and not dated:
                return  # the service answers 500 where the status has no time
            status = self._ask(endpoint)
            if status is None:
                continue
            yield endpoint, status.payload
            if endpoint is Endpoint.V1:
                dated = status.payload is not None and b'"recordUpdatedAt"' in status.payload

    def _ask(self, endpoint: Endpoint) -> Status | None:
        self._breaker.check()
        try:
            status = self._source.status(self._vehicle, endpoint)
        except (VehicleRefusedError, RequestRefusedError) as refused:
            self._reasons.append(str(refused))
            return None
        except ServiceError as error:
            self._done.requests += error.requests
            self._breaker.failed(self._vehicle, error)
            self._failed.add(endpoint)
            self._reasons.append(str(error))
            return None
        self._breaker.worked()
        if status is not None:
            self._done.requests += status.requests
        return status

    def _feeding(self, answers: dict[Endpoint, bytes | None]) -> Endpoint | None:
        """The answer whose signals are kept: the first, which alone tells their times; where it is refused, the next.

        Where it merely failed there is none: the next snapshot has its times.
        """
        endpoints = self._source.endpoints
        if endpoints[0] in self._failed:
            return None
        return next((endpoint for endpoint in endpoints if endpoint in answers), None)

    def _sighting(
        self, endpoint: Endpoint, answer: bytes | None, seen_at: datetime, feeding: Endpoint | None
    ) -> Sighting:
        vehicle_id = self._vehicle.vehicle_id
        reading = Reading(0, None, ()) if answer is None else read_answer(vehicle_id, endpoint, answer)
        new = 0
        if endpoint is feeding:
            self._done.signals = reading.signals
            if answer is not None and not self._is_unchanged(endpoint, answer, seen_at.date()):
                new = self._done.new_signals = self._commit(reading.events, seen_at)
        return Sighting(
            vehicle_id=vehicle_id,
            seen_at=seen_at,
            endpoint=endpoint,
            signals=reading.signals,
            new_signals=new,
            newest_at=None if reading.newest_us is None else moment_of_us(reading.newest_us),
            payload=answer,
        )

    def _is_unchanged(self, endpoint: Endpoint, answer: bytes, day: date) -> bool:
        """Whether a status with times is the one that was kept last: then all it has is there already."""
        if endpoint is not self._source.endpoints[0]:
            return False
        kept = read_sightings(self._store, self._vehicle.vehicle_id, day)
        return next((one.payload == answer for one in reversed(kept) if one.endpoint == endpoint), False)

    def _commit(self, events: Sequence[Event], seen_at: datetime) -> int:
        by_day: dict[date, list[Event]] = defaultdict(list)
        for event in events:
            if event.timestamp_us is not None:
                by_day[day_of_us(event.timestamp_us)].append(event)
        self._done.days = set(by_day)
        return sum(
            commit_snapshot(self._store, self._vehicle.vehicle_id, day, signals, seen_at)
            for day, signals in sorted(by_day.items())
        )

    def _outcome(self, feeding: Endpoint | None) -> Outcome:
        if feeding is None:
            return Outcome.FAILED if self._failed else Outcome.REFUSED
        return Outcome.SEEN if self._done.signals else Outcome.NOTHING_YET
