"""A history endpoint in memory: its draw, its bias and its bounds, for any distribution of events."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from datetime import date
from random import Random

import numpy as np

from dimo_etl.api.device_data import Draw
from dimo_etl.api.hits import Hit
from dimo_etl.model import Window, day_window

DAY = date(2026, 1, 5)
START = day_window(DAY).start_ms
SECOND, HOUR = 1_000, 3_600_000


@dataclass(frozen=True, slots=True, order=True)
class Stored:
    """An event as the service keeps it; `matches` is 2 where it has odometer and latitude, else 1."""

    time_ms: int
    doc_id: str
    index: str = "device-status-2026"
    matches: int = 1

    def hit(self, score: float | None = None) -> Hit:
        values = b'"latitude":52.5,"odometer":88000' if self.matches == 2 else b'"odometer":88000'
        payload = b'{"id":"%s","data":{"timestamp":%d,%s}}' % (self.doc_id.encode(), self.time_ms, values)
        return Hit(self.index, self.doc_id, payload, score)


class Service:
    """Answers as the real one does: bounds both included, a biased draw over the cap, counts up to 10,000.

    Args:
        events: what exists at first.
        cap: the most one answer holds.
        counts_to: the most events a total counts.
        arrivals: further events, by the number of the request before which they arrive.
        spoil: what becomes of an answer, given its number.
        tells_scores: whether it says by which score each event was drawn.
    """

    def __init__(
        self,
        events: Iterable[Stored],
        *,
        cap: int = 1000,
        counts_to: int = 10_000,
        seed: int = 0,
        arrivals: dict[int, list[Stored]] | None = None,
        spoil: Callable[[int, Draw], Draw] = lambda _, draw: draw,
        tells_scores: bool = True,
    ) -> None:
        self.events = sorted(events)
        self.asked: list[Window] = []
        self._cap = cap
        self._counts_to = counts_to
        self._arrivals = arrivals or {}
        self._spoil = spoil
        self._tells_scores = tells_scores
        self._random = np.random.default_rng(seed)
        self._index()

    def __call__(self, window: Window, refresh: bool) -> Draw:
        arriving = self._arrivals.get(len(self.asked))
        if arriving:
            self.change(arriving)
        self.asked.append(window)
        first, last = bisect_left(self._times, window.start_ms), bisect_right(self._times, window.end_ms)
        scores = self._matches[first:last] * self._random.random(last - first)
        best = np.argsort(-scores)[: self._cap]
        total = last - first
        draw = Draw(
            window=window,
            total=min(total, self._counts_to),
            exact=total <= self._counts_to,
            hits=tuple(self._hit(first, int(place), scores) for place in best),
            requests=1,
            privileges=(1, 4),
            size_bytes=0,
        )
        return self._spoil(len(self.asked) - 1, draw)

    def arrive_later(self, requests: int, events: list[Stored]) -> None:
        """Have events arrive after so many more requests."""
        self._arrivals[len(self.asked) + requests] = events

    def settle(self) -> None:
        """Have everything arrive that was to arrive after more requests than came."""
        for request in [number for number in self._arrivals if number >= len(self.asked)]:
            self.change(self._arrivals.pop(request))

    def change(self, arriving: Iterable[Stored] = (), vanishing: Iterable[Stored] = ()) -> None:
        """Have events arrive, and others be there no more."""
        self.events = sorted({*self.events, *arriving}.difference(vanishing))
        self._index()

    def _hit(self, first: int, place: int, scores: np.ndarray) -> Hit:
        return self.events[first + place].hit(float(scores[place]) if self._tells_scores else None)

    def _index(self) -> None:
        self._times = [event.time_ms for event in self.events]
        self._matches = np.array([event.matches for event in self.events], dtype=float)


class AtOnce(Executor):
    """Runs what is submitted there and then, so that a simulation goes the same way each time."""

    def submit(self, fn, /, *args, **kwargs):
        future: Future = Future()
        future.set_result(fn(*args, **kwargs))
        return future


def evenly(
    count: int, start_ms: int, span_ms: int, *, seed: int = 0, matches: int = 1, label: str = "e"
) -> list[Stored]:
    """Events at random times of a span."""
    random = Random(seed)
    return [
        Stored(start_ms + random.randrange(span_ms), f"{label}-{start_ms}-{n}", matches=matches) for n in range(count)
    ]


def uneven_day(total: int, start_ms: int = START, seed: int = 0, *, two_fields: bool = False) -> list[Stored]:
    """A day as cars have them: two rush hours, a long night, some errands, and one burst of half a minute.

    Outside the rush hours the events have both fields, if told so, and then crowd the others out of each draw.
    """
    shares = [(7, 1.2, 0.38), (17, 1.4, 0.38), (9, 7.0, 0.17), (20, 2.0, 0.05)]
    events: list[Stored] = []
    for number, (hour, hours, share) in enumerate(shares):
        events += evenly(
            round(total * share),
            start_ms + hour * HOUR,
            round(hours * HOUR),
            seed=seed * 10 + number,
            matches=1 + (two_fields and number >= 2),
            label=f"{number}",
        )
    return events + evenly(total - len(events), start_ms + 12 * HOUR, 30 * SECOND, seed=seed, label="burst")
