"""Every event of a span of time, with proof, from a service that gives the newest and says how many there are.

The oldest event of an answer that is cut off tells where to go on: each second after it is held whole. So about one
request for each full answer is enough. A stretch is proved when as many events were received as the service counts in
it, which is the difference of the counts of two spans that begin alike. What is not is asked for once more, day by day.
One second with more events than one answer holds cannot be completed, and is handed on with both numbers.

Nothing here knows of HTTP. Times are whole seconds since the epoch, and the end of a span is not part of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from dimo_etl.errors import ServiceError, TooMuchAskedError
from dimo_etl.model import rfc3339_ms

_DAY_S = 86_400
_SECOND_US = 1_000_000
_TRIES = 2
# A service whose numbers contradict themselves is left after so many requests more than its events, and the stretches
# that were proved, explain.
_PATIENCE, _PATIENCE_PER_STRETCH, _EVENTS_PER_REQUEST = 100, 10, 20


class Timed(Protocol):
    """An event that was received at some time."""

    @property
    def time_us(self) -> int:
        """Microseconds since the epoch."""


E = TypeVar("E", bound=Timed)
Given = TypeVar("Given", bound=Timed, covariant=True)


class Listing(Protocol[Given]):
    """An answer: of a span and the second before it, how many events there are, and all of them or the newest."""

    @property
    def count(self) -> int:
        """How many there are."""

    @property
    def events(self) -> Sequence[Given]:
        """Those given."""


Ask = Callable[[int, int], Listing[E]]
"""Asks for a span by its start and end. Raises ServiceError."""


@dataclass(frozen=True, slots=True)
class Stretch(Generic[E]):
    """What is known of a stretch of time; one that is not proved lies in one day.

    Attributes:
        start_s: its first second.
        end_s: the second after its last one.
        events: those received, repeated ones included.
        expected: how many the service counts; None where it could not be asked.
        reason: why it is not proved; None where it is.
    """

    start_s: int
    end_s: int
    events: Sequence[E] = field(repr=False)
    expected: int | None
    reason: str | None = None


class NewestFirst(Generic[E]):
    """Walks back from the end of a span to its start."""

    def __init__(self, ask: Ask[E]) -> None:
        self._ask = ask
        self._asked = self._received = self._proved = 0

    def walk(self, start_s: int, end_s: int, tries: int = _TRIES) -> Iterator[Stretch[E]]:
        """Stretches that tile a span, the latest first.

        Args:
            start_s: the first second.
            end_s: the second after the last one.
            tries: how often a stretch that is not proved may be asked for again.
        """
        answer = self._try(start_s, end_s)
        while not isinstance(answer, ServiceError) and len(answer.events) < answer.count and answer.events:
            oldest_s = min(event.time_us for event in answer.events) // _SECOND_US
            # A last second that fills the answer alone is held as far as it came.
            cut_s = min(max(start_s, oldest_s + 1), end_s - 1)
            before = self._try(start_s, cut_s)
            if isinstance(before, ServiceError):
                yield from self._again(cut_s, end_s, before, tries)
            else:
                yield from self._held(cut_s, end_s, answer.events, answer.count - before.count, tries)
            if cut_s == start_s:
                return
            answer, end_s = before, cut_s
        if isinstance(answer, ServiceError):
            yield from self._smaller(start_s, end_s, answer, tries)
            return
        fringe = sum(event.time_us < start_s * _SECOND_US for event in answer.events)
        yield from self._held(start_s, end_s, answer.events, answer.count - fringe, tries)

    def _held(self, start_s: int, end_s: int, events: Sequence[E], expected: int, tries: int) -> Iterator[Stretch[E]]:
        """A stretch of which the events and their number are known."""
        inside = [event for event in events if event.time_us >= start_s * _SECOND_US]
        if len(inside) == expected:
            self._proved += 1
            yield Stretch(start_s, end_s, inside, expected)
        elif end_s - start_s == 1 and expected > len(inside) > 0:
            reason = (
                f"{expected} events in the second {_moment(start_s)}, more than the service gives, {len(inside)} given"
            )
            yield Stretch(start_s, end_s, inside, expected, reason)
        elif len(days := list(_days(start_s, end_s))) > 1 or tries > 0:
            for first_s, last_s in days:
                yield from self.walk(first_s, last_s, max(0, tries - 1))
        else:
            reason = f"the service counts {expected} events from {_moment(start_s)} to {_moment(end_s)}"
            yield Stretch(start_s, end_s, inside, max(0, expected), f"{reason}, and gives {len(inside)}")

    def _again(self, start_s: int, end_s: int, error: ServiceError, tries: int) -> Iterator[Stretch[E]]:
        """A stretch whose number of events was not to be had by way of what is before it."""
        if tries > 0:
            yield from self.walk(start_s, end_s, tries - 1)
        else:
            yield from (Stretch(*day, (), None, str(error)) for day in _days(start_s, end_s))

    def _smaller(self, start_s: int, end_s: int, error: ServiceError, tries: int) -> Iterator[Stretch[E]]:
        """A span that was not answered for: its days, and of a day that is too much its halves."""
        parts = list(_days(start_s, end_s))
        if len(parts) == 1 and isinstance(error, TooMuchAskedError) and end_s - start_s > 1:
            middle_s = (start_s + end_s) // 2
            parts = [(middle_s, end_s), (start_s, middle_s)]
        if len(parts) == 1:
            yield Stretch(start_s, end_s, (), None, str(error))
            return
        for first_s, last_s in parts:
            yield from self.walk(first_s, last_s, tries)

    def _try(self, start_s: int, end_s: int) -> Listing[E] | ServiceError:
        if self._asked > _PATIENCE + _PATIENCE_PER_STRETCH * self._proved + self._received // _EVENTS_PER_REQUEST:
            return ServiceError(
                f"The numbers the service gives still contradict each other after {self._asked} requests."
            )
        self._asked += 1
        try:
            answer = self._ask(start_s, end_s)
        except ServiceError as error:
            return error
        self._received += len(answer.events)
        strays = sum(not (start_s - 1) * _SECOND_US <= one.time_us < end_s * _SECOND_US for one in answer.events)
        if strays:
            return ServiceError(f"The service answered with {strays} events from outside the window asked for.")
        return answer


def _days(start_s: int, end_s: int) -> Iterator[tuple[int, int]]:
    """The parts of a span that lie in one UTC day each, the latest first."""
    for day in range((end_s - 1) // _DAY_S, start_s // _DAY_S - 1, -1):
        yield max(start_s, day * _DAY_S), min(end_s, (day + 1) * _DAY_S)


def _moment(seconds: int) -> str:
    return rfc3339_ms(seconds * 1000)
