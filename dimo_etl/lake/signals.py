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
from datetime import date, timedelta
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from dimo_etl.coverage import Coverage
from dimo_etl.flatten.table import ROWS
from dimo_etl.lake import layout, raw
from dimo_etl.lake.flatten_unit import flatten_unit
from dimo_etl.lake.store import Store
from dimo_etl.lake.tables import UNREADABLE, encoded, write_table
from dimo_etl.schema import COVERAGE_KEY, SIGNALS

# Raised whenever flattening gives other rows or records for the same documents: every day is then rewritten once.
FLATTEN_VERSION = 3
_INPUTS_KEY = b"dimo_etl.inputs"
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


@dataclass(frozen=True, slots=True)
class DayBuilt:
    """A day's files as its raw units give them: staged signals and quarantine, how many rows, and the records."""

    signals: Path
    quarantine: Path | None
    rows: int
    records: tuple[Coverage, ...]


def write_day(store: Store, day: date) -> DayWritten | None:
    """Bring a day's Parquet file up to date with its raw units; None where nothing is held of the day.

    Raises:
        WarehouseError: a raw unit is damaged, or the file cannot be written.
    """
    with store.lock(f"signals-{day}"):
        units = raw.units_of(store, day)
        return write_units(store, day, units) if units else None


def write_units(store: Store, day: date, units: list[raw.RawUnit]) -> DayWritten:
    """Bring a day's Parquet file up to date with some of its raw units, for a caller that holds the day's lock.

    Raises:
        the errors of `write_day`.
    """
    inputs = _fingerprint(store, day, units)
    name = layout.signals_file(day)
    if store.exists(name):
        current = _current(store, day, name, inputs)
        if current is not None:
            return current
    return _put_in_place(store, day, build_units(store, day, units))


def rewrite_day(store: Store, day: date) -> DayWritten | None:
    """Make a day's files anew also where they seem up to date; None where nothing is held of the day.

    Raises:
        the errors of `write_day`.
    """
    with store.lock(f"signals-{day}"):
        units = raw.units_of(store, day)
        return _put_in_place(store, day, build_units(store, day, units)) if units else None


def _put_in_place(store: Store, day: date, built: DayBuilt) -> DayWritten:
    if built.quarantine is None:
        store.remove(layout.quarantine_file(day))
    else:
        store.publish(built.quarantine, layout.quarantine_file(day))
    size = built.signals.stat().st_size
    store.publish(built.signals, layout.signals_file(day))
    return DayWritten(day, built.rows, size, built.records, rewritten=True)


def build_units(store: Store, day: date, units: list[raw.RawUnit]) -> DayBuilt:
    """Make a day's files from its raw units, staged and not yet in place.

    Raises:
        the errors of `write_day`.
    """
    rows = _SortedRows(store)
    try:
        with store.explained(f"write the signals of {day} to"):
            return _build(store, units, _fingerprint(store, day, units), rows)
    finally:
        rows.close()


def _build(store: Store, units: list[raw.RawUnit], inputs: bytes, rows: _SortedRows) -> DayBuilt:
    records: list[Coverage] = []
    quarantine: list[dict[str, object]] = []
    for unit in units:
        found = flatten_unit(store, unit, rows)
        quarantine += found.unread
        records.append(found.record(unit.coverage))
    unread = store.stage() if quarantine else None
    if unread is not None:
        unread.write_bytes(encoded(pa.Table.from_pylist(quarantine, schema=_QUARANTINE)))
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
    return DayBuilt(staged, unread, count, tuple(records))


def _fingerprint(store: Store, day: date, units: list[raw.RawUnit]) -> bytes:
    """What the file is made from: the units, and of vehicles with snapshots also those of the day before."""
    inputs = {"version": FLATTEN_VERSION, "units": {unit.coverage.vehicle_id: unit.digest for unit in units}}
    before: dict[str, str] = {}
    for vehicle_id in (unit.coverage.vehicle_id for unit in units if unit.coverage.snapshot_events):
        earlier = raw.find_unit(store, vehicle_id, day - timedelta(days=1))
        if earlier is not None:
            before[vehicle_id] = earlier.digest
    return msgspec.json.encode(inputs | ({"before": before} if before else {}))


def _current(store: Store, day: date, name: str, inputs: bytes) -> DayWritten | None:
    """What the file in place holds, where it was made from these very inputs; a damaged file is rewritten."""
    try:
        with store.open(name) as source:
            size = source.size()
            footer = pq.read_metadata(source)
            keys = footer.metadata or {}
            records = msgspec.json.decode(keys[COVERAGE_KEY], type=tuple[Coverage, ...])
    except UNREADABLE:
        return None
    if keys.get(_INPUTS_KEY) != inputs:
        return None
    return DayWritten(day, footer.num_rows, size, records, rewritten=False)


def write_quarantine(store: Store, name: str, rows: list[dict[str, object]]) -> None:
    """Replace a quarantine file: whole documents with the reason why each could not be understood."""
    write_table(store, name, _QUARANTINE, rows)


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
