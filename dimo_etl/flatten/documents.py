"""Events to leaves: each document is read, and its source, time and `data` told apart.

Promise: every event is either read whole or named with the reason why it cannot be.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, cast

from dimo_etl.flatten.leaves import Collector
from dimo_etl.flatten.nested import NestedDocument
from dimo_etl.flatten.numbers import UnreadableError, parse_all, to_json
from dimo_etl.flatten.tesla_stream import is_streamed, read_payload
from dimo_etl.flatten.wire import WireError
from dimo_etl.model import Event

_BATCH_BYTES = 512 << 10
_parts_of_nested = attrgetter("source", "time", "data")


@dataclass(frozen=True, slots=True)
class Quarantined:
    """An event that could not be understood, and why."""

    event: Event
    reason: str


@dataclass(slots=True)
class Documents:
    """What the documents of some events hold.

    Attributes:
        events: those that could be read, in the order given; a leaf's row is its event's place here.
        sources: the integration of each; None where it names none.
        times: the `time` of each, as it is written there.
        leaves: what they hold.
        quarantined: the events that could not be read.
    """

    events: list[Event] = field(default_factory=list)
    sources: list[str | None] = field(default_factory=list)
    times: list[object] = field(default_factory=list)
    leaves: Collector = field(default_factory=Collector)
    quarantined: list[Quarantined] = field(default_factory=list)


def read_documents(events: Sequence[Event]) -> Documents:
    """Read events in batches, most of which are of documents without a fault and are taken at once."""
    read = Documents()
    for batch in _batches(events):
        documents = parse_all([event.payload for event in batch])
        if not _took_all(read, batch, documents):
            for event, document in zip(batch, documents, strict=True):
                try:
                    _take(read, event, document)
                except UnreadableError as error:
                    read.quarantined.append(Quarantined(event, str(error)))
        read.leaves.end_batch()
    read.leaves.finish()
    return read


def _batches(events: Sequence[Event]) -> Iterator[Sequence[Event]]:
    """Events in batches whose documents, once parsed, a processor's cache holds."""
    start, size = 0, 0
    for end, event in enumerate(events):
        if size > _BATCH_BYTES:
            yield events[start:end]
            start, size = end, 0
        size += len(event.payload)
    yield events[start:]


def _took_all(read: Documents, batch: Sequence[Event], documents: Sequence[Any]) -> bool:
    """Take a batch; False, and nothing taken, where a document may be one that `_take` does more with."""
    kinds = set(map(type, documents))
    sources: Sequence[object]
    times: Sequence[object]
    found: Sequence[Any]
    if kinds == {NestedDocument}:
        sources, times, found = zip(*map(_parts_of_nested, documents), strict=True)
    elif kinds == {dict}:
        sources, times, found = ([document.get(key) for document in documents] for key in ("source", "time", "data"))
    else:
        return False
    if set(map(type, found)) != {dict} or not all(found) or any("payloads" in data for data in found):
        return False
    if None in [event.timestamp_us for event in batch]:
        return False
    read.leaves.add_all(len(read.events), found, nested=kinds == {NestedDocument})
    _keep(read, batch, sources, times)
    return True


def _take(read: Documents, event: Event, document: object) -> None:
    """Take one document; one that is nothing but nested values is its own data.

    Raises:
        UnreadableError: it cannot be read.
    """
    if type(document) is NestedDocument:
        source, time, data = document.source, document.time, cast(object, document.data)
    elif isinstance(document, UnreadableError):
        raise document
    elif not isinstance(document, dict):
        raise UnreadableError("not a JSON object")
    else:
        source, time = document.get("source"), document.get("time")
        data = document.get("data", document if "data" not in document and _all_objects(document) else None)
    if not isinstance(data, dict):
        raise UnreadableError("has no `data` object")
    if not data:
        raise UnreadableError("its `data` is empty")
    if event.timestamp_us is None:
        raise UnreadableError("has no readable time, neither `data.timestamp` nor `time`")
    row = len(read.events)
    found: Mapping[str, object] = data
    if type(document) is dict and is_streamed(document.get("dataversion"), data.get("payloads")):
        found = _with_streamed(read.leaves, row, data)
    read.leaves.add_all(row, [found], nested=type(document) is NestedDocument)
    _keep(read, [event], [source], [time])


def _keep(read: Documents, events: Sequence[Event], sources: Sequence[object], times: Sequence[object]) -> None:
    read.events.extend(events)
    read.sources.extend([source if isinstance(source, str) else None for source in sources])
    read.times.extend(times)


def _with_streamed(collector: Collector, row: int, data: Mapping[str, object]) -> Mapping[str, object]:
    """Add what a Tesla's payloads hold; gives the document's `data`, with what is wrong with those that are unreadable.

    Raises:
        UnreadableError: none of them can be read.
    """
    payloads = cast(Sequence[str], data["payloads"])
    unreadable: list[object] = []
    for place, payload in enumerate(payloads):
        try:
            streamed = read_payload(payload)
        except WireError as error:
            unreadable.append({"payload": place, "reason": str(error)})
            continue
        for name, value in streamed.leaves:
            collector.add_value(row, name, value, streamed.time_us)
    if len(unreadable) == len(payloads):
        raise UnreadableError(f"none of its payloads can be read: {to_json(unreadable)}")
    return {**data, "payloads.unreadable": unreadable} if unreadable else data


def _all_objects(document: dict[str, object]) -> bool:
    return bool(document) and all(isinstance(value, dict) and "value" in value for value in document.values())
