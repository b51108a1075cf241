"""Documents of every payload generation, taken apart into leaves, column by column.

The generations A to H are described by DIMO's own sources: flat documents (A, B, C), lists of signals with names and
times of their own (D under `vehicle.signals`, F under `signals`), values nested with source and timestamp (E), and
the raw forms of Ruptela (G) and Tesla (H), which stay as they are, leaf by leaf.

A leaf is named by its path below `data`, object keys joined by dots. Arrays are one leaf, except the lists of signals.

Documents with the same keys are collected and turned over as one, so that the work for each leaf is done in bulk.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeGuard, cast

from dimo_etl.flatten.numbers import JsonText, LongNumber, fits_float, to_json
from dimo_etl.timestamps import to_us

Stamp = str | int | float
_STAMPS = frozenset({str, int, float})
Scalar = str | int | float | bool | LongNumber | JsonText | None
_EXACT_INTEGERS = 2**53


@dataclass(slots=True)
class Column:
    """The leaves of one name: the row of the event each came in, ascending, and its value."""

    rows: list[int] = field(default_factory=list)
    values: list[Scalar] = field(default_factory=list)


@dataclass(slots=True)
class TimedColumn(Column):
    """The leaves of one name that carry a time, and perhaps a source, of their own; None: that of their event."""

    times_us: list[int | None] = field(default_factory=list)
    sources: list[str | None] = field(default_factory=list)


@dataclass(slots=True)
class _SameKeys:
    """Objects with the same keys in the same order: the row of each, and its values."""

    rows: list[int] = field(default_factory=list)
    values: list[Iterable[object]] = field(default_factory=list)


class Leaves:
    """Collects documents, one call each, and gives their leaves by name.

    Documents come from `numbers.parse`, which lets none through that could not be taken apart.
    """

    def __init__(self) -> None:
        self.columns: dict[str, Column] = {}
        self.timed: dict[str, TimedColumn] = {}
        self._flat: dict[tuple[str, ...], _SameKeys] = {}
        self._nested: dict[tuple[str, ...], _SameKeys] = {}

    def add(self, row: int, data: dict[str, object]) -> None:
        """Take one document's `data`.

        Args:
            row: the position of its event; rows are added in ascending order.
            data: the parsed object.
        """
        signals, vehicle = data.get("signals"), data.get("vehicle")
        if isinstance(signals, list):
            self._add_signal_list(row, "signals", signals)
            data = {key: value for key, value in data.items() if key != "signals"}
        elif isinstance(vehicle, dict) and isinstance(vehicle.get("signals"), list):
            self._add_signal_list(row, "vehicle.signals", vehicle["signals"])
            rest = {key: value for key, value in vehicle.items() if key != "signals"}
            data = {key: rest if key == "vehicle" else value for key, value in data.items() if key != "vehicle" or rest}
        elif _is_nested(data):
            _put(self._nested, row, data)
            return
        _put(self._flat, row, data)

    def finish(self) -> None:
        """Turn what was collected over into `columns` and `timed`."""
        for keys, group in self._nested.items():
            self._take_nested_objects(keys, group)
        for keys, group in self._flat.items():
            self._take_objects("", keys, group)
        for column in self.columns.values():
            _in_order(column)

    def _take_objects(self, prefix: str, keys: tuple[str, ...], group: _SameKeys) -> None:
        for key, values in zip(keys, zip(*group.values, strict=True), strict=True):
            self._take(prefix + key, group.rows, values)

    def _take(self, name: str, rows: Sequence[int], values: Sequence[object]) -> None:
        """Values of one name; those that are objects are taken apart further."""
        kinds = set(map(type, values))
        if dict in kinds:
            groups: dict[tuple[str, ...], _SameKeys] = {}
            left = _SameKeys()
            for row, value in zip(rows, values, strict=True):
                if isinstance(value, dict) and value:
                    _put(groups, row, value)
                else:
                    left.rows.append(row)
                    left.values.append(value)  # type: ignore[arg-type]  # a leaf
            for keys, group in groups.items():
                self._take_objects(f"{name}.", keys, group)
            if not left.rows:
                return
            rows, values = left.rows, left.values
        column = self.columns.get(name)
        if column is None:
            column = self.columns[name] = Column()
        column.rows.extend(rows)
        column.values.extend(_scalars(values, kinds))

    def _take_nested_objects(self, keys: tuple[str, ...], group: _SameKeys) -> None:
        """Documents of nested values; one with a time that cannot be read is no such document, and goes to the flat."""
        columns = list(zip(*group.values, strict=True))
        stamps: set[Stamp] = set()
        for name, column in zip(keys, columns, strict=True):
            stamps.update([value["timestamp"] for value in _all_wrapped(name, column)])
        times_us = {stamp: to_us(stamp) for stamp in stamps}
        if None not in times_us.values():
            for name, column in zip(keys, columns, strict=True):
                self._take_nested(name, group.rows, column, times_us)
            return
        for row, values in zip(group.rows, zip(*columns, strict=True), strict=True):
            if any(_is_wrapped(value) and times_us[value["timestamp"]] is None for value in values):
                _put(self._flat, row, dict(zip(keys, values, strict=True)))
            else:
                for name, value in zip(keys, values, strict=True):
                    self._take_nested(name, [row], [value], times_us)

    def _take_nested(
        self, name: str, rows: list[int], column: Sequence[object], times_us: dict[Stamp, int | None]
    ) -> None:
        """Values of one name, each with its time and source; `timestamp` may also be bare."""
        wrapped = _all_wrapped(name, column)
        if len(wrapped) < len(column):
            bare = [(row, value) for row, value in zip(rows, column, strict=True) if not _is_wrapped(value)]
            self._take(name, [row for row, _ in bare], [value for _, value in bare])
            rows = [row for row, value in zip(rows, column, strict=True) if _is_wrapped(value)]
        times = [times_us[value["timestamp"]] for value in wrapped]
        given = [value.get("source") for value in wrapped]
        sources = [source if isinstance(source, str) else None for source in given]
        values = [value["value"] for value in wrapped]
        kinds = set(map(type, values))
        if dict in kinds:
            for each in zip(rows, values, times, sources, strict=True):
                self._add_timed(each[0], name, *each[1:])
        elif wrapped:
            timed = self._timed_column(name)
            timed.rows.extend(rows)
            timed.values.extend(_scalars(values, kinds))
            timed.times_us.extend(times)
            timed.sources.extend(sources)
        if set(map(len, wrapped)) - {2, 3} or None in sources:
            for row, value, time_us, source in zip(rows, wrapped, times, sources, strict=True):
                for key, extra in value.items():
                    if key not in ("value", "timestamp") and not (key == "source" and source is not None):
                        self._add_timed(row, f"{name}.{key}", extra, time_us, source)

    def _add_signal_list(self, row: int, name: str, signals: list[object]) -> None:
        """Each element is a signal; elements that are none are kept together as JSON under the list's name."""
        others: list[object] = []
        for signal in signals:
            if not isinstance(signal, dict) or not isinstance(signal.get("name"), str) or "value" not in signal:
                others.append(signal)
                continue
            stamp = signal.get("timestamp")
            time_us = to_us(stamp)
            if stamp is not None and time_us is None:
                others.append(signal)
                continue
            self._add_timed(row, signal["name"], signal["value"], time_us, None)
            if len(signal) > 2 + ("timestamp" in signal):
                for key, extra in signal.items():
                    if key not in ("name", "value", "timestamp"):
                        self._add_timed(row, f"{signal['name']}.{key}", extra, time_us, None)
        if others or not signals:
            self._take(name, [row], [others])

    def _add_timed(self, row: int, name: str, value: object, time_us: int | None, source: str | None) -> None:
        if isinstance(value, dict) and value:
            for key, item in value.items():
                self._add_timed(row, f"{name}.{key}", item, time_us, source)
            return
        column = self._timed_column(name)
        column.rows.append(row)
        column.values.append(_scalar(value))
        column.times_us.append(time_us)
        column.sources.append(source)

    def _timed_column(self, name: str) -> TimedColumn:
        column = self.timed.get(name)
        if column is None:
            column = self.timed[name] = TimedColumn()
        return column


def _put(groups: dict[tuple[str, ...], _SameKeys], row: int, found: dict[str, object]) -> None:
    keys = tuple(found)
    group = groups.get(keys)
    if group is None:
        group = groups[keys] = _SameKeys()
    group.rows.append(row)
    group.values.append(found.values())


def _in_order(column: Column) -> None:
    """Bring the rows of documents with different keys back into their order; equal rows keep theirs."""
    rows = column.rows
    if all(map(int.__le__, rows, rows[1:])):
        return
    order = sorted(range(len(rows)), key=rows.__getitem__)
    values = column.values
    column.rows, column.values = [rows[n] for n in order], [values[n] for n in order]


def _is_nested(data: dict[str, object]) -> bool:
    """Whether every value is nested with its timestamp (generation E); `timestamp` itself may be bare."""
    wrapped = 0
    for name, value in data.items():
        if _is_wrapped(value):
            wrapped += 1
        elif name != "timestamp":
            return False
    return wrapped > 0


def _all_wrapped(name: str, column: Sequence[object]) -> Sequence[dict[str, Any]]:
    """The nested values of a column of nested documents: all of it, but for a bare `timestamp`."""
    if name != "timestamp":
        return cast(Sequence[dict[str, Any]], column)
    return [value for value in column if _is_wrapped(value)]


def _is_wrapped(value: object) -> TypeGuard[dict[str, Any]]:
    return type(value) is dict and "value" in value and type(value.get("timestamp")) in _STAMPS


def _scalars(values: Sequence[object], kinds: set[type]) -> Iterable[Scalar]:
    """Values as the leaves they are; `kinds` are the types among them."""
    if int in kinds:
        integers = [value for value in values if type(value) is int]
        if max(integers) > _EXACT_INTEGERS or min(integers) < -_EXACT_INTEGERS:
            return map(_scalar, values)
    if list in kinds or dict in kinds:
        return map(_scalar, values)
    return values  # type: ignore[return-value]  # parsed scalars


def _scalar(value: object) -> Scalar:
    if isinstance(value, list | dict):
        return to_json(value)
    if type(value) is int and not fits_float(value):
        return LongNumber(str(value))
    return value  # type: ignore[return-value]  # a parsed scalar
