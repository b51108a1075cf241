"""What went wrong with a query, in one sentence: the query's fault, or a damaged file's, which is then named."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import duckdb

from dimo_etl.errors import QueryError, WarehouseError
from dimo_etl.warehouse.show import printable

if TYPE_CHECKING:
    from dimo_etl.lake.bucket import BucketStore

# A writer that replaces a file without a pause, on a machine with much else to do, was met five times in a row.
_TRIES = 20
Given = TypeVar("Given")


def answered(ask: Callable[[], Given], root: Path | BucketStore, of: str | None = None) -> Given:
    """What a question gives, asked again where a file was replaced between DuckDB's two openings of it.

    Args:
        ask: asks it from its start.
        root: as for `explained`, which tells of what stays wrong.
        of: likewise.
    """
    with explained(root, of):
        for _ in range(_TRIES - 1):
            try:
                return ask()
            except Exception as error:
                if not is_about_files(error, root):
                    raise
        return ask()


@contextmanager
def explained(root: Path | BucketStore, of: str | None = None) -> Iterator[None]:
    """Turn DuckDB's errors into the package's own.

    Args:
        root: the warehouse's folder, in which a damaged file is looked for; or its bucket.
        of: the warehouse, where the folder has links to its files or copies of them.

    Raises:
        QueryError: the query is wrong, or asks for more than reading.
        WarehouseError: a file of the warehouse cannot be read.
    """
    try:
        yield
    except Exception as error:
        if not isinstance(error, duckdb.Error | OSError) and not _is_of_arrow(error):
            raise
        message = _first_line(error)
        if not isinstance(root, Path):
            if root.refused(error):
                with root.explained("query"):
                    raise OSError(str(error)) from error
            if is_about_files(error, root):
                root.is_empty()  # tells it where it is the store that does not answer
                raise WarehouseError(
                    f"The file {_named_file(message, root.root) or root.root} cannot be read ({told(error)}); "
                    "run `dimo-etl verify --repair`."
                ) from error
            raise QueryError(f"The query cannot be run: {told(error)}.") from error
        if is_about_files(error, root):
            file = _damaged_file(root, _named_file(message, str(root)))
            whole = of or str(root)
            if file is None:
                raise WarehouseError(
                    f"Files of the warehouse {whole} were replaced while the query read them; ask again."
                ) from error
            named = f"{whole}/{file.relative_to(root)}"
            raise WarehouseError(
                f"The file {named} cannot be read ({told(error)}); run `dimo-etl verify --repair`."
            ) from error
        raise QueryError(f"The query cannot be run: {told(error)}.") from error


def is_about_files(error: Exception, root: Path | BucketStore) -> bool:
    """Whether a query failed over a file of the warehouse, and not over what it asks."""
    # A broken page is reported by the Parquet decoder, as a plain duckdb.Error that does not name the file; while rows
    # are handed over as Arrow it comes through Arrow, as an OSError.
    if isinstance(error, duckdb.IOException | duckdb.InvalidInputException):
        return (str(root) if isinstance(root, Path) else root.root) in _first_line(error)
    return type(error) is duckdb.Error or isinstance(error, OSError) or _is_of_arrow(error)


def _is_of_arrow(error: Exception) -> bool:
    """Whether Arrow raised it, which most queries never load."""
    arrow = sys.modules.get("pyarrow")
    return arrow is not None and isinstance(error, arrow.ArrowException)


def told(error: BaseException) -> str:
    """What an error says, in a line; a value it quotes from the data cannot act on a terminal."""
    return printable(_first_line(error)).rstrip(".!")


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _named_file(message: str, root: str) -> str | None:
    start, end = message.find(f"{root}/"), message.rfind(".parquet")
    return message[start:end] + ".parquet" if 0 <= start < end else None


def _damaged_file(root: Path, named: str | None) -> Path | None:
    """The first Parquet file of the views that cannot be read to its end, looked for first where the error points."""
    import pyarrow.parquet as pq

    from dimo_etl.lake.tables import UNREADABLE

    patterns = (
        "signals/date=*/*.parquet",
        "quarantine/date=*/*.parquet",
        "snapshots/date=*/*.parquet",
        "distances/asked=*/*.parquet",
        "vehicles.parquet",
    )
    found = [path for pattern in patterns for path in sorted(root.glob(pattern))]
    for path in [Path(named), *found] if named else found:
        try:
            with pq.ParquetFile(path, page_checksum_verification=True) as file:
                for _ in file.iter_batches():
                    pass
        except UNREADABLE:
            return path
    return None
