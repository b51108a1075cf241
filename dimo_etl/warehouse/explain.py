"""What went wrong with a query, in one sentence: the query's fault, or a damaged file's, which is then named."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from dimo_etl.errors import QueryError, WarehouseError
from dimo_etl.lake.bucket import BucketStore
from dimo_etl.lake.tables import UNREADABLE
from dimo_etl.warehouse.show import printable


@contextmanager
def explained(root: Path | BucketStore) -> Iterator[None]:
    """Turn DuckDB's errors into the package's own.

    Args:
        root: the warehouse's folder, in which a damaged file is looked for; or its bucket.

    Raises:
        QueryError: the query is wrong, or asks for more than reading.
        WarehouseError: a file of the warehouse cannot be read.
    """
    try:
        yield
    except (duckdb.Error, pa.ArrowException, OSError) as error:
        message = _first_line(error)
        if isinstance(root, BucketStore):
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
            if file is None:
                raise WarehouseError(
                    f"Files of the warehouse {root} were replaced while the query read them; ask again."
                ) from error
            raise WarehouseError(
                f"The file {file} cannot be read ({told(error)}); run `dimo-etl verify --repair`."
            ) from error
        raise QueryError(f"The query cannot be run: {told(error)}.") from error


def is_about_files(error: Exception, root: Path | BucketStore) -> bool:
    """Whether a query failed over a file of the warehouse, and not over what it asks."""
    # A broken page is reported by the Parquet decoder, as a plain duckdb.Error that does not name the file; while rows
    # are handed over as Arrow it comes through Arrow, as an OSError.
    if isinstance(error, duckdb.IOException | duckdb.InvalidInputException):
        return (root.root if isinstance(root, BucketStore) else str(root)) in _first_line(error)
    return type(error) is duckdb.Error or isinstance(error, pa.ArrowException | OSError)


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
