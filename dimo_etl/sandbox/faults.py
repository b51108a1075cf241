"""What goes wrong on purpose: tests set it while the server runs, and it happens to the next requests in order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from threading import Lock
from typing import Literal

from dimo_etl.model import day_window

DEVICE_DATA = "/device-data-api"


@dataclass(frozen=True, slots=True)
class HttpFault:
    """Something that happens to one request, before any service sees it or after it has answered.

    Attributes:
        kind: `answer` with an error, `reset` the connection, `slow` the answer down, `cut` its body short.
        at: the path the request starts with.
        status: what an `answer` answers.
        retry_after: its `Retry-After` header, if any.
        seconds: how long a `slow` answer waits.
    """

    kind: Literal["answer", "reset", "slow", "cut"]
    at: str
    status: int = 503
    retry_after: str | None = None
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class SearchFault:
    """Something wrong inside a history answer of status 200.

    Attributes:
        kind: the search `timed_out`, some of its shards `failed_shards`, or `missing_hits`.
        missing: how many hits are missing.
    """

    kind: Literal["timed_out", "failed_shards", "missing_hits"]
    missing: int = 1


@dataclass
class Faults:
    """The faults still to come. Every method may be called from any thread.

    Attributes:
        telemetry_span: the longest window of signals that does not exceed the execution time; None for any.
        fetch_span: the same of raw events.
    """

    telemetry_span: timedelta | None = None
    fetch_span: timedelta | None = None
    _rows: list[int] = field(default_factory=list)
    _http: list[HttpFault] = field(default_factory=list)
    _search: list[SearchFault] = field(default_factory=list)
    _broken_days: set[tuple[int, date]] = field(default_factory=set)
    _on_expire: list[Callable[[], None]] = field(default_factory=list)
    _lock: Lock = field(default_factory=Lock, repr=False)

    def answer(self, status: int, *, times: int = 1, at: str = DEVICE_DATA, retry_after: str | None = None) -> None:
        """Answer the next requests below a path with an error status, as a proxy in front of it would."""
        self._add(HttpFault("answer", at, status=status, retry_after=retry_after), times)

    def reset(self, *, times: int = 1, at: str = DEVICE_DATA) -> None:
        """Reset the connection of the next requests instead of answering."""
        self._add(HttpFault("reset", at), times)

    def slow(self, seconds: float, *, times: int = 1, at: str = DEVICE_DATA) -> None:
        """Wait before answering the next requests."""
        self._add(HttpFault("slow", at, seconds=seconds), times)

    def cut(self, *, times: int = 1, at: str = DEVICE_DATA) -> None:
        """Send half of the next answers' bodies and close."""
        self._add(HttpFault("cut", at), times)

    def time_out_search(self, *, times: int = 1) -> None:
        """Say `timed_out` in the next searches, with half of what matches, found and counted."""
        self._search += [SearchFault("timed_out")] * times

    def fail_shards(self, *, times: int = 1) -> None:
        """Fail three shards of the next searches, with a third of what matches neither found nor counted."""
        self._search += [SearchFault("failed_shards")] * times

    def drop_hits(self, number: int, *, times: int = 1) -> None:
        """Leave hits out of the next searches, but count them."""
        self._search += [SearchFault("missing_hits", number)] * times

    def break_day(self, token_id: int, day: date) -> None:
        """Fail every request for history or raw events that touches the vehicle's day, until it is healed."""
        self._broken_days.add((token_id, day))

    def heal_day(self, token_id: int, day: date) -> None:
        """End what `break_day` began."""
        self._broken_days.discard((token_id, day))

    def expire_tokens(self) -> None:
        """End every developer and vehicle token issued so far."""
        for expire in self._on_expire:
            expire()

    def clear(self) -> None:
        """Forget every fault still to come and heal every day."""
        with self._lock:
            self._http.clear()
            self._search.clear()
            self._broken_days.clear()
            self._rows.clear()
            self.telemetry_span = self.fetch_span = None

    @property
    def pending(self) -> int:
        """How many faults have not happened yet."""
        with self._lock:
            return len(self._http) + len(self._search) + len(self._rows)

    def take_http(self, path: str) -> HttpFault | None:
        """The fault that happens to a request now, if one does."""
        with self._lock:
            fault = next((fault for fault in self._http if path.startswith(fault.at)), None)
            if fault is not None:
                self._http.remove(fault)
            return fault

    def take_search(self) -> SearchFault | None:
        """The fault that happens to a search now, if one does."""
        with self._lock:
            return self._search.pop(0) if self._search else None

    def drop_rows(self, number: int, *, times: int = 1) -> None:
        """Leave the newest raw events out of the next answers, but count them."""
        self._rows += [number] * times

    def take_rows(self) -> int:
        """How many of the newest raw events are left out of an answer now."""
        with self._lock:
            return self._rows.pop(0) if self._rows else 0

    def is_broken(self, token_id: int, start_ms: int, end_ms: int) -> bool:
        """Whether a range of time (milliseconds since the epoch, both included) touches a broken day."""
        return any(
            token_id == broken and start_ms <= day_window(day).end_ms and day_window(day).start_ms <= end_ms
            for broken, day in tuple(self._broken_days)
        )

    def on_expire(self, expire: Callable[[], None]) -> None:
        """Have `expire_tokens` call this."""
        self._on_expire.append(expire)

    def _add(self, fault: HttpFault, times: int) -> None:
        with self._lock:
            self._http += [fault] * times
