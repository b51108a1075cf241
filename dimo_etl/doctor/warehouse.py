"""Whether the warehouse can be written and read: its folder, the room left, and the views over it."""

from __future__ import annotations

import os
import shutil
import tempfile
from importlib.metadata import version
from pathlib import Path

from dimo_etl.errors import WarehouseError
from dimo_etl.lake.raw import days_held
from dimo_etl.lake.stores import is_address, open_store

_PROBE = ".doctor"
_LEAST_BYTES = 1 << 30


def writable(root: str) -> str:
    """Write a file as every file of the warehouse is written, and remove it again.

    Raises:
        WarehouseError, ConfigError: the system refuses it.
    """
    if not is_address(root) and not Path(root).exists():
        # Nothing is made that was not there: other commands tell a warehouse of one's own by its folder.
        home = _nearest(Path(root))
        try:
            with tempfile.TemporaryDirectory(prefix=".dimo-etl-doctor-", dir=home) as folder:
                _write_and_remove(folder)
        except OSError as error:
            raise WarehouseError(
                f"The warehouse {root} cannot be made in {home} ({error.strerror}); allow writing there, or set "
                "DIMO_WAREHOUSE."
            ) from error
        return f"{root} is not there yet, and can be made"
    _write_and_remove(root)
    return f"{root}; a file was written and removed"


def room(root: str) -> str:
    """How much room is left on the disk.

    Raises:
        WarehouseError: too little to write the largest day twice, or less than 1 GiB.
    """
    if is_address(root):
        return "an object store has no end"
    free = shutil.disk_usage(_nearest(Path(root))).free
    with open_store(root) as store:
        largest = max((_size(Path(root), day.isoformat()) for day in days_held(store)), default=0)
    # A day is written anew beside the one in place, and its raw units before that.
    needed = max(_LEAST_BYTES, 2 * largest)
    words = f"{_gib(free)} left; the largest day takes {_mib(largest)}"
    if free < needed:
        raise WarehouseError(f"{words}, so {_gib(needed)} are needed; make room, or move DIMO_WAREHOUSE.")
    return words


def views(root: str) -> str:
    """Whether the views are published, bind to the files in place, and answer.

    Raises:
        WarehouseError, QueryError: they do not.
    """
    if is_address(root) or Path(root).is_dir():
        return _answers(root)
    with tempfile.TemporaryDirectory(prefix="dimo-etl-doctor-") as folder:
        return _answers(folder)


def _answers(root: str) -> str:
    from dimo_etl.warehouse import Warehouse
    from dimo_etl.warehouse import views as defined

    with Warehouse.open(root) as warehouse:
        known = defined()
        for view in known:
            warehouse.execute(f"{view.example} LIMIT 0").fetchall()
        counted = warehouse.execute("SELECT count(*), max(date) FROM coverage WHERE state <> 'never_asked'").fetchone()
    days, newest = counted or (0, None)
    held = f"{days:,} vehicle-days, the newest of {newest}" if days else "no days yet"
    return f"DuckDB {version('duckdb')}, {len(known)} views answer; {held}"


def _write_and_remove(root: str) -> None:
    with open_store(root) as store:
        store.put(_PROBE, os.urandom(1024))
        store.remove(_PROBE)


def _nearest(path: Path) -> Path:
    """The path, or the nearest folder above it that exists."""
    return next(folder for folder in (path, *path.parents) if folder.is_dir())


def _size(root: Path, day: str) -> int:
    """Bytes of a day, raw and flattened."""
    files = [*(root / f"raw/date={day}").glob("*"), *(root / f"signals/date={day}").glob("*")]
    return sum(file.stat().st_size for file in files)


def _gib(count: int) -> str:
    return f"{count / 2**30:,.1f} GiB"


def _mib(count: int) -> str:
    return f"{count / 2**20:,.1f} MiB"
