"""Every event of a vehicle's days, with proof, from an endpoint that answers with a random draw.

A window is proved when the service's total is exact and as many distinct documents were received. Proved windows tile
the days from their start to their end. A window that turns out to hold too much is not lost: its draw shows where to
cut, down to one millisecond; one millisecond over the cap is drawn again a bounded number of times. What cannot be
proved is handed on with both numbers and the reason, and never stops the rest.

Nothing here knows of HTTP: `Ask` brings a draw, so the same code is tested against any distribution of events.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from datetime import date

from dimo_etl.api.device_data import Draw
from dimo_etl.errors import ServiceError
from dimo_etl.history.density import Density
from dimo_etl.history.plan import Outlook
from dimo_etl.history.reading import Reading, read_draw
from dimo_etl.history.source import Piece
from dimo_etl.model import DAY_MS, Event, Window, day_window

# The service answers with at most this many documents; a shorter answer than its total needs is a fault of its own.
CAP = 1000
_SHORT_REDRAWS = 2
_REDRAWS = 30
# Requests for a window that is cut in two.
_CUT = 2.0
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


@dataclass(slots=True)
class _Overfull:
    """A draw that did not hold all of its window, and how many events the pieces inside it account for so far.

    `found` is None where that cannot be told.
    """

    reading: Reading
    found: int | None = 0

    def account(self, piece: Piece, times_ms: Sequence[int]) -> None:
        """Add the events of a piece that lie in this window."""
        window = self.reading.window
        if piece.window.start_ms >= window.start_ms and piece.window.end_ms <= window.end_ms:
            inside = piece.expected
        elif piece.reason is None and len(times_ms) == len(piece.events):
            inside = sum(window.start_ms <= time <= window.end_ms for time in times_ms)
        else:
            inside = None
        self.found = None if self.found is None or inside is None else self.found + inside


class CompleteHistory:
    """The complete history of consecutive days of one vehicle.

    Args:
        ask: brings a draw of a window.
        pool: where draws are brought side by side.
        ahead: how many draws are asked for at once, those ahead of the one being read in the hope that it does not
            overflow; bounds the memory used.
        refresh: ask past the service's cache from the start, as for days that were asked before.
        reach: how finely the service can be asked.
    """

    def __init__(
        self, ask: Ask, pool: Executor, *, ahead: int = 1, refresh: bool = False, reach: Reach = Reach()
    ) -> None:
        self._ask_service = ask
        self._pool = pool
        self._ahead = max(1, ahead)
        self._refresh = refresh
        self._reach = reach
        self._draws = 0
        self._proved = 0
        self._cap = CAP
        self._outlook = Outlook()
        self._overfull: list[_Overfull] = []
        self._by_day_until = -1

    def pieces(self, days: Sequence[date]) -> Iterator[Piece]:
        """Windows that tile the days, in order, each proved or with the reason why not.

        Args:
            days: consecutive UTC days. They are first asked for in one, which is enough for a vehicle that says
                little, and shows where the events of one that says much lie.
        """
        whole = Window(day_window(days[0]).start_ms, day_window(days[-1]).end_ms)
        at, waiting = whole.start_ms, list[_Asked]()
        self._by_day_until = whole.start_ms - 1
        self._end_ms = whole.end_ms
        while at <= whole.end_ms:
            self._ask_ahead(Window(at, whole.end_ms), waiting)
            window, answer = waiting.pop(0)
            piece = self._piece(window, answer.result())
            if piece is not None:
                at = window.end_ms + 1
                yield piece
                yield from self._passed(piece)

    def _ask_ahead(self, left: Window, waiting: list[_Asked]) -> None:
        """Ask for the first window that is left, and for some after it where it can be foreseen how wide they are."""
        while (gap := _first_gap(left, waiting)) is not None:
            foreseen = bool(self._outlook) or gap.start_ms <= self._by_day_until
            if gap.start_ms > left.start_ms and (len(waiting) >= self._ahead or not foreseen):
                return
            window = self._next(gap)
            waiting.append((window, self._pool.submit(self._try, window)))
            waiting.sort(key=lambda asked: asked[0])

    def _next(self, gap: Window) -> Window:
        """What to ask for first of a window."""
        if gap.start_ms <= self._by_day_until:
            gap = Window(gap.start_ms, min(gap.end_ms, _end_of_day(gap.start_ms)))
        if not self._outlook or self._spent():
            return gap
        if self._reach.whole_days:
            return self._outlook.next_days(gap, self._cap)
        return self._outlook.next(gap, self._cap)

    def _piece(self, window: Window, answer: Draw | ServiceError) -> Piece | None:
        """What an answer makes of its window; None where it has to be asked for in parts."""
        one_day = window.end_ms <= _end_of_day(window.start_ms)
        if isinstance(answer, ServiceError):
            if one_day:
                return self._unanswered(window, answer)
            self._by_day_until = max(self._by_day_until, window.end_ms)
            return None
        reading = read_draw(answer)
        if reading.exact:
            self._outlook.learn(window, reading.total)
        answered_short = reading.exact and reading.total <= CAP
        if reading.proved and (one_day or not reading.undated):
            self._proved += 1
            return Piece(window, tuple(reading.documents.values()), reading.total, len(answer.hits))
        if not one_day and (answered_short or reading.strays or reading.undated or self._spent()):
            self._by_day_until = max(self._by_day_until, window.end_ms)
            return None
        if reading.strays:
            reason = f"the service answered with {reading.strays} events from outside the window asked for"
            return _unproved(reading, len(answer.hits), reason)
        if one_day and self._spent() and not self._is_finest(window):
            reason = f"the totals the service gives still contradict each other after {self._draws} requests"
            return _unproved(reading, len(reading.documents), reason)
        if (one_day and (self._is_finest(window) or answered_short)) or self._is_worth_redrawing(reading):
            piece = self._draw_again(reading, len(answer.hits))
            if piece is not None:
                return piece
        self._look_through(reading)
        return None

    def _look_through(self, reading: Reading) -> None:
        """Have a window asked for in parts, as its draw shows them."""
        self._cap = max(1, len(reading.documents))
        total = reading.total if reading.exact else None
        self._outlook.add(Density(reading.window, reading.ones, reading.twos, total, reading.worst), total)
        self._overfull.append(_Overfull(reading))

    def _passed(self, piece: Piece) -> Iterator[Piece]:
        """Hold what was counted in each window that lies behind against what its pieces account for."""
        times = sorted(event.timestamp_us // 1000 for event in piece.events if event.timestamp_us is not None)
        for overfull in self._overfull:
            overfull.account(piece, times)
        while self._overfull and self._overfull[-1].reading.window.end_ms <= piece.window.end_ms:
            shortfall = self._shortfall(self._overfull.pop())
            if shortfall is not None:
                yield shortfall
                for overfull in self._overfull:
                    overfull.account(shortfall, ())
        self._outlook.passed(piece.window, times)

    def _shortfall(self, overfull: _Overfull) -> Piece | None:
        """What a day's window was said to hold more than its pieces account for, if the service still says so."""
        window, total, found = overfull.reading.window, overfull.reading.total, overfull.found
        if (
            not overfull.reading.exact
            or found is None
            or found >= total
            or window.end_ms > _end_of_day(window.start_ms)
        ):
            return None
        again = self._try(window, refresh=True)
        if not isinstance(again, ServiceError) and again.exact and again.total <= found:
            return None
        reason = f"its windows hold {found} of the {total} events the service says the whole has"
        return Piece(window, (), total - found, 0, reason)

    def _is_worth_redrawing(self, reading: Reading) -> bool:
        """Whether a window at the end of the days is so little over the cap that drawing it again is less than two."""
        if not reading.exact or reading.undated or reading.strays or reading.window.end_ms < self._end_ms:
            return False
        missing = reading.total - len(reading.documents)
        # An event with one field is the likelier to be missed, and is missed where its score is below the worst drawn.
        missed = reading.worst if reading.worst is not None and reading.ones else missing / reading.total
        return missing > 0 and redraws(missing, missed) < _CUT

    def _held(self, window: Window) -> dict[tuple[str, str], Event]:
        """The events of a window that wider draws happened to bring."""
        return {
            key: event
            for overfull in self._overfull
            for key, event in overfull.reading.documents.items()
            if event.timestamp_us is not None and window.start_ms <= event.timestamp_us // 1000 <= window.end_ms
        }

    def _unanswered(self, window: Window, error: ServiceError) -> Piece:
        """A window that could not be asked for keeps those of its events that wider draws happened to bring."""
        kept = self._held(window)
        return Piece(window, tuple(kept.values()), None, len(kept), str(error))

    def _spent(self) -> bool:
        """Whether more draws were spent than the windows they proved explain."""
        return self._draws > _PATIENCE + _PATIENCE_PER_WINDOW * self._proved

    def _draw_again(self, reading: Reading, received: int) -> Piece | None:
        """Draw a window again that cannot be cut, or whose answer was shorter than its total; None: it can be cut."""
        finest = self._is_finest(reading.window)
        spans_days = reading.window.end_ms > _end_of_day(reading.window.start_ms)
        documents = self._held(reading.window) | reading.documents
        total, exact = reading.total, reading.exact
        gained: deque[int] = deque(maxlen=_JUDGED_REDRAWS)
        for left in range(_REDRAWS if finest else _SHORT_REDRAWS, 0, -1):
            if len(gained) == _JUDGED_REDRAWS and sum(gained) / _JUDGED_REDRAWS * left < total - len(documents):
                # Each draw brings fewer new events than the one before: those that are left cannot bring the rest.
                break
            answer = self._try(reading.window, refresh=True)
            if isinstance(answer, ServiceError):
                break
            again = read_draw(answer)
            received += len(answer.hits)
            before = len(documents)
            documents |= again.documents
            total, exact = again.total, again.exact
            if exact and len(documents) == total and not again.strays and not (again.undated and spans_days):
                self._proved += 1
                return Piece(reading.window, tuple(documents.values()), total, received)
            gained.append(len(documents) - before)
        if not finest:
            return None
        where = "the day" if self._reach.whole_days else f"the millisecond {reading.window}"
        total = total if exact else max(total, len(documents))
        count = f"{total}" if exact else f"at least {total}"
        reason = f"{count} events in {where}, more than the service gives, {len(documents)} drawn"
        if self._reach.advice is not None:
            reason = f"{reason}: {self._reach.advice}"
        return Piece(reading.window, tuple(documents.values()), total, received, reason)

    def _is_finest(self, window: Window) -> bool:
        """Whether a window of one day cannot be cut."""
        return window.span_ms == 1 or self._reach.whole_days

    def _try(self, window: Window, *, refresh: bool = False) -> Draw | ServiceError:
        self._draws += 1
        try:
            return self._ask_service(window, refresh or self._refresh)
        except ServiceError as error:
            return error


def redraws(missing: int, missed: float) -> float:
    """How many draws more are expected to bring the missing events, each of which misses such a share of them."""
    return 1 + sum(1 - math.exp(-missing * missed**n) for n in range(1, 9))


def _unproved(reading: Reading, received: int, reason: str) -> Piece:
    return Piece(reading.window, tuple(reading.documents.values()), reading.total, received, reason)


def _first_gap(left: Window, waiting: Sequence[_Asked]) -> Window | None:
    """The first part of a window that is not asked for yet."""
    start = left.start_ms
    for window, _ in waiting:
        if window.start_ms > start:
            return Window(start, window.start_ms - 1)
        start = window.end_ms + 1
    return Window(start, left.end_ms) if start <= left.end_ms else None


def _end_of_day(ms: int) -> int:
    return ms // DAY_MS * DAY_MS + DAY_MS - 1
