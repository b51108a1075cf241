"""The signals of a day: one Parquet file, rewritten whole from that day's raw units.

Promise: the rows, their proof (the coverage records in the footer) and the list of the raw units they come from are
replaced by one rename. The same raw units give the same bytes. A file that is up to date is left alone; of one that
is not, the rows of vehicles whose units did not change are taken over as they are.

In an object store no lock keeps other machines out. There the raw units are listed again after the file is in place,
and where they are not those it was made from, it is made again: whoever writes last has seen what all have written.

Flattening works through bounded chunks of events; the rows of each name wait in memory, or on disk where a day is
large, until all vehicles are through.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from dimo_etl.coverage import Coverage
from dimo_etl.lake import layout, raw
from dimo_etl.lake.day_file import SortedRows, merged, read_rows, write_rows
from dimo_etl.lake.flatten_unit import flatten_unit
from dimo_etl.lake.store import StagedFile, Store
from dimo_etl.lake.tables import UNREADABLE, encoded, write_table
from dimo_etl.schema import COVERAGE_KEY, VERSIONS_KEY

# Raised whenever flattening gives other rows, records or bytes for the same documents: every day is then made anew.
FLATTEN_VERSION = 7
_INPUTS_KEY = b"dimo_etl.inputs"
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
        if not units:
            return None
        written = write_units(store, day, units)
        return _followed(store, day, units, written) if store.shared and written.rewritten else written


def _followed(store: Store, day: date, units: list[raw.RawUnit], written: DayWritten) -> DayWritten:
    """Make a day's files again until its raw units are those that they were made from."""
    made_from = _inputs(store, day, units)
    while (now := _inputs(store, day, units := raw.units_of(store, day))) != made_from:
        # Also where the file in place seems right: what could not be understood may be another writer's.
        written, made_from = _put_in_place(store, day, build_units(store, day, units)), now
    return written


def write_units(store: Store, day: date, units: list[raw.RawUnit]) -> DayWritten:
    """Bring a day's Parquet file up to date with some of its raw units, for a caller that holds the day's lock.

    Raises:
        the errors of `write_day`.
    """
    inputs = _inputs(store, day, units)
    name = layout.signals_file(day)
    held = _held(store, name)
    if held is not None and held.inputs == inputs:
        return DayWritten(day, held.rows, held.size_bytes, held.coverage, rewritten=False)
    # Where no lock keeps others out, the file may be another one by the time its rows are read.
    kept = _unchanged(store, day, held, inputs) if held is not None and not store.shared else _Kept()
    if kept.records:
        # A file that turns out to be damaged is no help.
        with contextlib.suppress(*UNREADABLE):
            return _put_in_place(store, day, _build(store, day, units, inputs, kept))
    return _put_in_place(store, day, build_units(store, day, units))


def rewrite_day(store: Store, day: date) -> DayWritten | None:
    """Make a day's files anew also where they seem up to date; None where nothing is held of the day.

    Raises:
        the errors of `write_day`.
    """
    with store.lock(f"signals-{day}"):
        units = raw.units_of(store, day)
        if not units:
            return None
        written = _put_in_place(store, day, build_units(store, day, units))
        return _followed(store, day, units, written) if store.shared else written


def _put_in_place(store: Store, day: date, built: DayBuilt) -> DayWritten:
    if built.quarantine is None:
        store.remove(layout.quarantine_file(day))
    else:
        store.publish(built.quarantine, layout.quarantine_file(day))
    size = built.signals.stat().st_size
    store.publish(built.signals, layout.signals_file(day))
    return DayWritten(day, built.rows, size, built.records, rewritten=True)


def build_units(store: Store, day: date, units: list[raw.RawUnit]) -> DayBuilt:
    """Make a day's files from its raw units alone, staged and not yet in place.

    Raises:
        the errors of `write_day`.
    """
    with store.explained(f"write the signals of {day} to"):
        return _build(store, day, units, _inputs(store, day, units), _Kept())


class _Inputs(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a file is made from: the units, and of vehicles with snapshots also those of the day before."""

    version: int
    units: dict[str, str]
    before: dict[str, str] = {}

    def of(self, vehicle_id: str) -> tuple[int, str | None, str | None]:
        """What the rows of a vehicle are made from."""
        return self.version, self.units.get(vehicle_id), self.before.get(vehicle_id)


@dataclass(frozen=True, slots=True)
class _Held:
    """What the file in place says of itself."""

    inputs: _Inputs
    rows: int
    size_bytes: int
    coverage: tuple[Coverage, ...]


@dataclass(frozen=True, slots=True)
class _Kept:
    """What is taken over from the files in place: records by vehicle, and what is in quarantine."""

    records: dict[str, Coverage] = field(default_factory=dict)
    quarantine: list[dict[str, object]] = field(default_factory=list)


def _build(store: Store, day: date, units: list[raw.RawUnit], inputs: _Inputs, kept: _Kept) -> DayBuilt:
    """Make a day's files; the rows of the vehicles that are kept come from the file in place."""
    records: list[Coverage] = []
    quarantine = list(kept.quarantine)
    rows = SortedRows(store)
    try:
        for unit in units:
            record = kept.records.get(unit.coverage.vehicle_id)
            if record is None:
                found = flatten_unit(store, unit, rows)
                quarantine += found.unread
                record = found.record(unit.coverage)
            records.append(record)
        metadata = {
            COVERAGE_KEY: msgspec.json.encode(records),
            VERSIONS_KEY: _versions(units),
            _INPUTS_KEY: msgspec.json.encode(inputs),
        }
        staged = store.stage()
        if kept.records:
            with store.open(layout.signals_file(day)) as source:
                count = write_rows(staged, merged(read_rows(source, kept.records), rows.in_order()), metadata)
        else:
            count = write_rows(staged, rows.in_order(), metadata)
    finally:
        rows.close()
    unread = store.stage() if quarantine else None
    if unread is not None:
        quarantine.sort(key=lambda row: str(row["vehicle_id"]))
        with StagedFile(unread) as file:
            file.write(encoded(pa.Table.from_pylist(quarantine, schema=_QUARANTINE)))
    return DayBuilt(staged, unread, count, tuple(records))


def _versions(units: list[raw.RawUnit]) -> bytes:
    return msgspec.json.encode(
        [
            {"vehicle_id": unit.coverage.vehicle_id, "date": unit.coverage.date} | msgspec.structs.asdict(version)
            for unit in units
            for version in unit.versions
        ]
    )


def _inputs(store: Store, day: date, units: list[raw.RawUnit]) -> _Inputs:
    before: dict[str, str] = {}
    for vehicle_id in (unit.coverage.vehicle_id for unit in units if unit.coverage.snapshot_events):
        earlier = raw.find_unit(store, vehicle_id, day - timedelta(days=1))
        if earlier is not None:
            before[vehicle_id] = earlier.digest
    return _Inputs(FLATTEN_VERSION, {unit.coverage.vehicle_id: unit.digest for unit in units}, before)


def _held(store: Store, name: str) -> _Held | None:
    """What the file in place says; None where there is none, or a damaged one."""
    if not store.exists(name):
        return None
    try:
        with store.open(name) as source:
            size = source.size()
            footer = pq.read_metadata(source)
        keys = footer.metadata or {}
        records = msgspec.json.decode(keys[COVERAGE_KEY], type=tuple[Coverage, ...])
        return _Held(msgspec.json.decode(keys[_INPUTS_KEY], type=_Inputs), footer.num_rows, size, records)
    except UNREADABLE:
        return None


def _unchanged(store: Store, day: date, held: _Held, inputs: _Inputs) -> _Kept:
    """What of the files in place is made from the same units by the same code."""
    records = {
        record.vehicle_id: record
        for record in held.coverage
        if record.vehicle_id in inputs.units and held.inputs.of(record.vehicle_id) == inputs.of(record.vehicle_id)
    }
    quarantine: list[dict[str, object]] = []
    name = layout.quarantine_file(day)
    if store.exists(name):
        try:
            with store.open(name) as source:
                quarantine = [row for row in pq.read_table(source).to_pylist() if row["vehicle_id"] in records]
        except UNREADABLE:
            return _Kept()
    if len(quarantine) != sum(record.quarantined_events for record in records.values()):
        return _Kept()
    return _Kept(records, quarantine)


def write_quarantine(store: Store, name: str, rows: list[dict[str, object]]) -> None:
    """Replace a quarantine file: whole documents with the reason why each could not be understood."""
    write_table(store, name, _QUARANTINE, rows)
