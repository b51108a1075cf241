"""What a source of history is: given a vehicle and UTC days, it gives the events of each day, and the proof.

Adding one is a module with a class that has the five members of `Source` and a function `open_source` that makes it,
and a line in `sources.py` that names the module.
Nothing else knows which sources there are: what a source gives is held under its `name` (the `origin` of each event and
of the coverage record), merged with what others gave by the rules of `lake/commit.py`.

A source asks through `Visit.ask`, which counts requests, stops asking a service that is down, and takes note of the
privileges. It may ask side by side in `Visit.pool`. An error it lets through ends the vehicle's run of days
(VehicleRefusedError, RequestRefusedError) or the whole fetch (AuthError); a window that a service does not answer
(ServiceError) is a piece with a reason.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import date
from typing import Protocol, TypeVar

from dimo_etl.api.exchange import Purpose
from dimo_etl.api.messages import Service
from dimo_etl.breaker import Breaker
from dimo_etl.errors import ServiceError, TooMuchAskedError, VehicleRefusedError
from dimo_etl.model import Event, Vehicle, Window


@dataclass(frozen=True, slots=True)
class Piece:
    """What is known of one window of the tiling.

    Attributes:
        window: both ends included; a proved window may span days, any other lies in one.
        events: the distinct documents held, in no order.
        expected: how many the service says exist; None where it could not be asked.
        received: documents received, repeated ones counted each time.
        reason: why the window is not proved; None where it is.
    """

    window: Window
    events: tuple[Event, ...]
    expected: int | None
    received: int
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Shown:
    """An answer of a service about a vehicle as a whole, which the view `snapshots` keeps.

    Attributes:
        endpoint: what gave it, by the source and the name of the query.
        signals: how many signals it tells of.
        newest_us: the newest time in it, microseconds since the epoch; None where it tells none.
        payload: JSON, as received.
    """

    endpoint: str
    signals: int
    newest_us: int | None
    payload: bytes


class Answered(Protocol):
    """What an answer tells besides its content: requests spent, and the token's privileges (None: no vehicle token)."""

    @property
    def requests(self) -> int:
        """Requests spent, retries included."""

    @property
    def privileges(self) -> tuple[int, ...] | None:
        """Those of the vehicle token."""


A = TypeVar("A", bound=Answered)


class Source(Protocol):
    """A service that has the history of vehicles; used by any number of threads."""

    @property
    def name(self) -> str:
        """What the settings and the lake call it."""

    @property
    def service(self) -> Service:
        """The service it asks, which `doctor` looks at."""

    @property
    def purpose(self) -> Purpose:
        """What its vehicle tokens are for."""

    @property
    def supersedes(self) -> frozenset[str]:
        """The sources whose proof of a day does not do for this one, as it gives more: such a day is asked for anew."""

    def pieces(self, visit: Visit, days: Sequence[date]) -> Iterator[Piece]:
        """Windows that tile the days, each proved or with the reason why not.

        The pieces of a day come one after the other, and the days in order, ascending or descending.

        Args:
            visit: the vehicle, and how to ask.
            days: consecutive UTC days.
        """


class Visit:
    """Asks a source for one vehicle's days, and keeps account; for any number of threads.

    Args:
        vehicle: whom it is about.
        pool: where requests are sent side by side.
        ahead: how many may be under way ahead of the one being read; bounds the memory used.
        refresh: whether a service's cache is to be passed by, as for days that were asked before.
        breaker: knows whether the service is down.

    Attributes:
        privileges: of the last answer; None where no vehicle token was used.
        user_device_id: as the events tell it, where it was not known before.
        shown: what a source was told besides events, to be kept as received.
    """

    def __init__(self, vehicle: Vehicle, pool: Executor, *, ahead: int, refresh: bool, breaker: Breaker) -> None:
        self.vehicle = vehicle
        self.pool = pool
        self.ahead = ahead
        self.refresh = refresh
        self.privileges: tuple[int, ...] | None = None
        self.user_device_id: str | None = None
        self.shown: list[Shown] = []
        self._breaker = breaker
        self._lock = threading.Lock()
        self._requests: dict[date, int] = {}
        self._retries: dict[date, int] = {}

    def ask(self, day: date, call: Callable[[], A]) -> A:
        """One answer of the service.

        Args:
            day: the day whose record the requests are counted in.
            call: sends the request.

        Raises:
            ServiceDownError: asking on is pointless.
            what `call` raises.
        """
        self._breaker.check()
        try:
            answer = call()
        except TooMuchAskedError as error:
            # The service works; it is the question that was too large.
            self._count(day, error.requests)
            self._breaker.worked()
            raise
        except ServiceError as error:
            self._count(day, error.requests)
            self._breaker.failed(self.vehicle, error)
            raise
        self._breaker.worked()
        self._count(day, answer.requests)
        self.privileges = answer.privileges
        return answer

    def token_id(self, service: Service) -> int:
        """The vehicle's token id, where that is the only name that a service goes by.

        Raises:
            VehicleRefusedError: it has none.
        """
        if self.vehicle.token_id is None:
            raise VehicleRefusedError(
                f"Vehicle {self.vehicle.vehicle_id} has no token id, the only name the {service.name} goes by; name it "
                "by its token id, or use --source device-data."
            )
        return self.vehicle.token_id

    def requests_of(self, day: date) -> int:
        """Requests counted for a day so far."""
        with self._lock:
            return self._requests.get(day, 0)

    def retries_of(self, day: date) -> int:
        """How many of these repeated an earlier one."""
        with self._lock:
            return self._retries.get(day, 0)

    def _count(self, day: date, requests: int) -> None:
        """Count the requests of one question; all but the first repeat it."""
        with self._lock:
            self._requests[day] = self._requests.get(day, 0) + requests
            self._retries[day] = self._retries.get(day, 0) + max(0, requests - 1)
