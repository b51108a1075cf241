"""Documents of every payload generation, taken apart into leaves, column by column.

The generations A to H are described by DIMO's own sources: flat documents (A, B, C), lists of signals with names and
times of their own (D under `vehicle.signals`, F under `signals`), values nested with source and timestamp (E), and
the raw forms of Ruptela (G) and Tesla (H), which stay as they are, leaf by leaf.

A leaf is named by its path below `data`, object keys joined by dots. Arrays are one leaf, except the lists of signals.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from dimo_etl.flatten.numbers import JsonText, LongNumber, UnreadableError, fits_float, to_json
from dimo_etl.timestamps import to_us

Scalar = str | int | float | bool | LongNumber | JsonText | None


@dataclass(slots=True)
class Column:
    """The leaves of one name: the row of the event each came in, and its value."""

    rows: list[int] = field(default_factory=list)
    values: list[Scalar] = field(default_factory=list)


@dataclass(slots=True)
class TimedColumn(Column):
    """The leaves of one name that carry a time, and perhaps a source, of their own; None: that of their event."""

    times_us: list[int | None] = field(default_factory=list)
    sources: list[str | None] = field(default_factory=list)


class Leaves:
    """Collects the leaves of documents, one call a document, by name."""

    def __init__(self) -> None:
        self.columns: dict[str, Column] = {}
        self.timed: dict[str, TimedColumn] = {}

    def add(self, row: int, data: dict[str, object]) -> None:
        """Take one document's `data` apart.

        Args:
            row: the position of its event; rows are added in ascending order.
            data: the parsed object.

        Raises:
            UnreadableError: a value cannot be kept; nothing of the document is then left here.
        """
        try:
            signals = data.get("signals")
            vehicle = data.get("vehicle")
            if isinstance(signals, list):
                self._add_signal_list(row, "signals", signals)
                self._add_flat(row, data, skip="signals")
            elif isinstance(vehicle, dict) and isinstance(vehicle.get("signals"), list):
                self._add_signal_list(row, "vehicle.signals", vehicle["signals"])
                self._add_object(row, "vehicle", vehicle, skip="signals")
                self._add_flat(row, data, skip="vehicle")
            elif _is_nested(data):
                self._add_nested(row, data)
            else:
                self._add_flat(row, data)
        except RecursionError:
            self._take_back(row)
            raise UnreadableError("nested too deeply") from None
        except UnreadableError:
            self._take_back(row)
            raise

    def _add_flat(self, row: int, data: dict[str, object], skip: str | None = None) -> None:
        columns = self.columns
        for name, value in data.items():
            kind = type(value)
            if kind is dict or kind is list or kind is int:
                if name != skip:
                    self._add_leaf(row, name, value)
                continue
            column = columns.get(name)
            if column is None:
                column = columns[name] = Column()
            column.rows.append(row)
            column.values.append(value)  # type: ignore[arg-type]  # a parsed scalar

    def _add_leaf(self, row: int, name: str, value: object) -> None:
        if isinstance(value, dict) and value:
            self._add_object(row, name, value)
            return
        column = self.columns.get(name)
        if column is None:
            column = self.columns[name] = Column()
        scalar = _scalar(value)
        column.rows.append(row)
        column.values.append(scalar)

    def _add_object(self, row: int, name: str, value: dict[str, object], skip: str | None = None) -> None:
        for key, item in value.items():
            if key != skip:
                self._add_leaf(row, f"{name}.{key}", item)

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
            for key, extra in signal.items():
                if key not in ("name", "value", "timestamp"):
                    self._add_timed(row, f"{signal['name']}.{key}", extra, time_us, None)
        if others or not signals:
            self._add_leaf(row, name, others)

    def _add_nested(self, row: int, data: dict[str, object]) -> None:
        for name, wrapped in data.items():
            if not isinstance(wrapped, dict):  # only `timestamp` may be bare
                self._add_leaf(row, name, wrapped)
                continue
            source = wrapped.get("source")
            time_us = to_us(wrapped["timestamp"])
            own_source = source if isinstance(source, str) else None
            self._add_timed(row, name, wrapped["value"], time_us, own_source)
            for key, extra in wrapped.items():
                if key not in ("value", "timestamp") and not (key == "source" and own_source is not None):
                    self._add_timed(row, f"{name}.{key}", extra, time_us, own_source)

    def _add_timed(self, row: int, name: str, value: object, time_us: int | None, source: str | None) -> None:
        if isinstance(value, dict) and value:
            for key, item in value.items():
                self._add_timed(row, f"{name}.{key}", item, time_us, source)
            return
        column = self.timed.get(name)
        if column is None:
            column = self.timed[name] = TimedColumn()
        scalar = _scalar(value)
        column.rows.append(row)
        column.values.append(scalar)
        column.times_us.append(time_us)
        column.sources.append(source)

    def _take_back(self, row: int) -> None:
        """Forget what was already taken of a document that turned out unreadable."""
        for column in (*self.columns.values(), *self.timed.values()):
            keep = len(column.rows)
            while keep and column.rows[keep - 1] == row:
                keep -= 1
            del column.rows[keep:], column.values[keep:]
            if isinstance(column, TimedColumn):
                del column.times_us[keep:], column.sources[keep:]


def _is_nested(data: dict[str, object]) -> bool:
    """Whether every value is nested with its timestamp (generation E); `timestamp` itself may be bare."""
    wrapped = 0
    for name, value in data.items():
        if isinstance(value, dict) and "value" in value and to_us(value.get("timestamp")) is not None:
            wrapped += 1
        elif name != "timestamp":
            return False
    return wrapped > 0


def _scalar(value: object) -> Scalar:
    if isinstance(value, list | dict):
        return to_json(value)
    if type(value) is int and not fits_float(value):
        return LongNumber(str(value))
    return value  # type: ignore[return-value]  # a parsed scalar
