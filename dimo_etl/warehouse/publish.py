"""Publish the views: `dimo.duckdb`, which holds definitions and no data.

Promise: the file is replaced whole, by one rename, and only when the definitions in place are not the wanted ones; a
reader that has the old file open keeps it. A killed publish leaves the old file.

Beside it lies `.views`, which says which definitions that very file was made from; so that looking whether anything
changed needs neither DuckDB nor a lock. Where the two do not fit together the views are published again.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from dimo_etl.errors import WarehouseError
from dimo_etl.lake.stores import is_address, open_store
from dimo_etl.warehouse.definitions import digest, statements

if TYPE_CHECKING:
    from dimo_etl.lake.bucket import BucketStore

DATABASE = "dimo.duckdb"
_STAMP = ".views"


def publish(root: Path | str) -> bool:
    """Bring the views in line with the .sql files and with the files of the lake.

    What depends on the lake is its absolute path, and whether it has signals, quarantine and vehicles at all: DuckDB
    refuses a scan that matches no file. New days are seen without publishing anew, so calling this after each commit
    costs a look (a few milliseconds) unless something changed.

    Args:
        root: the warehouse's folder, or its address in an object store.

    Returns:
        Whether the file was replaced.

    Raises:
        WarehouseError: the folder or the object store cannot be written to.
    """
    lake = _lake(root)
    if _is_current(lake, statements(lake)):
        return False
    with open_store(str(lake)) if isinstance(lake, Path) else lake as store, store.lock("publish"):
        # Another process may have done it meanwhile, or the lake's first file may have come.
        wanted = statements(lake)
        if _is_current(lake, wanted):
            return False
        store.put(DATABASE, _database(lake, wanted))
        store.put(_STAMP, _stamp(lake, wanted).encode())
    return True


def _lake(root: Path | str) -> Path | BucketStore:
    """Where the files are; for a folder no store is opened, which would load Arrow to look whether anything changed."""
    if not is_address(root):
        return Path(root).absolute()
    from dimo_etl.lake.bucket import BucketStore

    return BucketStore(str(root))


def _database(lake: Path | BucketStore, defining: list[str]) -> bytes:
    """A DuckDB file that holds these definitions."""
    import duckdb

    # Built outside the lake: DuckDB cannot write a file below a folder that has a `?` in its name.
    with tempfile.TemporaryDirectory(prefix="dimo-etl-views-") as folder:
        path = Path(folder) / DATABASE
        try:
            with duckdb.connect(path) as connection:
                if not isinstance(lake, Path):
                    from dimo_etl.warehouse import remote

                    remote.connect(connection, lake, briefly=True)
                connection.begin()
                for statement in defining:
                    connection.execute(statement)
                connection.commit()
        except duckdb.Error as error:
            raise WarehouseError(
                f"The views cannot be defined over the files in place ({str(error).splitlines()[0].rstrip('.!')}); "
                "run `dimo-etl verify --repair`."
            ) from error
        return path.read_bytes()


def _is_current(lake: Path | BucketStore, wanted: list[str]) -> bool:
    """Whether the file in place is the one last published, from these definitions."""
    try:
        if not isinstance(lake, Path):
            return lake.exists(_STAMP) and lake.read(_STAMP).decode() == _stamp(lake, wanted)
        return (lake / _STAMP).read_text() == _stamp(lake, wanted)
    except OSError:  # not there, or not to be read: it is made anew, which tells what cannot be written
        return False


def _stamp(lake: Path | BucketStore, defining: list[str]) -> str:
    """What a file published from these definitions is known by: a digest of them, and which file it is."""
    if not isinstance(lake, Path):
        return f"{digest(defining)} {lake.identity(DATABASE)}"
    file = (lake / DATABASE).stat()
    return f"{digest(defining)} {file.st_ino} {file.st_size} {file.st_mtime_ns}"
