"""What one draw over the cap shows of its window: where its events lie, and how surely.

A draw is a random sample. Between changes of pace a vehicle sends at a steady rate, so the sample is cut into blocks of
one rate each; in a block the sampled events are known and the others are expected at that rate. Windows that have been
proved make the rate of the block they end in surer, and tell how large a share was drawn where the service does not.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from dimo_etl.history.bias import UNCOUNTED_TOTAL, Bias
from dimo_etl.model import Window

# How much likelier two rates must be than one, in natural logarithms, before a block is cut; grows with its events.
_CHANGE = 3.0
# Splits are looked for among this many places first, then around the best of them.
_PLACES = 64


class Density:
    """Expected numbers of events in parts of a window.

    Args:
        window: that was drawn.
        ones: times of the events drawn that have one of odometer and latitude, ascending, milliseconds.
        twos: times of those that have both; the service draws them more often.
        total: events in the window; None where the service did not count them all.
        worst: the lowest score drawn; None where the service gives none that can be believed.
    """

    def __init__(
        self, window: Window, ones: Sequence[int], twos: Sequence[int], total: int | None, worst: float | None = None
    ) -> None:
        self.window = window
        self._total = total
        self._times = sorted([*ones, *twos])
        self._ones, self._twos = ones, twos
        self._starts = changes(self._times, window)
        self._ends = [*(start - 1 for start in self._starts[1:]), window.end_ms]
        self._at = window.start_ms
        self._passed = 0
        self._passed_in_block = 0
        # How many events lie before a time that is not before `_at`.
        self._counted_to, self._counted = window.start_ms, 0
        self._bias = Bias(len(ones), len(twos), total, worst)
        self._measure()

    def passed(self, window: Window, times: Sequence[int]) -> None:
        """Take note that everything up to a window's end is held.

        Args:
            window: proved, begins at or before what was passed last.
            times: of its events, ascending.
        """
        inside = len(times) - bisect_left(times, self.window.start_ms)
        inside -= len(times) - bisect_right(times, self.window.end_ms)
        block = self._block(min(window.end_ms, self.window.end_ms))
        in_block = len(times) - bisect_left(times, self._starts[block])
        same = self._block(self._at) == block if self._at <= self.window.end_ms else False
        self._passed_in_block = in_block + (self._passed_in_block if same else 0)
        self._passed += inside
        self._at = window.end_ms + 1
        if self._at >= self._counted_to:
            self._counted_to, self._counted = self._at, self._passed
        self._learn(Window(max(window.start_ms, self.window.start_ms), min(window.end_ms, self.window.end_ms)), inside)

    def measured(self, window: Window, total: int) -> None:
        """Take note of how many events the service counts in a part of the window."""
        if window.start_ms <= self._at <= window.end_ms and window.end_ms < self.window.end_ms:
            self._counted_to, self._counted = window.end_ms + 1, self._passed + total
        self._learn(window, total)

    def _learn(self, window: Window, total: int) -> None:
        ones = _between(self._ones, window.start_ms, window.end_ms)
        self._bias.learn(ones, self._sampled(window.start_ms, window.end_ms) - ones, total)
        self._measure()

    def expected(self, start_ms: int, end_ms: int) -> tuple[float, float]:
        """Mean and variance of the number of events from one time to another, both included, inside the window."""
        mean = square = 0.0
        block = self._block(start_ms)
        while block < len(self._starts) and self._starts[block] <= end_ms:
            first, last = max(start_ms, self._starts[block]), min(end_ms, self._ends[block])
            unseen = self._rates[block] * (last - first + 1)
            mean += unseen
            square += unseen * unseen / self._weights[block]
            block += 1
        # What one part holds more the rest holds less: of a counted total the whole rest is certain.
        free = max(0.0, 1 - mean / self._unseen) if self._bias.certain and self._unseen else 1.0
        return self._sampled(start_ms, end_ms) + mean, (mean + square) * free

    def _measure(self) -> None:
        """Rates of the events that were not drawn, by block, and how many events each rate rests on."""
        q_one, q_two = self._bias.undrawn()
        self._rates: list[float] = []
        self._weights: list[float] = []
        self._unseen = 0.0
        if not self._times:
            # Nothing was given of what there is: as if it came evenly.
            total = float(self._total or UNCOUNTED_TOTAL)
            self._rates, self._weights, self._unseen = [total / self.window.span_ms], [1.0], total
            return
        for start, end in zip(self._starts, self._ends, strict=True):
            left = max(start, self._at)
            if left > end:
                self._rates.append(0.0)
                self._weights.append(1.0)
                continue
            ones, twos = _between(self._ones, start, end), _between(self._twos, start, end)
            unseen, square = ones * q_one + twos * q_two, ones * q_one**2 + twos * q_two**2
            share = (ones + twos) / max(ones + twos + unseen, 1)
            rest, passed = self._sampled(left, end), self._passed_in_block if left > start else 0
            rate = (passed + rest) / (left - start + share * (end - left + 1)) if share else 0.0
            self._rates.append(rate * (1 - share))
            # So many events of one kind would tell the rate as well as these of two do.
            telling = unseen * unseen / square if square else 0.0
            self._weights.append(max(1.0, passed + telling * rest / max(ones + twos, 1)))
            self._unseen += self._rates[-1] * max(0, end - max(left, self._counted_to) + 1)
        if self._bias.certain and self._total is not None and self._unseen:
            unseen = max(0.0, self._total - self._counted - self._sampled(self._counted_to, self.window.end_ms))
            self._rates = [rate * unseen / self._unseen for rate in self._rates]
            self._unseen = unseen

    def _sampled(self, start_ms: int, end_ms: int) -> int:
        return _between(self._times, start_ms, end_ms)

    def _block(self, ms: int) -> int:
        return max(0, bisect_right(self._starts, ms) - 1)


def changes(times: Sequence[int], window: Window) -> list[int]:
    """Starts of the blocks of a window in each of which events come at one rate, the window's own start first.

    Binary segmentation of a Poisson process: a block is cut where two rates explain its events best, if they explain
    them much better than one.
    """
    starts: list[int] = []
    todo = [(window.start_ms, window.end_ms, 0, len(times))]
    while todo:
        start, end, low, high = todo.pop()
        place = _change(times, start, end, low, high)
        if place is None:
            starts.append(start)
            continue
        middle = bisect_left(times, place, low, high)
        todo += [(place, end, middle, high), (start, place - 1, low, middle)]
    return starts


def _change(times: Sequence[int], start: int, end: int, low: int, high: int) -> int | None:
    """Where a block of the events from `low` to `high` changes its rate most clearly; None where it does not."""
    count, span = high - low, end - start + 1
    if count < 2 or span < 2:
        return None
    alone = count * math.log(count / span)
    step = max(1, count // _PLACES)
    best, index = max(_gain(times, start, end, low, high, n) for n in range(low, high + 1, step))
    if step > 1:
        near = range(max(low, index - step), min(high, index + step) + 1)
        best, index = max(_gain(times, start, end, low, high, n) for n in near)
    if best - alone < _CHANGE + math.log(count):
        return None
    return max(
        _cuts(times, start, end, low, high, index),
        key=lambda cut: _two_rates(start, end, cut, index - low, high - index),
    )


def _gain(times: Sequence[int], start: int, end: int, low: int, high: int, index: int) -> tuple[float, int]:
    gains = (
        _two_rates(start, end, cut, index - low, high - index) for cut in _cuts(times, start, end, low, high, index)
    )
    return max(gains, default=-math.inf), index


def _cuts(times: Sequence[int], start: int, end: int, low: int, high: int, index: int) -> list[int]:
    """The two likeliest places of a change between two events: right after the one, or at the other."""
    places = ([times[index - 1] + 1] if index > low else []) + ([times[index]] if index < high else [])
    return [
        place
        for place in places
        if start < place <= end
        and (index == low or times[index - 1] < place)
        and (index == high or times[index] >= place)
    ]


def _two_rates(start: int, end: int, cut: int, before: int, after: int) -> float:
    gain = before * math.log(before / (cut - start)) if before else 0.0
    return gain + (after * math.log(after / (end - cut + 1)) if after else 0.0)


def _between(times: Sequence[int], start_ms: int, end_ms: int) -> int:
    return max(0, bisect_right(times, end_ms) - bisect_left(times, start_ms))
