"""Leaves to Arrow: for each name one table of `signals` rows, in the order of their events."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import pyarrow as pa

from dimo_etl.flatten.documents import Quarantined, read_documents
from dimo_etl.flatten.leaves import Leaves, Scalar, TimedLeaves
from dimo_etl.flatten.numbers import JsonText, LongNumber, fits_float
from dimo_etl.flatten.times import all_to_us
from dimo_etl.model import Event
from dimo_etl.schema import INSTANT

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
_EXACT_INTEGERS = 2**53
T = TypeVar("T")


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
    read = read_documents(events)
    rows = _Rows(vehicle_id, read.events, read.sources, all_to_us(read.times))
    tables = {name: rows.table(leaves) for name, leaves in read.leaves.columns.items()}
    for name, timed in read.leaves.timed.items():
        table = rows.table(timed)
        tables[name] = pa.concat_tables([tables[name], table]) if name in tables else table
    sources = frozenset(filter(None, rows.own_sources.union(read.sources)))
    times_us = [event.timestamp_us for event in read.events if event.timestamp_us is not None]
    return Flattened(tables, frozenset(read.leaves.timed), read.quarantined, sources, times_us)


class _Rows:
    """Rows for the leaves of some events; what leaves share is made once.

    Attributes:
        own_sources: those that leaves of their own had, of all tables made so far.
    """

    def __init__(
        self, vehicle_id: str, events: Sequence[Event], sources: Sequence[str | None], received: Sequence[int | None]
    ) -> None:
        self.own_sources: set[str | None] = set()
        self._vehicle_id = vehicle_id
        self._events = (
            _instants([event.timestamp_us for event in events]),
            pa.array(sources, pa.string()),
            pa.array([event.event_id for event in events], pa.string()),
            _instants(received),
        )
        # By identity: everything given stays alive until the last table is made.
        self._taken: dict[int, tuple[pa.Array, ...]] = {}
        self._ascending: set[int] = set()
        self._times: dict[int, pa.Array] = {}
        self._sources: dict[int, pa.Array] = {}
        self._empty: dict[int, tuple[pa.Array, ...]] = {}

    def table(self, parts: Sequence[Leaves]) -> pa.Table:
        """The rows of one name, in the order of their events."""
        table = pa.Table.from_batches([self._batch(part) for part in parts], schema=ROWS)
        if len(parts) == 1 and id(parts[0].rows) in self._ascending:
            return table
        rows = np.concatenate([np.array(part.rows, dtype=np.int64) for part in parts])
        return table if _ascend(rows) else table.take(pa.array(np.argsort(rows, kind="stable")))

    def _batch(self, leaves: Leaves) -> pa.RecordBatch:
        vehicle, timestamp, source, event_id, received_at = self._of_events(leaves.rows)
        if isinstance(leaves, TimedLeaves):
            own = _made_once(self._times, leaves.times_us, _instants)
            timestamp = pa.compute.coalesce(own, timestamp) if own.null_count else own
            if id(leaves.sources) not in self._sources:
                self.own_sources.update(leaves.sources)
            given = _made_once(self._sources, leaves.sources, _strings)
            source = pa.compute.coalesce(given, source) if given.null_count else given
        values = self._values(leaves)
        return pa.RecordBatch.from_arrays([vehicle, timestamp, *values, source, event_id, received_at], schema=ROWS)

    def _of_events(self, rows: Sequence[int]) -> tuple[pa.Array, ...]:
        taken = self._taken.get(id(rows))
        if taken is None:
            places = np.array(rows, dtype=np.int64)
            columns = self._events
            if _ascend(places):
                self._ascending.add(id(rows))
            if not np.array_equal(places, np.arange(len(columns[0]))):
                columns = tuple(column.take(pa.array(places)) for column in columns)
            taken = self._taken[id(rows)] = (pa.repeat(self._vehicle_id, len(rows)), *columns)
        return taken

    def _values(self, leaves: Leaves) -> tuple[pa.Array, ...]:
        """The four value columns; each value is in exactly one of them."""
        values, kinds = leaves.values, leaves.kinds
        empty = self._empty.get(len(values))
        if empty is None:
            types = (pa.float64(), pa.string(), pa.bool_(), pa.string())
            empty = self._empty[len(values)] = tuple(pa.nulls(len(values), kind) for kind in types)
        numbers, strings, booleans, texts = empty
        if kinds <= _NUMBERS:
            found = np.fromiter(values, np.float64, len(values))
            if int not in kinds or np.abs(found).max() < _EXACT_INTEGERS:
                return pa.array(found), strings, booleans, texts
        if kinds == {str}:
            return numbers, pa.array(values, pa.string()), booleans, texts
        if kinds == {bool}:
            return numbers, strings, pa.array(values, pa.bool_()), texts
        return (
            pa.array([float(value) if _is_number(value) else None for value in values], pa.float64()),  # type: ignore[arg-type]
            pa.array([value if type(value) is str else None for value in values], pa.string()),
            pa.array([value if type(value) is bool else None for value in values], pa.bool_()),
            pa.array([_json_text(value) for value in values], pa.string()),
        )


def _ascend(numbers: np.ndarray) -> bool:
    return bool(np.all(numbers[1:] >= numbers[:-1]))


def _made_once(made: dict[int, pa.Array], given: Sequence[T], make: Callable[[Sequence[T]], pa.Array]) -> pa.Array:
    array = made.get(id(given))
    if array is None:
        array = made[id(given)] = make(given)
    return array


def _instants(times_us: Sequence[int | None]) -> pa.Array:
    return pa.array(times_us, pa.int64()).cast(INSTANT)


def _strings(texts: Sequence[str | None]) -> pa.Array:
    return pa.array(texts, pa.string())


def _is_number(value: Scalar) -> bool:
    """Whether a value is a number that float64 holds exactly."""
    return type(value) is float or (type(value) is int and fits_float(value))


def _json_text(value: Scalar) -> str | None:
    if value is None:
        return "null"
    if isinstance(value, LongNumber):
        return value.text
    if type(value) is int and not fits_float(value):
        return str(value)
    return str(value) if type(value) is JsonText else None
