"""What the Telemetry API answers: what it stores of a vehicle in all, and the values and events of a window.

Promise: a field that the service refused is told of as refused, never taken for one without a value.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from dimo_etl.api.decode import decoded
from dimo_etl.api.graphql import GraphQLError, Reply
from dimo_etl.api.messages import UnusableResponseError
from dimo_etl.api.text import printable
from dimo_etl.model import Window
from dimo_etl.timestamps import to_us


@dataclass(frozen=True, slots=True)
class Seen:
    """How many rows of something were ever stored, those stored twice counted twice, and the first and last time."""

    rows: int
    first_us: int
    last_us: int

    def overlaps(self, window: Window) -> bool:
        """Whether any of it can lie in a window."""
        return self.rows > 0 and self.first_us // 1000 <= window.end_ms and self.last_us // 1000 >= window.start_ms


@dataclass(frozen=True, slots=True)
class Summary:
    """What the service stores of a vehicle in all.

    Attributes:
        rows: values of all signals.
        signals: by name; also some that the service has no field for.
        available: the names of those that can be asked for.
        events: by name.
        sources: by the address of the connection, of those that were asked for.
        payload: the summary of all of it, as received.
    """

    rows: int
    signals: Mapping[str, Seen]
    available: frozenset[str]
    events: Mapping[str, Seen]
    sources: Mapping[str, Seen]
    payload: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Happened:
    """An event: when it began, microseconds since the epoch, and its JSON object as received."""

    us: int
    payload: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Values:
    """The values of a window.

    Attributes:
        buckets: by their start, microseconds since the epoch: the JSON text of each value, by name.
        events: those of the window, where they were asked for.
        refused: the service's words for each field that it refused; `events` stands for the events.
        requests: requests spent, retries included.
        privileges: those of the vehicle token.
    """

    buckets: Mapping[int, Mapping[str, bytes]] = field(repr=False)
    events: Sequence[Happened] = field(repr=False)
    refused: Mapping[str, str]
    requests: int
    privileges: tuple[int, ...]


class _Named(msgspec.Struct):
    name: str
    first: str = msgspec.field(name="firstSeen")
    last: str = msgspec.field(name="lastSeen")
    signals: int = msgspec.field(name="numberOfSignals", default=0)
    events: int = msgspec.field(name="numberOfEvents", default=0)


class _Summary(msgspec.Struct):
    first: str = msgspec.field(name="firstSeen")
    last: str = msgspec.field(name="lastSeen")
    rows: int = msgspec.field(name="numberOfSignals")
    signals: list[_Named] | None = msgspec.field(name="signalDataSummary", default=None)
    events: list[_Named] | None = msgspec.field(name="eventDataSummary", default=None)


class _Windowed(msgspec.Struct):
    signals: list[dict[str, msgspec.Raw]] | None = None
    events: list[msgspec.Raw] | None = None


class _Stamped(msgspec.Struct):
    timestamp: str


def read_summary(reply: Reply, sources: Sequence[str]) -> Summary:
    """What is stored in all.

    Args:
        reply: with the summary as `all`, that of each source as `s0`, `s1` and so on, and `availableSignals`.
        sources: their names, in that order.
    """
    told = {name: bytes(text) for name, text in reply.read(dict[str, msgspec.Raw]).items()}
    try:
        everything = decoded(told["all"], _Summary)
        available = decoded(told["availableSignals"], frozenset[str] | None)  # type: ignore[arg-type]  # a type to msgspec
        by_source = {source: decoded(told[f"s{number}"], _Summary) for number, source in enumerate(sources)}
    except KeyError:
        raise UnusableResponseError("it lacks a summary that was asked for") from None
    return Summary(
        rows=everything.rows,
        signals={one.name: _seen(one.signals, one.first, one.last) for one in everything.signals or ()},
        available=available or frozenset(),
        events={one.name: _seen(one.events, one.first, one.last) for one in everything.events or ()},
        sources={source: _seen(one.rows, one.first, one.last) for source, one in by_source.items()},
        payload=told["all"],
    )


def read_values(
    asked: Collection[str], reply: Reply
) -> tuple[dict[int, dict[str, bytes]], list[Happened], dict[str, str]]:
    """Buckets, events and refusals of a window; a field that was refused in any row has no value in the others.

    Args:
        asked: the signals that were asked for; nothing else is taken.
        reply: with `signals` and `events`.
    """
    windowed = reply.read(_Windowed)
    refused = dict(_refused(reply.errors or ()))
    buckets: dict[int, dict[str, bytes]] = {}
    for row in windowed.signals or ():
        stamp = row.get("timestamp")
        held = buckets.setdefault(_us(decoded(bytes(stamp), str) if stamp is not None else None), {})
        for name, value in row.items():
            text = bytes(value)
            if name in asked and text != b"null" and name not in refused:
                held[name] = text
    events = [Happened(_us(decoded(bytes(event), _Stamped).timestamp), bytes(event)) for event in windowed.events or ()]
    return {us: values for us, values in buckets.items() if values}, events, refused


def _refused(errors: Iterable[GraphQLError]) -> Iterable[tuple[str, str]]:
    for error in errors:
        names = [part for part in error.path or () if isinstance(part, str)]
        if names:
            # A position is refused with the path of its members, too: the signal is the second name.
            yield names[1] if len(names) > 1 and names[0] == "signals" else names[0], printable(error.message)


def _seen(rows: int, first: str, last: str) -> Seen:
    return Seen(rows, _us(first), _us(last))


def _us(text: object) -> int:
    us = to_us(text) if isinstance(text, str) else None
    if us is None:
        raise UnusableResponseError("a time in it cannot be read")
    return us
