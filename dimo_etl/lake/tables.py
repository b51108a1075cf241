"""Small files of the warehouse, each one Arrow table: how they are written, read, and known to be what was written.

Promise: pages carry checksums that every reading checks, and the same rows give the same bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from dimo_etl.errors import WarehouseError
from dimo_etl.lake.store import Store

ARROW = "parquet-cpp-arrow version "
# Arrow's version and a digest of the schema once more, so that a bit that flips in one of the two is not taken for
# another version or for another schema.
WRITER_KEY = b"dimo_etl.writer"
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
    schema = table.schema.remove_metadata()
    writer = f"{pa.__version__} {hashlib.blake2b(schema.serialize(), digest_size=16).hexdigest()}"
    table = table.replace_schema_metadata({**(table.schema.metadata or {}), WRITER_KEY: writer})
    pq.write_table(table, sink, compression="zstd", write_page_checksum=True)
    return sink.getvalue()


def write_table(store: Store, name: str, schema: pa.Schema, rows: Iterable[Mapping[str, object]]) -> None:
    """Replace a file by one that holds these rows."""
    store.put(name, encoded(pa.Table.from_pylist(list(rows), schema=schema)))


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
    if is_of_another_arrow(store, name, table):
        return True
    with store.open(name) as source:
        return bool(source.read_buffer().equals(encoded(table)))


def is_of_another_arrow(store: Store, name: str, table: pa.Table) -> bool:
    """Whether another version of Arrow than this one wrote a file; its two places that say so have to agree.

    Args:
        store: the warehouse's files.
        name: the file.
        table: what it holds.
    """
    version = (table.schema.metadata or {}).get(WRITER_KEY, b"").decode("latin-1").partition(" ")[0]
    if version in ("", pa.__version__):
        return False
    with store.open(name) as source:
        return bool(pq.read_metadata(source).created_by == ARROW + version)


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
