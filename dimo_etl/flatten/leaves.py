"""Documents of every payload generation, taken apart into leaves, column by column.

The generations A to H are described by DIMO's own sources: flat documents (A, B, C), lists of signals with names and
times of their own (D under `vehicle.signals`, F under `signals`), values nested with source and timestamp (E), and
the raw forms of Ruptela (G) and Tesla (H), which stay as they are, leaf by leaf. What a Tesla streams is read by
`tesla_stream` and comes here value by value.

A leaf is named by its path below `data`, object keys joined by dots. Arrays are one leaf, except the lists of signals.

Documents with the same keys are collected and turned over as one, so that the work for each leaf is done in bulk.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import methodcaller
from typing import Any, TypeGuard

from msgspec import UNSET, UnsetType

from dimo_etl.flatten.nested import Stamp, Wrapped
from dimo_etl.flatten.numbers import JsonText, LongNumber, to_json
from dimo_etl.timestamps import to_us

_STAMPS = frozenset({str, int, float})
Scalar = str | int | float | bool | LongNumber | JsonText | None
_values: Callable[[Mapping[str, object]], Iterable[object]] = methodcaller("values")


@dataclass(slots=True)
class Leaves:
    """Leaves of one name: the row of the event each came in, and its value.

    Attributes:
        rows: ascending; documents with the same keys share one list.
        values: integers may be more than float64 holds; all else is as it shall be written.
        kinds: the types among the values.
    """

    rows: Sequence[int]
    values: Sequence[Scalar]
    kinds: set[type]


@dataclass(slots=True)
class TimedLeaves(Leaves):
    """Leaves that carry a time, and perhaps a source, of their own; None: that of their event."""

    times_us: Sequence[int | None]
    sources: Sequence[str | None]


@dataclass(slots=True)
class _SameNestedKeys:
    """Documents of nested values with the same keys: the row of each, and by name the values, times and sources.

    `bare` are the values of `timestamp` where that alone is not nested.
    """

    rows: list[int] = field(default_factory=list)
    bare: list[object] = field(default_factory=list)
    columns: dict[str, tuple[list[object], list[int | None], list[str | None]]] = field(default_factory=dict)


@dataclass(slots=True)
class _SameKeys:
    """Objects with the same keys in the same order: the row of each, and its values."""

    rows: list[int] = field(default_factory=list)
    values: list[Iterable[object]] = field(default_factory=list)


class Collector:
    """Collects documents, in batches, and gives their leaves by name.

    Documents come from `numbers.parse_all`, which lets none through that could not be taken apart.
    """

    def __init__(self) -> None:
        self.columns: dict[str, list[Leaves]] = defaultdict(list)
        self.timed: dict[str, list[TimedLeaves]] = defaultdict(list)
        self._listed: dict[str, tuple[list[int], list[Scalar], list[int | None], list[str | None]]] = {}
        self._documents: dict[tuple[str, ...], _SameKeys] = {}
        self._batch: dict[tuple[str, ...], _SameKeys] = {}
        self._nested: dict[tuple[bool, tuple[str, ...]], _SameNestedKeys] = {}

    def add_all(self, first_row: int, documents: Sequence[Mapping[str, object]], *, nested: bool = False) -> None:
        """Take the `data` of documents whose events follow each other.

        Args:
            first_row: the position of the first one's event; rows are added in ascending order.
            documents: parsed objects.
            nested: whether they are of `NestedDocument`s.
        """
        groups = self._batch if nested else self._documents
        start = first_row
        for keys, run in itertools.groupby(map(tuple, documents)):
            end = start + sum(1 for _ in run)
            alike = documents[start - first_row : end - first_row]
            if not nested and ("signals" in keys or "vehicle" in keys):
                for row, data in zip(range(start, end), alike, strict=True):
                    _put(self._documents, row, self._without_signals(row, data))
            else:
                group = groups.setdefault(keys, _SameKeys())
                group.rows.extend(range(start, end))
                group.values.extend(map(_values, alike))
            start = end

    def _without_signals(self, row: int, data: Mapping[str, object]) -> Mapping[str, object]:
        """Take a document's list of signals, where it has one; gives the rest of its `data`."""
        signals, vehicle = data.get("signals"), data.get("vehicle")
        if isinstance(signals, list):
            self._add_signal_list(row, "signals", signals)
            return {key: value for key, value in data.items() if key != "signals"}
        if isinstance(vehicle, dict) and isinstance(vehicle.get("signals"), list):
            self._add_signal_list(row, "vehicle.signals", vehicle["signals"])
            rest = {key: value for key, value in vehicle.items() if key != "signals"}
            return {key: rest if key == "vehicle" else value for key, value in data.items() if key != "vehicle" or rest}
        return data

    def add_value(self, row: int, name: str, value: Scalar, time_us: int | None) -> None:
        """Take one value that a document holds in a form of its own; `time_us` is None where that is the document's."""
        self._add_timed(row, name, value, time_us, None)

    def end_batch(self) -> None:
        """Take nested documents apart while they are at hand."""
        for keys, group in self._batch.items():
            columns = list(zip(*group.values, strict=True))
            if not self._took_nested(keys, group.rows, columns):
                for row, values in zip(group.rows, zip(*columns, strict=True), strict=True):
                    plain = [value.plain() if type(value) is Wrapped else value for value in values]
                    _put(self._documents, row, dict(zip(keys, plain, strict=True)))
        self._batch.clear()

    def finish(self) -> None:
        """Turn what was collected over into `columns` and `timed`."""
        for nested in self._nested.values():
            self._take_nested(nested)
        for keys, group in self._documents.items():
            columns = list(zip(*group.values, strict=True))
            # A nested document has nothing but objects, and perhaps a bare time.
            if keys and all(
                name == "timestamp" or dict in set(map(type, column))
                for name, column in zip(keys, columns, strict=True)
            ):
                self._take_mixed(keys, group.rows, columns)
            else:
                self._take_columns("", keys, group.rows, columns)
        self._flush_listed()

    def _take_columns(
        self, prefix: str, keys: tuple[str, ...], rows: list[int], columns: Iterable[Sequence[object]]
    ) -> None:
        for key, values in zip(keys, columns, strict=True):
            self._take(prefix + key, rows, values)

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
                # Where all are of one kind they share the rows of their documents.
                same = rows if len(groups) == 1 and not left.rows else group.rows
                self._take_columns(f"{name}.", keys, same, zip(*group.values, strict=True))  # type: ignore[arg-type]
            if not left.rows:
                return
            rows, values = left.rows, left.values
        self.columns[name].append(Leaves(rows, _scalars(values, kinds), kinds))

    def _took_nested(self, keys: tuple[str, ...], rows: list[int], columns: Sequence[Sequence[Any]]) -> bool:
        """Take documents of nothing but nested values; False, and nothing taken, where one is any different."""
        parts: dict[str, tuple[Sequence[object], Sequence[int | None], Sequence[str | None]]] = {}
        bare: Sequence[object] = ()
        stamps: Sequence[Stamp] = ()
        times: Sequence[int | None] = ()
        given: Sequence[str | UnsetType] = ()
        sources: Sequence[str | None] = ()
        for name, column in zip(keys, columns, strict=True):
            kinds = set(map(type, column))
            if name == "timestamp" and Wrapped not in kinds:
                bare = column
                continue
            if kinds != {Wrapped}:
                return False
            values = [wrapped.value for wrapped in column]
            here = [wrapped.source for wrapped in column]
            stamped = [wrapped.timestamp for wrapped in column]
            # Mostly all of a message have one time and one source.
            if here != given:
                given = here
                known = {source: None if source is UNSET else source for source in given}
                sources = [known[source] for source in given]
            if stamped != stamps:
                stamps = stamped
                moments = {stamp: to_us(stamp) for stamp in stamps}
                if None in moments.values():
                    return False
                times = [moments[stamp] for stamp in stamps]
            parts[name] = (values, times, sources)
        group = self._nested.setdefault((bool(bare), keys), _SameNestedKeys())
        group.rows.extend(rows)
        group.bare.extend(bare)
        for name, part in parts.items():
            for kept, more in zip(group.columns.setdefault(name, ([], [], [])), part, strict=True):
                kept.extend(more)  # type: ignore[attr-defined]
        return True

    def _take_nested(self, group: _SameNestedKeys) -> None:
        """Names with the same times, or the same sources, get one list of them."""
        if group.bare:
            self._take("timestamp", group.rows, group.bare)
        times: list[int | None] = []
        sources: list[str | None] = []
        for name, (values, own_times, own_sources) in group.columns.items():
            times = times if own_times == times else own_times
            sources = sources if own_sources == sources else own_sources
            self._take_timed(name, group.rows, values, times, sources)

    def _take_mixed(self, keys: tuple[str, ...], rows: list[int], columns: Sequence[Sequence[object]]) -> None:
        """Documents of which some may be nested; one with a time that cannot be read is no such document, but flat."""
        flat = _SameKeys()
        for row, values in zip(rows, zip(*columns, strict=True), strict=True):
            data = dict(zip(keys, values, strict=True))
            if not _is_nested(data):
                flat.rows.append(row)
                flat.values.append(values)
                continue
            for name, value in data.items():
                self._add_nested(row, name, value)
        if flat.rows:
            self._take_columns("", keys, flat.rows, zip(*flat.values, strict=True))

    def _add_nested(self, row: int, name: str, value: object) -> None:
        if not _is_wrapped(value):
            self._take(name, [row], [value])
            return
        source = value.get("source")
        source = source if isinstance(source, str) else None
        time_us = to_us(value["timestamp"])
        self._add_timed(row, name, value["value"], time_us, source)
        for key, extra in value.items():
            if key not in ("value", "timestamp") and not (key == "source" and source is not None):
                self._add_timed(row, f"{name}.{key}", extra, time_us, source)

    def _take_timed(
        self,
        name: str,
        rows: Sequence[int],
        values: Sequence[object],
        times_us: Sequence[int | None],
        sources: Sequence[str | None],
    ) -> None:
        kinds = set(map(type, values))
        if dict in kinds:
            for row, value, time_us, source in zip(rows, values, times_us, sources, strict=True):
                self._add_timed(row, name, value, time_us, source)
        else:
            self.timed[name].append(TimedLeaves(rows, _scalars(values, kinds), kinds, times_us, sources))

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
        listed = self._listed.get(name)
        if listed is None:
            listed = self._listed[name] = ([], [], [], [])
        rows, values, times, sources = listed
        rows.append(row)
        values.append(_scalar(value))
        times.append(time_us)
        sources.append(source)

    def _flush_listed(self) -> None:
        for name, (rows, values, times, sources) in self._listed.items():
            self.timed[name].append(TimedLeaves(rows, values, set(map(type, values)), times, sources))


def _put(groups: dict[tuple[str, ...], _SameKeys], row: int, found: Mapping[str, object]) -> None:
    keys = tuple(found)
    group = groups.get(keys)
    if group is None:
        group = groups[keys] = _SameKeys()
    group.rows.append(row)
    group.values.append(found.values())


def _is_nested(data: dict[str, object]) -> bool:
    """Whether every value is nested with a readable time (generation E); `timestamp` itself may be bare."""
    wrapped = 0
    for name, value in data.items():
        if _is_wrapped(value):
            if to_us(value["timestamp"]) is None:
                return False
            wrapped += 1
        elif name != "timestamp":
            return False
    return wrapped > 0


def _is_wrapped(value: object) -> TypeGuard[dict[str, Any]]:
    return type(value) is dict and "value" in value and type(value.get("timestamp")) in _STAMPS


def _scalars(values: Sequence[object], kinds: set[type]) -> Sequence[Scalar]:
    """Values as the leaves they are; `kinds`, the types among them, are brought in line."""
    if list not in kinds and dict not in kinds:
        return values  # type: ignore[return-value]  # parsed scalars
    scalars = list(map(_scalar, values))
    kinds.clear()
    kinds.update(map(type, scalars))
    return scalars


def _scalar(value: object) -> Scalar:
    if isinstance(value, list | dict):
        return to_json(value)
    return value  # type: ignore[return-value]  # a parsed scalar
