"""Is every file of the warehouse what was written, and does each follow from what it was made from?

Promise: a flipped bit or a missing end is found wherever it is. Raw units are held against their digests, counts and
records; what is made from them is made again and compared byte for byte; other files are read to their end with
checksums, and their rows written again and compared. A file that another version of Arrow or another layout wrote has
other bytes for the same rows: it is held against rows and records. Nothing is changed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from enum import Enum
from pathlib import Path

import pyarrow.parquet as pq

from dimo_etl.errors import WarehouseError
from dimo_etl.lake import layout, raw
from dimo_etl.lake.day_file import holds_the_same
from dimo_etl.lake.signals import build_units
from dimo_etl.lake.store import Store
from dimo_etl.lake.tables import UNREADABLE, is_as_written, is_of_another_arrow, read_table

_PIECE_BYTES = 1 << 20


class Kind(Enum):
    """What a file holds, which decides how it is repaired."""

    RAW = "raw"
    DAY = "day"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Checked:
    """A file that was looked at.

    Attributes:
        name: below the warehouse's root.
        wrong: what is wrong with it, in a clause; None where it is sound.
        day: the UTC day of a raw unit, of signals or of what could not be understood of a day.
    """

    name: str
    kind: Kind
    wrong: str | None = None
    day: date | None = None


def verify(store: Store) -> Iterator[Checked]:
    """Look at every file, day by day.

    Raises:
        WarehouseError: the warehouse cannot be read at all, or has no room to build a day beside the one in place.
    """
    for day in _days(store, "raw", "signals", "quarantine"):
        with store.lock(f"signals-{day}"), store.lock(f"raw-{day}"):
            yield from _day(store, day)
    undated = "quarantine/date=__HIVE_DEFAULT_PARTITION__"
    for name in store.names(undated):
        yield _other(store, f"{undated}/{name}")
    for folder in ("snapshots", layout.DISTANCES):
        for part in store.names(folder):
            for name in store.names(f"{folder}/{part}"):
                yield _other(store, f"{folder}/{part}/{name}")
    if store.exists(layout.VEHICLES):
        yield _other(store, layout.VEHICLES)


def _days(store: Store, *folders: str) -> list[date]:
    found = {layout.day_of_folder(name) for folder in folders for name in store.names(folder)}
    return sorted(day for day in found if day is not None)


def _day(store: Store, day: date) -> Iterator[Checked]:
    names = [f"{layout.raw_folder(day)}/{name}" for name in store.names(layout.raw_folder(day))]
    units = [Checked(name, Kind.RAW, _raw(store, name), day) for name in names]
    yield from units
    if not units:
        if store.exists(layout.signals_file(day)):
            yield Checked(layout.signals_file(day), Kind.DAY, "the raw units it was made from are gone", day)
        return
    if any(unit.wrong for unit in units):
        # What the day should be is not known; what is there can still be read to its end.
        if store.exists(layout.signals_file(day)):
            yield Checked(layout.signals_file(day), Kind.DAY, _unreadable(store, layout.signals_file(day)), day)
        return
    try:
        built = build_units(store, day, raw.units_of(store, day))
    except WarehouseError as error:
        yield Checked(layout.signals_file(day), Kind.DAY, str(error), day)
        return
    try:
        yield Checked(layout.signals_file(day), Kind.DAY, _differs(store, layout.signals_file(day), built.signals), day)
        quarantine = layout.quarantine_file(day)
        if built.quarantine is not None or store.exists(quarantine):
            yield Checked(quarantine, Kind.DAY, _differs(store, quarantine, built.quarantine), day)
    finally:
        store.discard(built.signals)
        if built.quarantine is not None:
            store.discard(built.quarantine)


def _raw(store: Store, name: str) -> str | None:
    try:
        return raw.what_is_wrong(store, name)
    except WarehouseError as error:
        return _why(error)


def _differs(store: Store, name: str, wanted: Path | None) -> str | None:
    if wanted is None:
        return "every event of the day can be understood"
    if not store.exists(name):
        return "it is missing"
    with store.open(name) as held, wanted.open("rb") as made:
        while (piece := held.read(_PIECE_BYTES)) == made.read(_PIECE_BYTES):
            if not piece:
                return None
    unreadable = _unreadable(store, name)
    if unreadable is not None or _same_rows(store, name, wanted):
        return unreadable
    return "it is not what its raw units give"


def _same_rows(store: Store, name: str, wanted: Path) -> bool:
    """Whether files that differ in bytes hold the same, as those of two versions of the writer do."""
    try:
        if name.startswith("quarantine/"):
            table = read_table(store, name)
            with pq.ParquetFile(wanted) as made:
                return is_of_another_arrow(store, name, table) and bool(table.equals(made.read()))
        with store.open(name) as source, pq.ParquetFile(source) as held, pq.ParquetFile(wanted) as made:
            return holds_the_same(held, made)
    except UNREADABLE:
        return False


def _unreadable(store: Store, name: str) -> str | None:
    try:
        read_table(store, name)
    except WarehouseError as error:
        return _why(error)
    return None


def _other(store: Store, name: str) -> Checked:
    try:
        table = read_table(store, name)
        wrong = None if is_as_written(store, name, table) else "its rows or their statistics are not as written"
        if wrong is None and "__HIVE_DEFAULT_PARTITION__" in name:
            digest = hashlib.blake2b(digest_size=16)
            for payload in table.column("payload").to_pylist():
                digest.update(payload)
            if layout.undated_quarantine_file(digest.hexdigest()) != name:
                wrong = "its documents are not the ones that were written"
    except (WarehouseError, *UNREADABLE) as error:
        wrong = _why(error)
    return Checked(name, Kind.OTHER, wrong)


def _why(error: Exception) -> str:
    cause = error.__cause__ or error
    return (str(cause).splitlines() or [type(cause).__name__])[0].rstrip(".")
