"""Leaves to Arrow: for each name one table of `signals` rows, in the order of their events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from dimo_etl.flatten.leaves import Column, Leaves, Scalar, TimedColumn
from dimo_etl.flatten.numbers import JsonText, LongNumber, UnreadableError, parse
from dimo_etl.model import Event
from dimo_etl.schema import INSTANT
from dimo_etl.timestamps import to_us

# Rows on their way to a file: plain strings, and no name, which is one for the whole table.
ROWS = pa.schema(
    [
        ("vehicle_id", pa.string()),
        ("timestamp", INSTANT),
        ("value_number", pa.float64()),
        ("value_string", pa.string()),
        ("value_boolean", pa.bool_()),
        ("value_json", pa.string()),
        ("source", pa.string()),
        ("event_id", pa.string()),
        ("received_at", INSTANT),
    ]
)
_NUMBERS = {int, float}


@dataclass(frozen=True, slots=True)
class Quarantined:
    """An event that could not be understood, and why."""

    event: Event
    reason: str


@dataclass(frozen=True, slots=True)
class Flattened:
    """Rows by name, in the order the events were given, and what could not be read.

    `timed` names the signals with times of their own, whose rows may be in another order; `sources` are the
    integrations, and `times_us` those of the events that could be read, in microseconds since the epoch.
    """

    tables: dict[str, pa.Table]
    timed: frozenset[str]
    quarantined: list[Quarantined]
    sources: frozenset[str]
    times_us: list[int]


def flatten(vehicle_id: str, events: Sequence[Event]) -> Flattened:
    """Take the documents of one vehicle apart into rows.

    Args:
        vehicle_id: the vehicle all events are of.
        events: in the order the rows shall have.
    """
    leaves = Leaves()
    rows = _EventColumns()
    quarantined: list[Quarantined] = []
    for event in events:
        try:
            document, data = _readable(event)
        except UnreadableError as error:
            quarantined.append(Quarantined(event, str(error)))
            continue
        leaves.add(len(rows.ids), data)
        rows.add(event, document)
    leaves.finish()
    arrays = rows.arrays()
    tables: dict[str, pa.Table] = {}
    for name, column in leaves.columns.items():
        tables[name] = _table(vehicle_id, column, arrays)
    for name, timed in leaves.timed.items():
        table = _table(vehicle_id, timed, arrays)
        tables[name] = pa.concat_tables([tables[name], table]) if name in tables else table
    sources = rows.sources().union(*(timed.sources for timed in leaves.timed.values()))
    return Flattened(tables, frozenset(leaves.timed), quarantined, frozenset(filter(None, sources)), rows.times_us())


def _readable(event: Event) -> tuple[dict[str, object], dict[str, object]]:
    """The document and its `data`; a document that is nothing but nested values is its own data."""
    document = parse(event.payload)
    if not isinstance(document, dict):
        raise UnreadableError("not a JSON object")
    data = document.get("data", document if "data" not in document and _all_objects(document) else None)
    if not isinstance(data, dict):
        raise UnreadableError("has no `data` object")
    if not data:
        raise UnreadableError("its `data` is empty")
    if event.timestamp_us is None:
        raise UnreadableError("has no readable time, neither `data.timestamp` nor `time`")
    return document, data


def _all_objects(document: dict[str, object]) -> bool:
    return bool(document) and all(isinstance(value, dict) and "value" in value for value in document.values())


@dataclass(frozen=True, slots=True)
class _EventArrays:
    timestamp: pa.Array
    source: pa.Array
    event_id: pa.Array
    received_at: pa.Array


class _EventColumns:
    """What all rows of an event share, by the row of the event."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self._times: list[int | None] = []
        self._sources: list[str | None] = []
        self._received: list[int | None] = []

    def add(self, event: Event, document: dict[str, object]) -> None:
        source = document.get("source")
        self.ids.append(event.event_id)
        self._times.append(event.timestamp_us)
        self._sources.append(source if isinstance(source, str) else None)
        self._received.append(to_us(document.get("time")))

    def sources(self) -> set[str | None]:
        return set(self._sources)

    def times_us(self) -> list[int]:
        return [time for time in self._times if time is not None]

    def arrays(self) -> _EventArrays:
        return _EventArrays(
            timestamp=pa.array(self._times, pa.int64()).cast(INSTANT),
            source=pa.array(self._sources, pa.string()),
            event_id=pa.array(self.ids, pa.string()),
            received_at=pa.array(self._received, pa.int64()).cast(INSTANT),
        )


def _table(vehicle_id: str, column: Column, events: _EventArrays) -> pa.Table:
    rows = pa.array(np.array(column.rows, dtype=np.int64))
    timestamp, source = events.timestamp.take(rows), events.source.take(rows)
    if isinstance(column, TimedColumn):
        own = pa.array(column.times_us, pa.int64()).cast(INSTANT)
        timestamp = pa.compute.coalesce(own, timestamp)
        source = pa.compute.coalesce(pa.array(column.sources, pa.string()), source)
    return pa.Table.from_arrays(
        [
            pa.repeat(vehicle_id, len(rows)),
            timestamp,
            *_values(column.values),
            source,
            events.event_id.take(rows),
            events.received_at.take(rows),
        ],
        schema=ROWS,
    )


def _values(values: list[Scalar]) -> tuple[pa.Array, pa.Array, pa.Array, pa.Array]:
    """The four value columns; each value is in exactly one of them."""
    kinds = set(map(type, values))
    count = len(values)
    numbers, strings = pa.nulls(count, pa.float64()), pa.nulls(count, pa.string())
    booleans, texts = pa.nulls(count, pa.bool_()), pa.nulls(count, pa.string())
    if kinds <= _NUMBERS:
        return pa.array(np.array(values, dtype=np.float64)), strings, booleans, texts
    if kinds == {str}:
        return numbers, pa.array(values, pa.string()), booleans, texts
    if kinds == {bool}:
        return numbers, strings, pa.array(values, pa.bool_()), texts
    return (
        pa.array([float(value) if type(value) in _NUMBERS else None for value in values], pa.float64()),  # type: ignore[arg-type]
        pa.array([value if type(value) is str else None for value in values], pa.string()),
        pa.array([value if type(value) is bool else None for value in values], pa.bool_()),
        pa.array([_json_text(value) for value in values], pa.string()),
    )


def _json_text(value: Scalar) -> str | None:
    if value is None:
        return "null"
    if isinstance(value, LongNumber):
        return value.text
    return str(value) if type(value) is JsonText else None
