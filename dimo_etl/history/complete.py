"""Every event of a vehicle's days, with proof, from an endpoint that answers with a random draw.

A window is proved when the service's total is exact and as many distinct documents were received. Windows that are
not are cut and asked again, down to one millisecond; one millisecond over the cap is drawn again a bounded number of
times. What cannot be proved is handed on with both numbers and the reason, and never stops the rest.

Nothing here knows of HTTP: `Ask` brings a draw, so the same code is tested against any distribution of events.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from datetime import date

from dimo_etl.api.device_data import Draw
from dimo_etl.errors import ServiceError
from dimo_etl.events import read_event
from dimo_etl.history import cut
from dimo_etl.history.source import Piece
from dimo_etl.model import DAY_MS, Event, Window, day_window

# The service answers with at most this many documents; a shorter answer than its total needs is a fault of its own.
CAP = 1000
_SHORT_REDRAWS = 2
_REDRAWS = 30
_JUDGED_REDRAWS = 5
# A server whose totals contradict themselves is left after this many draws more than the proved windows explain.
_PATIENCE, _PATIENCE_PER_WINDOW = 100, 10

Ask = Callable[[Window, bool], Draw]
"""Asks the service for a window; the flag says not to take the answer from its cache. Raises ServiceError."""


@dataclass(frozen=True, slots=True)
class Reach:
    """How finely a route can be asked.

    Attributes:
        whole_days: whether it takes UTC days only, and not times.
        advice: what helps, in a clause, where its finest window holds more than the service gives at once.
    """

    whole_days: bool = False
    advice: str | None = None


_Asked = tuple[Window, Future["Draw | ServiceError"]]


@dataclass(frozen=True, slots=True)
class _Reading:
    """A draw, read: its documents by (index, id), and a fair sample of their times, in order."""

    window: Window
    total: int
    exact: bool
    documents: dict[tuple[str, str], Event]
    times_ms: list[int]
    undated: bool
    strays: int

    @property
    def proved(self) -> bool:
        """Whether the draw holds all there is in its window."""
        return self.exact and len(self.documents) == self.total and not self.strays


class CompleteHistory:
    """The complete history of one vehicle.

    Args:
        ask: brings a draw of a window.
        pool: where draws are brought side by side.
        ahead: how many draws are asked for ahead of the one being read; bounds the memory used.
        refresh: ask past the service's cache from the start, as for days that were asked before.
        reach: how finely the service can be asked.
    """

    def __init__(
        self, ask: Ask, pool: Executor, *, ahead: int = 4, refresh: bool = False, reach: Reach = Reach()
    ) -> None:
        self._ask_service = ask
        self._pool = pool
        self._ahead = max(1, ahead)
        self._refresh = refresh
        self._reach = reach
        self._draws = 0
        self._proved = 0

    def pieces(self, days: Sequence[date]) -> Iterator[Piece]:
        """Windows that tile the days, in order, each proved or with the reason why not.

        Args:
            days: consecutive UTC days. They are first asked for in one, which is enough for a vehicle that says
                little, and shows where the events of one that says much lie.
        """
        whole = Window(day_window(days[0]).start_ms, day_window(days[-1]).end_ms)
        return self._resolve(whole, self._try(whole))

    def _resolve(self, window: Window, answer: Draw | ServiceError) -> Iterator[Piece]:
        """Tile one window, of which a first answer is in hand."""
        one_day = _in_one_day(window)
        if isinstance(answer, ServiceError):
            if one_day:
                yield Piece(window, (), None, 0, str(answer))
            else:
                yield from self._tile(_days_of(window))
            return
        reading = _read(answer)
        answered_short = reading.exact and reading.total <= CAP
        if reading.proved and (one_day or not reading.undated):
            self._proved += 1
            yield Piece(window, tuple(reading.documents.values()), reading.total, len(answer.hits))
        elif not one_day:
            alone = answered_short or reading.strays or reading.undated
            yield from self._tile(_days_of(window) if alone else self._parts(reading))
        elif reading.strays:
            reason = f"the service answered with {reading.strays} events from outside the window asked for"
            yield _unproved(reading, len(answer.hits), reason)
        elif self._is_finest(window) or answered_short:
            yield from self._draw_again(reading, len(answer.hits))
        else:
            yield from self._cut(reading)

    def _cut(self, reading: _Reading) -> Iterator[Piece]:
        """Cut a window of one day, and hold the sum of its parts against its own total."""
        if self._draws > _PATIENCE + _PATIENCE_PER_WINDOW * self._proved:
            reason = f"the totals the service gives still contradict each other after {self._draws} requests"
            yield _unproved(reading, len(reading.documents), reason)
            return
        found: int | None = 0
        for piece in self._tile(self._parts(reading)):
            if piece.expected is None:
                piece = _salvaged(piece, reading)
            found = None if found is None or piece.expected is None else found + piece.expected
            yield piece
        if reading.exact and found is not None and found < reading.total:
            again = self._try(reading.window, refresh=True)
            if isinstance(again, ServiceError) or not again.exact or again.total > found:
                reason = f"its windows hold {found} of the {reading.total} events the service says the whole has"
                yield Piece(reading.window, (), reading.total - found, 0, reason)

    def _draw_again(self, reading: _Reading, received: int) -> Iterator[Piece]:
        """Draw a window again that cannot be cut, or whose answer was shorter than its total."""
        finest = self._is_finest(reading.window)
        documents, total, exact = dict(reading.documents), reading.total, reading.exact
        gained: deque[int] = deque(maxlen=_JUDGED_REDRAWS)
        for left in range(_REDRAWS if finest else _SHORT_REDRAWS, 0, -1):
            if len(gained) == _JUDGED_REDRAWS and sum(gained) / _JUDGED_REDRAWS * left < total - len(documents):
                # Each draw brings fewer new events than the one before: those that are left cannot bring the rest.
                break
            answer = self._try(reading.window, refresh=True)
            if isinstance(answer, ServiceError):
                break
            again = _read(answer)
            received += len(answer.hits)
            before = len(documents)
            documents |= again.documents
            total, exact = again.total, again.exact
            if exact and len(documents) == total and not again.strays:
                self._proved += 1
                yield Piece(reading.window, tuple(documents.values()), total, received)
                return
            gained.append(len(documents) - before)
        if not finest:
            yield from self._cut(reading)
            return
        where = "the day" if self._reach.whole_days else f"the millisecond {reading.window}"
        total = total if exact else max(total, len(documents))
        count = f"{total}" if exact else f"at least {total}"
        reason = f"{count} events in {where}, more than the service gives, {len(documents)} drawn"
        if self._reach.advice is not None:
            reason = f"{reason}: {self._reach.advice}"
        yield Piece(reading.window, tuple(documents.values()), total, received, reason)

    def _tile(self, parts: Iterable[Window | _Asked]) -> Iterator[Piece]:
        """Ask for windows side by side, and tile each in order."""
        waiting: deque[tuple[Window, Future[Draw | ServiceError]]] = deque()
        for part in parts:
            waiting.append(part if isinstance(part, tuple) else (part, self._pool.submit(self._try, part)))
            if len(waiting) > self._ahead:
                window, answer = waiting.popleft()
                yield from self._resolve(window, answer.result())
        while waiting:
            window, answer = waiting.popleft()
            yield from self._resolve(window, answer.result())

    def _parts(self, reading: _Reading) -> Iterator[Window | _Asked]:
        """The windows to cut a reading into, in order; an unknown total is measured at the first of them."""
        window, times = reading.window, reading.times_ms
        cap = max(1, len(reading.documents))
        if reading.exact:
            yield from self._divide(window, times, reading.total, cap, known=True)
            return
        first = _first_part(window, times)
        asked = self._pool.submit(self._try, first)
        yield first, asked
        answer = asked.result()
        share = bisect_right(times, first.end_ms)
        later = times[share:]
        measured = answer.total if isinstance(answer, Draw) else 0
        estimate = max(len(later), round(measured * len(later) / max(share, 1)))
        yield from self._divide(Window(first.end_ms + 1, window.end_ms), later, estimate, cap, known=False)

    def _divide(self, window: Window, times: Sequence[int], total: int, cap: int, *, known: bool) -> Iterator[Window]:
        return _divide(window, times, total, cap, known=known, whole_days=self._reach.whole_days)

    def _is_finest(self, window: Window) -> bool:
        """Whether a window cannot be cut."""
        return window.span_ms == 1 or (self._reach.whole_days and _in_one_day(window))

    def _try(self, window: Window, *, refresh: bool = False) -> Draw | ServiceError:
        self._draws += 1
        try:
            return self._ask_service(window, refresh or self._refresh)
        except ServiceError as error:
            return error


def _divide(
    window: Window, times: Sequence[int], total: int, cap: int, *, known: bool, whole_days: bool
) -> Iterator[Window]:
    """Cut a window of about `total` events, at midnights first, then inside the days that need it and may be cut."""
    if _in_one_day(window):
        yield from _divide_day(window, times, total, cap, known=known)
        return
    fraction = min(1.0, len(times) / total) if total else 1.0
    group: Window | None = None
    grouped = 0.0
    for day in _days_of(window):
        inside = times[bisect_left(times, day.start_ms) : bisect_right(times, day.end_ms)]
        estimate = len(inside) / fraction if fraction else 0.0
        if group is not None and cut.fits(grouped + estimate, fraction or 1.0, cap):
            group, grouped = Window(group.start_ms, day.end_ms), grouped + estimate
            continue
        if group is not None:
            yield group
            group = None
        if cut.fits(estimate, fraction or 1.0, cap):
            group, grouped = day, estimate
        elif whole_days:
            yield day
        else:
            yield from _divide_day(day, inside, round(estimate), cap, known=False)
    if group is not None:
        yield group


def _divide_day(window: Window, times: Sequence[int], total: int, cap: int, *, known: bool) -> list[Window]:
    pieces = cut.plan(total, len(times), cap, known=known)
    if known:
        pieces = max(2, pieces)
    return cut.at_quantiles(window, times, pieces) if pieces > 1 and window.span_ms > 1 else [window]


def _first_part(window: Window, times: Sequence[int]) -> Window:
    """About the first twelfth of the events: enough to measure how many the whole has, not wasted where it is few."""
    if _in_one_day(window):
        return cut.at_quantiles(window, times, 12)[0]
    edge = times[len(times) // 12] if times else window.start_ms
    last_midnight = window.end_ms // DAY_MS * DAY_MS
    return Window(window.start_ms, min((edge // DAY_MS + 1) * DAY_MS, last_midnight) - 1)


def _read(draw: Draw) -> _Reading:
    documents: dict[tuple[str, str], Event] = {}
    ones: list[int] = []
    twos: list[int] = []
    undated, strays = False, 0
    for hit in draw.hits:
        key = (hit.index, hit.doc_id)
        if key in documents:
            continue
        event = read_event(hit.source, index_id=hit.doc_id)
        if event.timestamp_us is None:
            undated = True
        elif draw.window.start_ms <= event.timestamp_us // 1000 <= draw.window.end_ms:
            has_both = b'"odometer"' in hit.source and b'"latitude"' in hit.source
            (twos if has_both else ones).append(event.timestamp_us // 1000)
        else:
            strays += 1
            continue
        documents[key] = event
    times = cut.fair_sample(ones, twos, draw.total)
    return _Reading(draw.window, draw.total, draw.exact, documents, times, undated, strays)


def _unproved(reading: _Reading, received: int, reason: str) -> Piece:
    return Piece(reading.window, tuple(reading.documents.values()), reading.total, received, reason)


def _salvaged(piece: Piece, parent: _Reading) -> Piece:
    """A window that could not be asked for keeps those of its events that a wider draw happened to bring."""
    inside = [
        event
        for event in parent.documents.values()
        if event.timestamp_us is not None and piece.window.start_ms <= event.timestamp_us // 1000 <= piece.window.end_ms
    ]
    return Piece(piece.window, tuple(inside), None, len(inside), piece.reason)


def _in_one_day(window: Window) -> bool:
    return window.start_ms // DAY_MS == window.end_ms // DAY_MS


def _days_of(window: Window) -> list[Window]:
    first, last = window.start_ms // DAY_MS, window.end_ms // DAY_MS
    return [
        Window(max(window.start_ms, day * DAY_MS), min(window.end_ms, (day + 1) * DAY_MS - 1))
        for day in range(first, last + 1)
    ]
