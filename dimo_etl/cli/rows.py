"""Rows as a command gives them: in the format and to the place the user names."""

from __future__ import annotations

import contextlib
import io
import os
import secrets
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO, TextIO

import typer

from dimo_etl.errors import InputError

if TYPE_CHECKING:
    import pyarrow as pa

    from dimo_etl.warehouse import Warehouse

# A month would be thirty days, and a nanosecond none.
_CUT_SHORT = ("INTERVAL", "TIMESTAMP_NS")


class Format(StrEnum):
    """How rows are shown."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    PARQUET = "parquet"
    MARKDOWN = "markdown"


FormatOption = Annotated[Format, typer.Option("--format", help="How to give the rows.")]
OutputOption = Annotated[
    Path | None, typer.Option("--output", "-o", help="A file for the rows, replaced whole; else standard output.")
]
UnsafeOption = Annotated[
    bool, typer.Option("--unsafe", help="Let statements do whatever DuckDB can, beyond reading the views.")
]


def answer(warehouse: Warehouse, query: str, form: Format, output: Path | None = None) -> None:
    """Give the rows of a query.

    Args:
        warehouse: where to ask.
        query: one query.
        form: as what.
        output: a file; None for standard output.

    Raises:
        InputError: Parquet would go to a terminal, or the file cannot be written.
        QueryError: the query cannot be run, or its rows not be held in the format.
    """
    from dimo_etl.warehouse import show

    if form is Format.PARQUET and output is None and sys.stdout.isatty():
        raise InputError("Parquet is not for a terminal; name a file with -o, or send the output to one.")
    if form is Format.PARQUET:
        batches = warehouse.batches(query)
        with _binary(output) as binary:
            show.write_parquet(batches, binary)
        return
    rows: show.Rows = warehouse.execute(query)
    if any(cut in kind for kind in rows.types for cut in _CUT_SHORT):
        rows = _Exact(rows.columns, rows.types, warehouse.batches(query))
    with _text(output) as out:
        if form is Format.CSV:
            show.write_csv(rows, out)
        elif form is Format.JSON:
            show.write_json(rows, out)
        elif form is Format.MARKDOWN:
            show.write_markdown(rows, out)
        elif show.write_table(rows, out):
            typer.echo(f"Only the first {show.TABLE_ROWS:,} rows are shown; another --format gives all.", err=True)


@dataclass(frozen=True, slots=True)
class _Exact:
    """Rows by way of Arrow, which holds whole what Python's own types cut short."""

    columns: list[str]
    types: list[str]
    batches: Iterator[pa.RecordBatch]

    def __iter__(self) -> Iterator[tuple[object, ...]]:
        for batch in self.batches:
            yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)


def _binary(output: Path | None) -> AbstractContextManager[BinaryIO]:
    return contextlib.nullcontext(sys.stdout.buffer) if output is None else replaced(output)


@contextlib.contextmanager
def _text(output: Path | None) -> Iterator[TextIO]:
    if output is None:
        yield sys.stdout
        return
    with replaced(output) as binary, io.TextIOWrapper(binary, encoding="utf-8", newline="") as out:
        yield out


@contextlib.contextmanager
def replaced(path: Path) -> Iterator[BinaryIO]:
    """A file of the user's, opened to be written; it has the new content whole, or keeps the old.

    Raises:
        InputError: it cannot be written.
    """
    aside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with aside.open("wb") as file:
            yield file
        aside.replace(path)
    except OSError as error:
        raise InputError(
            f"The file {path} cannot be written ({error.strerror or error}); name another with -o."
        ) from error
    finally:
        with contextlib.suppress(OSError):
            aside.unlink()


@contextlib.contextmanager
def quiet_when_reader_leaves() -> Iterator[None]:
    """Let `| head` end the output without an error."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        # What is left in the buffer goes nowhere, so that flushing it at exit does not fail again.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
