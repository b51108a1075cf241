"""`dimo-etl sql`: a query over the views, shown as a table, CSV or JSON; or a prompt to type queries at."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dimo_etl.errors import QueryError

if TYPE_CHECKING:
    from dimo_etl.warehouse import Warehouse


class Format(StrEnum):
    """How rows are shown."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"


def sql(
    query: Annotated[
        str | None, typer.Argument(help="One query; `-` reads it from standard input, none opens a prompt.")
    ] = None,
    form: Annotated[Format, typer.Option("--format", help="How to show the rows.")] = Format.TABLE,
) -> None:
    """Ask the warehouse in SQL, read-only.

    Views: signals, latest, odometer, odometer_daily, distance_daily, distance_driven, errors, errors_daily,
    coverage, vehicles, quarantine; and distance_daily_in('Europe/Berlin') for the days of a zone. Times are UTC.

    For example:

      dimo-etl sql "FROM distance_daily WHERE date >= '2026-01-01'"

      dimo-etl sql --format csv "FROM latest" > latest.csv

      dimo-etl sql "DESCRIBE odometer"
    """
    from dimo_etl.warehouse import Warehouse

    if query == "-" or (query is None and not sys.stdin.isatty()):
        query = sys.stdin.read()
    with Warehouse.open() as warehouse, _quiet_when_reader_leaves():
        if query is None:
            _prompt(warehouse, form)
        else:
            answer(warehouse, query, form)


def answer(warehouse: Warehouse, query: str, form: Format) -> None:
    """Show what a query gives on standard output."""
    from dimo_etl.warehouse import show

    batches = warehouse.batches(query)
    if form is Format.CSV:
        show.write_csv(batches, sys.stdout)
    elif form is Format.JSON:
        show.write_json(batches, sys.stdout)
    elif show.write_table(batches, sys.stdout):
        typer.echo(f"Only the first {show.TABLE_ROWS:,} rows are shown; --format csv or json gives all.", err=True)


@contextlib.contextmanager
def _quiet_when_reader_leaves() -> Iterator[None]:
    """Let `| head` end the output without an error."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        # What is left in the buffer goes nowhere, so that flushing it at exit does not fail again.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def _prompt(warehouse: Warehouse, form: Format) -> None:
    """Answer queries, each ended by `;`, until `.exit` or the end of input."""
    with _line_editing(Path.home() / ".dimo_etl_history"):
        typer.echo("End a query with ; and leave with .exit or Ctrl-D. SHOW TABLES; lists the views.")
        lines: list[str] = []
        while True:
            try:
                lines.append(input("  ... " if lines else "dimo> "))
                text = "\n".join(lines).strip()
                if text == ".exit":
                    return
                if text.endswith(";"):
                    lines.clear()
                    answer(warehouse, text, form)
                elif not text:
                    lines.clear()
            except EOFError:
                typer.echo()
                return
            except KeyboardInterrupt:
                typer.echo()
                lines.clear()
            except QueryError as error:
                typer.echo(str(error), err=True)


@contextlib.contextmanager
def _line_editing(history: Path) -> Iterator[None]:
    """Arrow keys, and a history kept between sessions, where this Python has readline."""
    try:
        import readline
    except ImportError:
        yield
        return
    with contextlib.suppress(OSError):
        readline.read_history_file(history)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            readline.set_history_length(1_000)
            readline.write_history_file(history)
            history.chmod(0o600)
