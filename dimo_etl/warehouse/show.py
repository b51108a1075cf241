"""Rows as an aligned table, CSV, JSON, Markdown or Parquet, as they come.

Promise: times are ISO 8601, UTC ones with `Z`; null is empty in CSV and tables; and text from a vehicle never reaches
a terminal with a control character in it, which could rewrite the screen or type for the user.
"""

from __future__ import annotations

import csv
import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import IO, TYPE_CHECKING, Protocol, TextIO

import orjson

from dimo_etl.errors import QueryError

if TYPE_CHECKING:
    import pyarrow as pa

TABLE_ROWS = 1_000
_NUMBERS = re.compile(r"U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|FLOAT|DOUBLE|DECIMAL\(.*\)")
# What Markdown, or HTML in it, would act on; an underscore inside a word is one of those it leaves alone.
_MARKUP = re.compile(r"[\\`*<>\[\]|&~$#]|(?<!\w)_|_(?!\w)")
_ESCAPES = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
_JSON = orjson.OPT_UTC_Z | orjson.OPT_NON_STR_KEYS | orjson.OPT_PASSTHROUGH_SUBCLASS


class Rows(Protocol):
    """The rows of an answer, such as a `Result`: each a tuple, with the names and SQL types of its columns."""

    @property
    def columns(self) -> list[str]:
        """The names of the columns."""

    @property
    def types(self) -> list[str]:
        """The types of the columns, as SQL names them."""

    def __iter__(self) -> Iterator[tuple[object, ...]]: ...


def write_table(rows: Rows, out: TextIO) -> bool:
    """Rows as a table, drawn where `out` is a terminal and aligned text otherwise.

    Args:
        rows: what to write.
        out: where to write.

    Returns:
        Whether rows were left out: a table holds the first 1,000.
    """
    names, left = _told_apart(rows.columns), iter(rows)
    lines = [[_rounded(value) for value in row] for row in itertools.islice(left, TABLE_ROWS)]
    if out.isatty():
        _draw_with_rich(names, lines, out)
    else:
        draw(names, lines, out)
    return next(left, None) is not None


def draw(heads: Sequence[str], lines: Iterable[Sequence[str]], out: TextIO) -> None:
    """Texts in aligned columns under their headings, safe for a terminal."""
    grid = [[printable(text) for text in line] for line in (heads, *lines)]
    widths = [max(map(len, column)) for column in zip(*grid, strict=True)]
    for line in grid:
        out.write("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip() + "\n")


def _draw_with_rich(heads: Sequence[str], lines: Sequence[Sequence[str]], out: TextIO) -> None:
    """A table where it fits the terminal, and otherwise a line for each value."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(file=out)
    grid = [[Text(printable(text)) for text in line] for line in (heads, *lines)]
    if sum(3 + max(text.cell_len for text in column) for column in zip(*grid, strict=True)) <= console.width:
        table = Table(box=box.SIMPLE_HEAD)
        for head in grid[0]:
            table.add_column(head)
        for line in grid[1:]:
            table.add_row(*line)
        console.print(table)
        return
    for n, line in enumerate(grid[1:], 1):
        record = Table(box=None, show_header=False, title=f"row {n}", title_justify="left")
        record.add_column(style="bold", no_wrap=True)
        record.add_column(overflow="fold")
        for head, text in zip(grid[0], line, strict=True):
            record.add_row(head, text)
        console.print(record)


def write_csv(rows: Rows, out: TextIO) -> None:
    """Rows as CSV with a header line (RFC 4180, but lines end in a line feed)."""
    tame = printable if out.isatty() else str
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([tame(name) for name in _told_apart(rows.columns)])
    writer.writerows([tame(cell(value)) for value in row] for row in rows)


def write_json(rows: Rows, out: TextIO) -> None:
    """Rows as a JSON array of objects, one row a line; numbers that are not finite are null."""
    names = _told_apart(rows.columns)
    opening = "["
    for row in rows:
        document = _document(dict(zip(names, row, strict=True)))
        out.write(opening + "\n" + (_json_escaped(document) if out.isatty() else document))
        opening = ","
    out.write("\n]\n" if opening == "," else "[]\n")


def write_markdown(rows: Rows, out: TextIO) -> None:
    """Rows as a Markdown table, numbers to the right; nothing in a text is markup, nor a control character."""
    rules = ["---:" if _NUMBERS.fullmatch(kind) else "---" for kind in rows.types]
    out.write(_piped(map(unmarked, _told_apart(rows.columns))) + _piped(rules))
    out.writelines(_piped(unmarked(_rounded(value)) for value in row) for row in rows)


def write_parquet(batches: Iterable[pa.RecordBatch], out: IO[bytes]) -> None:
    """Rows as a Parquet file, with the types they have.

    Raises:
        QueryError: a column has a type that Parquet does not know.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    stream = iter(batches)
    first = next(stream)
    names = _told_apart(first.schema.names)
    schema = pa.schema([field.with_name(name) for field, name in zip(first.schema, names, strict=True)])
    try:
        with pq.ParquetWriter(out, schema, compression="zstd") as writer:
            for batch in itertools.chain([first], stream):
                writer.write_batch(batch.rename_columns(schema.names))
    except pa.ArrowNotImplementedError as error:
        raise QueryError(
            f"Parquet cannot hold a column of the answer ({error}); cast it, such as ::VARCHAR."
        ) from error


def _piped(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |\n"


def unmarked(text: str) -> str:
    """A text as Markdown that shows it as it is: none of it is markup, a link, a picture or a control character."""
    return _MARKUP.sub(lambda mark: "\\" + mark[0], printable(text))


def cell(value: object) -> str:
    """A value as a table or CSV shows it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, list | dict | tuple):
        return _span(value) or _document(value)
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return str(value)


def _rounded(value: object) -> str:
    """A value for somebody to read: floats without the noise of their last digits."""
    return cell(float(f"{value:.10g}") if isinstance(value, float) else value)


def printable(text: str) -> str:
    """A text in which whatever a terminal would act on is spelled out as in Python source."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _ESCAPES.get(char) or _spelled(char) for char in text)


def _spelled(char: str) -> str:
    return char.encode("unicode_escape").decode()


def _json_escaped(document: str) -> str:
    if document.isprintable():
        return document
    return re.sub(r"[^\x20-\x7e]", lambda char: _utf16_escaped(char[0]), document)


def _utf16_escaped(char: str) -> str:
    """A character as JSON escapes, in UTF-16 units."""
    units = char.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[n : n + 2].hex()}" for n in range(0, len(units), 2))


def _told_apart(columns: Iterable[str]) -> list[str]:
    """The column names, told apart where two are the same."""
    names: list[str] = []
    for name in columns:
        names.append(next(candidate for candidate in _candidates(name) if candidate not in names))
    return names


def _candidates(name: str) -> Iterator[str]:
    yield name
    yield from (f"{name}_{n}" for n in itertools.count(1))


def _document(value: object) -> str:
    """A value as JSON."""
    try:
        return orjson.dumps(value, default=_plain, option=_JSON).decode()
    except orjson.JSONEncodeError:
        return orjson.dumps(_narrowed(value), default=_plain, option=_JSON).decode()


def _narrowed(value: object) -> object:
    """The same with what orjson refuses as what it takes: integers of more than 64 bits, times of day with a zone."""
    if isinstance(value, dict):
        return {key if isinstance(key, str) else cell(key): _narrowed(one) for key, one in value.items()}
    if isinstance(value, list | tuple) and not _span(value):
        return [_narrowed(one) for one in value]
    if isinstance(value, int) and not -(1 << 63) <= value < 1 << 64:
        return float(value)
    return value.isoformat() if isinstance(value, time) else value


def _span(value: object) -> str | None:
    """An interval of Arrow's as ISO 8601; None for what is not one."""
    months, days, nanoseconds = (getattr(value, part, None) for part in ("months", "days", "nanoseconds"))
    return None if nanoseconds is None else f"P{months}M{days}DT{nanoseconds / 1e9:g}S"


def _plain(value: object) -> object:
    """What JSON has no type for: exact numbers as numbers, anything else as text."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() and abs(value) < 1 << 53 else float(value)
    return cell(value)
