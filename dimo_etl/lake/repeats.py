"""Which signals of snapshots history has given too: one value that came both ways is kept once, as history gives it.

The rule follows from the service: a raw status stamps a value with the `time` of the event it came in, cut to seconds.
So a signal repeats history where each of its leaves is in history under the same name, with the same value, in an
event that was sent or measured in that second.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta

import pyarrow as pa

from dimo_etl.events import content_hash, sent_us
from dimo_etl.flatten.table import flatten
from dimo_etl.lake.raw import FROM_SNAPSHOT, events_of, find_unit
from dimo_etl.lake.store import Store
from dimo_etl.model import Event, day_of_us

_VALUES = ("value_number", "value_string", "value_boolean", "value_json")
_SECOND_US = 1_000_000
_Key = tuple[int, object, object, object, object]


class Repeats:
    """Compares the signals that snapshots gave with history, which comes in pieces.

    Args:
        vehicle_id: the vehicle all of it is of.
        signals: events of one signal each, distinct.
    """

    def __init__(self, vehicle_id: str, signals: Sequence[Event]) -> None:
        self._signals = signals
        self._wanted: dict[str, dict[_Key, list[str]]] = defaultdict(lambda: defaultdict(list))
        self._leaves_left: dict[str, int] = defaultdict(int)
        for name, table in flatten(vehicle_id, signals).tables.items():
            for key, event_id in zip(_keys(table, "timestamp"), table.column("event_id").to_pylist(), strict=True):
                self._wanted[name][key].append(event_id)
                self._leaves_left[event_id] += 1

    def note(self, history: Mapping[str, pa.Table]) -> None:
        """Take in rows of history, by name."""
        for name in self._wanted.keys() & history.keys():
            wanted = self._wanted[name]
            seconds = pa.array(sorted({key[0] for key in wanted}), pa.int64())
            for time in ("received_at", "timestamp"):
                table = history[name]
                table = table.filter(pa.compute.is_in(_seconds(table.column(time)), value_set=seconds))
                for key in _keys(table, time):
                    for event_id in wanted.pop(key, ()):
                        self._leaves_left[event_id] -= 1

    def new(self) -> list[Event]:
        """The signals that history, as far as it was noted, does not hold."""
        return [event for event in self._signals if self._leaves_left.get(event.event_id) != 0]


def new_signals(store: Store, vehicle_id: str, day: date, signals: Sequence[Event]) -> list[Event]:
    """Those of a day's signals that the warehouse does not hold yet, neither from history nor from a snapshot."""
    seen = {
        event.event_id
        for origin, events in _held(store, vehicle_id, day)
        if origin == FROM_SNAPSHOT
        for event in events
    }
    distinct = {signal.event_id: signal for signal in signals if signal.event_id not in seen}
    if not distinct:
        return []
    repeats = Repeats(vehicle_id, list(distinct.values()))
    for origin, events in _held(store, vehicle_id, day):
        if origin != FROM_SNAPSHOT:
            repeats.note(flatten(vehicle_id, events).tables)
    repeats.note(flatten(vehicle_id, list(sent_after(store, vehicle_id, day - timedelta(days=1)))).tables)
    return repeats.new()


def sent_after(store: Store, vehicle_id: str, day: date) -> Iterator[Event]:
    """The events of a day's history that were sent when it was over: around midnight, or late for want of reception."""
    for origin, events in _held(store, vehicle_id, day):
        for event in events if origin != FROM_SNAPSHOT else ():
            sent = sent_us(event.payload)
            if sent is not None and day_of_us(sent) > day:
                yield event


def _held(store: Store, vehicle_id: str, day: date) -> Iterator[tuple[str, list[Event]]]:
    unit = find_unit(store, vehicle_id, day)
    return iter(()) if unit is None else events_of(store, unit)


def _keys(table: pa.Table, time: str) -> list[_Key]:
    """What is compared of each row: the second and the value, of JSON its content and not the order of its keys."""
    columns = [table.column(name).to_pylist() for name in _VALUES[:3]]
    texts = [None if text is None else content_hash(text.encode()) for text in table.column("value_json").to_pylist()]
    return list(zip(_seconds(table.column(time)).to_pylist(), *columns, texts, strict=True))


def _seconds(times: pa.ChunkedArray) -> pa.ChunkedArray:
    """Times as whole seconds since the epoch."""
    return pa.compute.floor(pa.compute.divide(times.cast(pa.int64()).cast(pa.float64()), _SECOND_US)).cast(pa.int64())
