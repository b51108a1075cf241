"""Small files of the warehouse, each one Arrow table: how they are written, read, and known to be what was written.

Promise: pages carry checksums that every reading checks, and the same rows give the same bytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from dimo_etl.errors import WarehouseError
from dimo_etl.lake.store import Store

_ARROW = re.compile(r"parquet-cpp-arrow version [0-9.]+")
# What a damaged file makes its readers raise: where a bit of a footer flipped, names, sizes and types are anything.
UNREADABLE = (
    OSError,
    pa.ArrowException,
    msgspec.MsgspecError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    OverflowError,
    MemoryError,
)


def encoded(table: pa.Table) -> pa.Buffer:
    """The bytes of the file that holds a table."""
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd", write_page_checksum=True)
    return sink.getvalue()


def write_table(store: Store, name: str, schema: pa.Schema, rows: Iterable[Mapping[str, object]]) -> None:
    """Replace a file by one that holds these rows."""
    staged = store.stage()
    with store.explained(f"write {name} in"):
        staged.write_bytes(encoded(pa.Table.from_pylist(list(rows), schema=schema)))
    store.publish(staged, name)


def read_table(store: Store, name: str) -> pa.Table:
    """What a file holds.

    Raises:
        WarehouseError: the file is damaged.
    """
    with (
        reading(store, name),
        store.open(name) as source,
        pq.ParquetFile(source, page_checksum_verification=True) as file,
    ):
        return file.read()


def is_as_written(store: Store, name: str, table: pa.Table) -> bool:
    """Whether a file is, byte for byte, what writing its rows gives; another version of Arrow writes other bytes."""
    with store.open(name) as source:
        writer = pq.read_metadata(source).created_by
        if _ARROW.fullmatch(writer) and writer != pq.read_metadata(pa.BufferReader(encoded(table))).created_by:
            return True
        source.seek(0)
        return bool(source.read_buffer().equals(encoded(table)))


@contextmanager
def reading(store: Store, name: str) -> Iterator[None]:
    """Name the file in what goes wrong while it is read.

    Raises:
        WarehouseError: the file is damaged.
    """
    try:
        yield
    except UNREADABLE as error:
        if store.refused(error):
            with store.explained(f"read {name} in"):
                raise
        reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
        raise WarehouseError(
            f"The file {store.root}/{name} is damaged ({reason}); run `dimo-etl verify --repair`."
        ) from error
