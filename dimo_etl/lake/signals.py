"""The signals of a day: one Parquet file, rewritten whole from that day's raw units.

Promise: the rows, their proof (the coverage records in the footer) and the list of the raw units they come from are
replaced by one rename. The same raw units give the same bytes. A file that is up to date is left alone.

Rows are sorted by name, vehicle, time and event. Flattening works through bounded chunks of events; the rows of each
name wait in memory, or on disk where a day is large, until all vehicles are through.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from dimo_etl.coverage import Coverage
from dimo_etl.flatten.table import ROWS, Flattened, Quarantined, flatten
from dimo_etl.lake import layout, raw
from dimo_etl.lake.store import Store
from dimo_etl.model import Event
from dimo_etl.schema import COVERAGE_KEY, SIGNALS

# Raised whenever flattening gives other rows or records for the same documents: every day is then rewritten once.
FLATTEN_VERSION = 2
_INPUTS_KEY = b"dimo_etl.inputs"
_CHUNK_EVENTS = 4_000
_SPILL_BYTES = 32 << 20
# The row-group size DuckDB itself writes: fine enough to skip the groups of other names.
_ROW_GROUP = 122_880
_QUARANTINE = pa.schema(
    [
        ("vehicle_id", pa.string()),
        ("event_id", pa.string()),
        ("reason", pa.string()),
        ("origin", pa.string()),
        ("payload", pa.binary()),
    ]
)


@dataclass(frozen=True, slots=True)
class DayWritten:
    """What a day's file holds now.

    Attributes:
        rows: signal rows; bytes: of the Parquet file.
        coverage: the records of every vehicle of the day.
        rewritten: False where the file was already up to date.
    """

    day: date
    rows: int
    size_bytes: int
    coverage: tuple[Coverage, ...]
    rewritten: bool


def write_day(store: Store, day: date) -> DayWritten | None:
    """Bring a day's Parquet file up to date with its raw units; None where nothing is held of the day.

    Raises:
        WarehouseError: a raw unit is damaged, or the file cannot be written.
    """
    with store.lock(f"signals-{day}"):
        units = raw.units_of(store, day)
        if not units:
            return None
        inputs = _fingerprint(units)
        name = layout.signals_file(day)
        if store.exists(name):
            current = _current(store, day, name, inputs)
            if current is not None:
                return current
        rows = _SortedRows(store)
        try:
            with store.explained(f"write the signals of {day} to"):
                return _rewrite(store, day, units, inputs, rows)
        finally:
            rows.close()


def _rewrite(store: Store, day: date, units: list[raw.RawUnit], inputs: bytes, rows: _SortedRows) -> DayWritten:
    records: list[Coverage] = []
    quarantine: list[dict[str, object]] = []
    for unit in units:
        found = _flatten_unit(store, unit, rows)
        quarantine += found.unread
        records.append(_counted(unit.coverage, found))
    _write_quarantine(store, day, quarantine)
    staged = store.stage()
    count = 0
    with pq.ParquetWriter(
        staged,
        SIGNALS,
        compression="zstd",
        use_dictionary=["vehicle_id", "name", "value_number", "value_string", "value_json", "source", "event_id"],
        column_encoding={"timestamp": "DELTA_BINARY_PACKED", "received_at": "DELTA_BINARY_PACKED"},
        write_page_checksum=True,
    ) as writer:
        for group in _row_groups(rows.in_order()):
            writer.write_table(group, row_group_size=_ROW_GROUP)
            count += group.num_rows
        writer.add_key_value_metadata({COVERAGE_KEY: msgspec.json.encode(records), _INPUTS_KEY: inputs})
    size = staged.stat().st_size
    store.publish(staged, layout.signals_file(day))
    return DayWritten(day, count, size, tuple(records), rewritten=True)


def _fingerprint(units: Iterable[raw.RawUnit]) -> bytes:
    return msgspec.json.encode(
        {"version": FLATTEN_VERSION, "units": {unit.coverage.vehicle_id: unit.digest for unit in units}}
    )


def _current(store: Store, day: date, name: str, inputs: bytes) -> DayWritten | None:
    """What the file in place holds, where it was made from these very inputs; a damaged file is rewritten."""
    try:
        with store.open(name) as source:
            size = source.size()
            footer = pq.read_metadata(source)
    except (OSError, pa.ArrowException):
        return None
    keys = footer.metadata or {}
    if keys.get(_INPUTS_KEY) != inputs:
        return None
    records = msgspec.json.decode(keys[COVERAGE_KEY], type=tuple[Coverage, ...])
    return DayWritten(day, footer.num_rows, size, records, rewritten=False)


@dataclass(slots=True)
class _Found:
    """What flattening a unit showed: what could not be read, as rows of quarantine, and whence and when the rest is."""

    unread: list[dict[str, object]] = field(default_factory=list)
    sources: set[str] = field(default_factory=set)
    times_us: set[int] = field(default_factory=set)

    def add(self, flattened: Flattened) -> None:
        self.sources |= flattened.sources
        times = [*flattened.times_us, *self.times_us]
        self.times_us = {min(times), max(times)} if times else set()


def _counted(coverage: Coverage, found: _Found) -> Coverage:
    """The record of a unit with what only flattening can tell."""
    held = coverage.received_events - coverage.duplicate_events
    return msgspec.structs.replace(
        coverage,
        kept_events=held - len(found.unread),
        quarantined_events=len(found.unread),
        sources=tuple(sorted(found.sources)),
        first_event_at=_moment(min(found.times_us)) if found.times_us else None,
        last_event_at=_moment(max(found.times_us)) if found.times_us else None,
    )


def _moment(timestamp_us: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=timestamp_us)


def _flatten_unit(store: Store, unit: raw.RawUnit, rows: _SortedRows) -> _Found:
    """Flatten a unit chunk by chunk."""
    vehicle_id = unit.coverage.vehicle_id
    found = _Found()
    last = (-1, "")
    for chunk in _chunks(raw.events_of(store, unit)):
        chunk.sort(key=_order)
        events = [event for event, _ in chunk]
        flattened = flatten(vehicle_id, events)
        rows.add(flattened.tables, flattened.timed, in_order=_order(chunk[0]) >= last)
        last = max(last, _order(chunk[-1]))
        found.add(flattened)
        origins = {event.event_id: origin for event, origin in chunk} if flattened.quarantined else {}
        found.unread += [_quarantine_row(vehicle_id, item, origins) for item in flattened.quarantined]
    return found


def _order(item: tuple[Event, str]) -> tuple[int, str]:
    event = item[0]
    return (event.timestamp_us if event.timestamp_us is not None else -1, event.event_id)


def _chunks(batches: Iterable[tuple[str, list[Event]]]) -> Iterator[list[tuple[Event, str]]]:
    chunk: list[tuple[Event, str]] = []
    for origin, events in batches:
        chunk += [(event, origin) for event in events]
        if len(chunk) >= _CHUNK_EVENTS:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _quarantine_row(vehicle_id: str, item: Quarantined, origins: dict[str, str]) -> dict[str, object]:
    return {
        "vehicle_id": vehicle_id,
        "event_id": item.event.event_id,
        "reason": item.reason,
        "origin": origins[item.event.event_id],
        "payload": item.event.payload,
    }


def _write_quarantine(store: Store, day: date, rows: list[dict[str, object]]) -> None:
    name = layout.quarantine_file(day)
    if not rows:
        store.remove(name)
        return
    write_quarantine(store, name, rows)


def write_quarantine(store: Store, name: str, rows: list[dict[str, object]]) -> None:
    """Replace a quarantine file: whole documents with the reason why each could not be understood."""
    staged = store.stage()
    with store.explained(f"write {name} in"):
        pq.write_table(pa.Table.from_pylist(rows, schema=_QUARANTINE), staged, compression="zstd")
    store.publish(staged, name)


@dataclass(slots=True)
class _SortedRows:
    """The rows of a day by name, kept in memory up to a bound and on disk beyond it."""

    store: Store
    _tables: dict[str, list[pa.Table]] = field(default_factory=lambda: defaultdict(list))
    _spilled: dict[str, list[tuple[int, int]]] = field(default_factory=lambda: defaultdict(list))
    _files: list[Path] = field(default_factory=list)
    _readers: list[pa.ipc.RecordBatchFileReader] = field(default_factory=list)
    _unsorted: set[str] = field(default_factory=set)
    _bytes: int = 0

    def add(self, tables: dict[str, pa.Table], timed: frozenset[str], *, in_order: bool) -> None:
        """Take the rows of the next chunk of events."""
        for name, table in tables.items():
            self._tables[name].append(table)
            self._bytes += table.nbytes
        self._unsorted |= set(tables) if not in_order else timed
        if self._bytes > _SPILL_BYTES:
            self._spill()

    def in_order(self) -> Iterator[tuple[str, pa.Table]]:
        """Each name with its rows, names in order, rows by vehicle, time and event."""
        for path in self._files:
            self._readers.append(pa.ipc.open_file(pa.OSFile(str(path))))
        for name in sorted(self._tables.keys() | self._spilled.keys()):
            parts = [
                pa.Table.from_batches([self._readers[file].get_batch(batch)]) for file, batch in self._spilled[name]
            ]
            table = pa.concat_tables(parts + self._tables.pop(name, []))
            if name in self._unsorted:
                # The sort is stable: leaves of one event stay in the document's order.
                table = table.take(
                    pa.compute.sort_indices(
                        table,
                        sort_keys=[("vehicle_id", "ascending"), ("timestamp", "ascending"), ("event_id", "ascending")],
                    )
                )
            yield name, table

    def close(self) -> None:
        """Remove what was spilled."""
        self._readers.clear()
        for path in self._files:
            self.store.discard(path)

    def _spill(self) -> None:
        path = self.store.stage()
        with pa.ipc.new_file(str(path), ROWS, options=pa.ipc.IpcWriteOptions(compression="lz4")) as file:
            for batch, (name, tables) in enumerate(self._tables.items()):
                file.write_batch(pa.concat_tables(tables).combine_chunks().to_batches()[0])
                self._spilled[name].append((len(self._files), batch))
        self._files.append(path)
        self._tables.clear()
        self._bytes = 0


def _row_groups(named: Iterable[tuple[str, pa.Table]]) -> Iterator[pa.Table]:
    """Row groups of one size whatever the pieces they come in, so that the same rows give the same bytes."""
    waiting: list[pa.Table] = []
    count = 0
    for name, rows in named:
        waiting.append(rows.append_column("name", pa.repeat(name, rows.num_rows)))
        count += rows.num_rows
        if count >= _ROW_GROUP:
            table = pa.concat_tables(waiting)
            whole = count - count % _ROW_GROUP
            for start in range(0, whole, _ROW_GROUP):
                yield _as_signals(table.slice(start, _ROW_GROUP))
            waiting, count = [table.slice(whole)], count - whole
    if count:
        yield _as_signals(pa.concat_tables(waiting))


def _as_signals(rows: pa.Table) -> pa.Table:
    """Rows in the promised schema, the dictionaries in order of first appearance."""
    columns = []
    for wanted in SIGNALS:
        column = rows.column(wanted.name).combine_chunks()
        columns.append(column.dictionary_encode() if pa.types.is_dictionary(wanted.type) else column)
    return pa.Table.from_arrays(columns, schema=SIGNALS)
