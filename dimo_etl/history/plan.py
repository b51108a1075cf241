"""Which window to ask for next, so that few requests bring every event.

A window that turns out to hold more events than one answer can is paid with its draw; but that draw shows where to cut
it almost exactly, and what is left of it goes into the window after. So the next window is made as full as the draws in
hand can foresee without overflowing too often. `Outlook.next` takes the number of windows with the least expected cost.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence

from dimo_etl.history.density import Density
from dimo_etl.model import DAY_MS, Window

# What a window that overflows costs beyond itself, in requests: what is left of it goes into its neighbour.
_OVERFLOW = 0.9
# Counts differ from what is foreseen more than a Poisson process has them; by how much more is learned, starting from
# so many times the variance, as if that had been seen in so many windows. One surprise counts for so much at most.
_DOUBT, _DOUBT_WEIGHT, _SURPRISE = 2.5, 6, 9.0
_ROUNDING = 1e-6
_FILLS = (1.0, 0.97, 0.94, 0.91, 0.88, 0.84, 0.8, 0.75, 0.7, 0.6, 0.5, 0.4)


class Outlook:
    """What the draws in hand show of the events that are left; a finer draw lies inside the one before it."""

    def __init__(self) -> None:
        self._draws: list[Density] = []
        self._foreseen: dict[Window, tuple[float, float]] = {}
        self._errors, self._judged = _DOUBT * _DOUBT_WEIGHT, _DOUBT_WEIGHT

    def learn(self, window: Window, total: int) -> None:
        """Take note of how many events a window held, so that later ones are doubted as much as is due."""
        foreseen = self._foreseen.pop(window, None)
        if foreseen is not None and foreseen[1] > 0:
            self._errors += min(_SURPRISE, (total - foreseen[0]) ** 2 / foreseen[1])
            self._judged += 1

    def __bool__(self) -> bool:
        return bool(self._draws)

    def add(self, draw: Density, counted: int | None) -> None:
        """Look through a finer draw from now on; `counted` is its total, where the service gives it."""
        if counted is not None:
            for wider in self._draws:
                wider.measured(draw.window, counted)
        self._draws.append(draw)

    def passed(self, window: Window, times: Sequence[int]) -> None:
        """Take note that everything up to a window's end is held, and forget the draws that lie before it."""
        self._draws = [draw for draw in self._draws if draw.window.end_ms > window.end_ms]
        for draw in self._draws:
            draw.passed(window, times)

    def next(self, window: Window, cap: int) -> Window:
        """The first part of a window to ask for.

        Args:
            window: what is to be brought, of which a draw in hand shows something.
            cap: the most one answer holds.
        """
        left, _ = self.expected(window.start_ms, window.end_ms)
        fewest = max(1, math.ceil(left / cap - _ROUNDING))
        costs = []
        for pieces in sorted({max(fewest, math.ceil(left / (cap * fill))) for fill in _FILLS}):
            end = self._reaching(window, left / pieces) if pieces > 1 else window.end_ms
            mean, variance = self.expected(window.start_ms, end)
            deviation = math.sqrt(max(variance, 1e-9) * self._errors / self._judged)
            overflow = 0.5 * math.erfc((cap - mean) / (deviation * math.sqrt(2)))
            costs.append((pieces * (1 + _OVERFLOW * overflow), end))
        _, end = min(costs)
        found = Window(window.start_ms, self._shorter(window.start_ms, end))
        self._foreseen[found] = self.expected(found.start_ms, found.end_ms)
        return found

    def next_days(self, window: Window, cap: int) -> Window:
        """The first whole UTC days of a window to ask for: as many as surely fit one answer, at least one."""
        first = window.start_ms // DAY_MS * DAY_MS + DAY_MS - 1
        end = first
        for later in range(first + DAY_MS, window.end_ms + 1, DAY_MS):
            mean, variance = self.expected(window.start_ms, later)
            if mean + 2 * math.sqrt(variance) > cap:
                break
            end = later
        return Window(
            window.start_ms, first if any(d.window == Window(window.start_ms, end) for d in self._draws) else end
        )

    def expected(self, start_ms: int, end_ms: int) -> tuple[float, float]:
        """Mean and variance of the number of events, each part as the finest draw shows it."""
        mean = variance = 0.0
        for draw in reversed(self._draws):
            last = min(end_ms, draw.window.end_ms)
            if last >= start_ms:
                more, wider = draw.expected(start_ms, last)
                mean, variance, start_ms = mean + more, variance + wider, last + 1
        return mean, variance

    def _reaching(self, window: Window, count: float) -> int:
        """The last end, at least one millisecond on, up to which no more than `count` events are expected."""
        place = bisect_right(
            range(window.start_ms, window.end_ms + 1), count, key=lambda end: self.expected(window.start_ms, end)[0]
        )
        return max(window.start_ms, window.start_ms + place - 1)

    def _shorter(self, start_ms: int, end_ms: int) -> int:
        """The same end, or the middle of a draw that begins there and would be asked for whole again."""
        for draw in self._draws:
            if draw.window.start_ms == start_ms and end_ms >= draw.window.end_ms:
                end_ms = start_ms + draw.window.span_ms // 2 - 1
        return end_ms
