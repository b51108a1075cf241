"""The file of a day's signals: its rows in order, written in bounded memory, and read back name by name.

Promise: rows are sorted by name, vehicle, time and event, and the same rows give the same bytes, whatever the pieces
they came in and whether they were flattened now or taken from the file in place.
"""

from __future__ import annotations

import hashlib
import itertools
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from dimo_etl.flatten.table import ROWS
from dimo_etl.lake.store import StagedFile, Store
from dimo_etl.lake.tables import ARROW, WRITER_KEY
from dimo_etl.schema import SIGNALS

_SPILL_BYTES = 32 << 20
# What a row takes beside its texts: times, number, event and vehicle ids, and what marks nulls.
_ROW_BYTES = 100
# The row-group size DuckDB itself writes: fine enough to skip the groups of other names.
_ROW_GROUP = 122_880
# One page for each column of a row group, since compression ends with its page: ids and times come again with each
# name, and are found again only within it. Ids and times of a row group take less; only texts can need several.
_PAGE_BYTES = 16 << 20
_LEVELS = {"value_number": 6, "value_string": 6, "event_id": 6}
_OPTIONS: Mapping[str, object] = {
    "compression": "zstd",
    # Measured: the others are hardly smaller at 6, and take longer to write.
    "compression_level": {column: _LEVELS.get(column, 3) for column in SIGNALS.names},
    # Measured: times, numbers, texts and ids plain are smaller than deltas, split streams and dictionaries, and
    # are written faster: what a name repeats of the name before it is what the compression finds.
    "use_dictionary": ["vehicle_id", "name", "value_json", "source"],
    "data_page_size": _PAGE_BYTES,
    "max_rows_per_page": _ROW_GROUP,
    "dictionary_pagesize_limit": _PAGE_BYTES,
    # Ids are random: the bounds of a row group's tell nothing.
    "write_statistics": [column for column in SIGNALS.names if column != "event_id"],
    "write_page_checksum": True,
}
_LAYOUT = hashlib.blake2b(f"{SIGNALS} {_ROW_GROUP} {_OPTIONS}".encode(), digest_size=8).hexdigest()
# Twice, so that a bit that flips in one is not taken for another layout.
_WRITER = f"{pa.__version__} {_LAYOUT} {_LAYOUT}".encode()

_SORT_KEYS = [("vehicle_id", "ascending"), ("timestamp", "ascending"), ("event_id", "ascending")]

Named = tuple[str, pa.Table]
"""A name and rows of it, in order."""


def write_rows(path: Path, rows: Iterable[Named], metadata: Mapping[bytes, bytes]) -> int:
    """Write a file of rows that come by name, names in order; returns how many there are."""
    count = 0
    with (
        StagedFile(path) as file,
        pq.ParquetWriter(file, SIGNALS, **_OPTIONS) as writer,
    ):
        for group in _row_groups(rows):
            writer.write_table(group, row_group_size=_ROW_GROUP)
            count += group.num_rows
        writer.add_key_value_metadata({**metadata, WRITER_KEY: _WRITER})
    return count


def holds_the_same(held: pq.ParquetFile, made: pq.ParquetFile) -> bool:
    """Whether a file of another version of Arrow or of this module holds the rows and records of one made now.

    Of the same versions the same rows give the same bytes, so where the bytes differ the answer is no.
    """
    if not _is_of_another_writer(held.metadata) or _said(held.metadata) != _said(made.metadata):
        return False
    if not held.schema_arrow.equals(made.schema_arrow):
        return False
    return all(one.equals(other) for one, other in zip(_plain_pieces(held), _plain_pieces(made), strict=True))


def _is_of_another_writer(footer: pq.FileMetaData) -> bool:
    writer = _keys(footer).get(WRITER_KEY)
    if writer is None:
        return True
    version, layout, again = (*writer.decode("latin-1").split(" "), "", "", "")[:3]
    # Arrow says its version in a place of its own, too.
    other_arrow: bool = version != pa.__version__ and footer.created_by == ARROW + version
    return other_arrow or layout == again != _LAYOUT


def _said(footer: pq.FileMetaData) -> tuple[int, dict[bytes, bytes]]:
    """How many rows a file has, and what its footer says beside the schema and who wrote it."""
    return footer.num_rows, {
        key: value for key, value in _keys(footer).items() if key not in (WRITER_KEY, b"ARROW:schema")
    }


def _keys(footer: pq.FileMetaData) -> dict[bytes, bytes]:
    """What a footer says beside the schema; a damaged one may have lost it all."""
    return footer.metadata or {}


def _plain_pieces(file: pq.ParquetFile) -> Iterator[pa.RecordBatch]:
    """The rows piece by piece, texts as texts; where a piece ends hangs on the rows alone."""
    for batch in file.iter_batches(batch_size=_ROW_GROUP):
        columns = [
            column.dictionary_decode() if pa.types.is_dictionary(column.type) else column for column in batch.columns
        ]
        yield pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def read_rows(source: pa.NativeFile, vehicles: Collection[str]) -> Iterator[Named]:
    """The rows of some vehicles in a file that `write_rows` wrote, by name, in pieces."""
    wanted = pa.array(sorted(vehicles), pa.string())
    with pq.ParquetFile(source, page_checksum_verification=True) as file:
        for group in range(file.num_row_groups):
            for name, rows in _runs(file.read_row_group(group), "name"):
                is_kept = pa.compute.is_in(rows.column("vehicle_id"), value_set=wanted)
                # Mostly all are, and copying rows takes longer than finding that out.
                kept = rows if pa.compute.all(is_kept).as_py() else rows.filter(is_kept)
                if kept.num_rows:
                    yield name, kept.select(ROWS.names).cast(ROWS)


def merged(some: Iterator[Named], others: Iterator[Named]) -> Iterator[Named]:
    """The rows of both, which have no vehicle in common."""
    some, others = _by_name(some), _by_name(others)
    one, other = next(some, None), next(others, None)
    while one and other:
        if one[0] == other[0]:
            runs = [*_runs(one[1], "vehicle_id"), *_runs(other[1], "vehicle_id")]
            yield one[0], pa.concat_tables([rows for _, rows in sorted(runs, key=lambda run: run[0])])
            one, other = next(some, None), next(others, None)
        elif one[0] < other[0]:
            yield one
            one = next(some, None)
        else:
            yield other
            other = next(others, None)
    for left, rest in ((one, some), (other, others)):
        if left:
            yield left
            yield from rest


def _by_name(rows: Iterator[Named]) -> Iterator[Named]:
    """Each name once, with all its rows."""
    for name, pieces in itertools.groupby(rows, key=itemgetter(0)):
        yield name, pa.concat_tables([piece for _, piece in pieces])


def _runs(table: pa.Table, column: str) -> Iterator[Named]:
    """The stretches of rows that have one value of a column."""
    values = table.column(column).cast(pa.string()).combine_chunks()
    ends = pa.compute.run_end_encode(values, run_end_type=pa.int64())
    start = 0
    for end, value in zip(ends.run_ends.to_pylist(), ends.values.to_pylist(), strict=True):
        yield value, table.slice(start, end - start)
        start = end


def _is_in_order(table: pa.Table) -> bool:
    """Whether rows are by vehicle, time and event."""
    vehicles = pa.compute.run_end_encode(table.column("vehicle_id").combine_chunks())
    steps = np.diff(table.column("timestamp").cast(pa.int64()).to_numpy())
    steps[vehicles.run_ends.to_numpy()[:-1] - 1] = 1  # from one vehicle to the next
    named = vehicles.values.to_pylist()
    if named != sorted(set(named)) or (steps < 0).any():
        return False
    ties = pa.array(np.flatnonzero(steps == 0))
    if not len(ties):
        return True
    events = table.column("event_id")
    ordered = pa.compute.less_equal(events.take(ties), events.take(pa.compute.add(ties, 1)))
    return bool(pa.compute.all(ordered).as_py())


@dataclass(slots=True)
class SortedRows:
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
            texts = table.column("value_string").nbytes + table.column("value_json").nbytes
            self._bytes += table.num_rows * _ROW_BYTES + texts
        self._unsorted |= set(tables) if not in_order else timed
        if self._bytes > _SPILL_BYTES:
            self._spill()

    def in_order(self) -> Iterator[Named]:
        """Each name with its rows, names in order, rows by vehicle, time and event; they may come in pieces."""
        for path in self._files:
            self._readers.append(pa.ipc.open_file(pa.OSFile(str(path))))
        for name in sorted(self._tables.keys() | self._spilled.keys()):
            if name not in self._unsorted:
                for part in self._parts(name):
                    yield name, part
            else:
                table = pa.concat_tables(list(self._parts(name)))
                # Most are in order, and sorting takes longer than finding that out.
                if not _is_in_order(table):
                    # The sort is stable: leaves of one event stay in the document's order.
                    table = table.take(pa.compute.sort_indices(table, sort_keys=_SORT_KEYS))
                yield name, table

    def _parts(self, name: str) -> Iterator[pa.Table]:
        """The rows of a name in the pieces they came in; of those on disk one at a time."""
        for file, batch in self._spilled[name]:
            yield pa.Table.from_batches([self._readers[file].get_batch(batch)])
        yield from self._tables.pop(name, [])

    def close(self) -> None:
        """Remove what was spilled."""
        self._readers.clear()
        for path in self._files:
            self.store.discard(path)

    def _spill(self) -> None:
        path = self.store.stage()
        options = pa.ipc.IpcWriteOptions(compression="lz4")
        with StagedFile(path) as spilled, pa.ipc.new_file(spilled, ROWS, options=options) as file:
            for batch, (name, tables) in enumerate(self._tables.items()):
                file.write_batch(pa.concat_tables(tables).combine_chunks().to_batches()[0])
                self._spilled[name].append((len(self._files), batch))
        self._files.append(path)
        self._tables.clear()
        self._bytes = 0


def _row_groups(named: Iterable[Named]) -> Iterator[pa.Table]:
    """Row groups of one size whatever the pieces they come in, so that the same rows give the same bytes."""
    waiting: list[Named] = []
    count = 0
    for name, rows in named:
        waiting.append((name, rows))
        count += rows.num_rows
        if count >= _ROW_GROUP:
            left = count % _ROW_GROUP
            yield from _split(waiting, count - left)
            waiting, count = [(name, rows.slice(rows.num_rows - left))], left
    if count:
        yield from _split(waiting, count)


def _split(named: Sequence[Named], count: int) -> Iterator[pa.Table]:
    """The first `count` rows of some pieces, in row groups."""
    names = {name: number for number, (name, _) in enumerate(itertools.groupby(named, key=itemgetter(0)))}
    numbers = np.array([names[name] for name, _ in named], np.int32).repeat([rows.num_rows for _, rows in named])
    table = pa.concat_tables([rows for _, rows in named])
    for start in range(0, count, _ROW_GROUP):
        here = numbers[start : min(start + _ROW_GROUP, count)]
        first, last = here[0], here[-1]
        of_names = pa.DictionaryArray.from_arrays(here - first, list(names)[first : last + 1])
        yield _as_signals(table.slice(start, len(here)), of_names)


def _as_signals(rows: pa.Table, names: pa.DictionaryArray) -> pa.Table:
    """Rows in the promised schema, the dictionaries in order of first appearance."""
    columns = []
    for wanted in SIGNALS:
        column = names if wanted.name == "name" else rows.column(wanted.name).combine_chunks()
        columns.append(column.dictionary_encode() if pa.types.is_dictionary(wanted.type) else column)
    return pa.Table.from_arrays(columns, schema=SIGNALS)
