"""Rows as an aligned table, CSV, JSON, Markdown or Parquet, batch by batch.

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
from typing import IO, TextIO

import orjson
import pyarrow as pa
from pyarrow import MonthDayNano

from dimo_etl.errors import QueryError

TABLE_ROWS = 1_000
_NUMBERS = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal)
# What Markdown, or HTML in it, would act on; an underscore inside a word is one of those it leaves alone.
_MARKUP = re.compile(r"[\\`*<>\[\]|&~$#]|(?<!\w)_|_(?!\w)")
_ESCAPES = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def write_table(batches: Iterable[pa.RecordBatch], out: TextIO) -> bool:
    """Rows as a table, drawn where `out` is a terminal and aligned text otherwise.

    Args:
        batches: at least one, which may be empty.
        out: where to write.

    Returns:
        Whether rows were left out: a table holds the first 1,000.
    """
    names, rows = _rows(batches)
    lines = [[_rounded(value) for value in row] for row in itertools.islice(rows, TABLE_ROWS)]
    if out.isatty():
        _draw_with_rich(names, lines, out)
    else:
        draw(names, lines, out)
    return next(rows, None) is not None


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


def write_csv(batches: Iterable[pa.RecordBatch], out: TextIO) -> None:
    """Rows as CSV with a header line (RFC 4180, but lines end in a line feed)."""
    names, rows = _rows(batches)
    tame = printable if out.isatty() else str
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([tame(name) for name in names])
    writer.writerows([tame(cell(value)) for value in row] for row in rows)


def write_json(batches: Iterable[pa.RecordBatch], out: TextIO) -> None:
    """Rows as a JSON array of objects, one row a line; numbers that are not finite are null."""
    names, rows = _rows(batches)
    opening = "["
    for row in rows:
        document = orjson.dumps(
            dict(zip(names, row, strict=True)),
            default=_plain,
            option=orjson.OPT_UTC_Z | orjson.OPT_NON_STR_KEYS | orjson.OPT_PASSTHROUGH_SUBCLASS,
        ).decode()
        out.write(opening + "\n" + (_json_escaped(document) if out.isatty() else document))
        opening = ","
    out.write("\n]\n" if opening == "," else "[]\n")


def write_markdown(batches: Iterable[pa.RecordBatch], out: TextIO) -> None:
    """Rows as a Markdown table, numbers to the right; nothing in a text is markup, nor a control character."""
    stream = iter(batches)
    first = next(stream)
    names, rows = _rows(itertools.chain([first], stream))
    rules = ["---:" if any(test(field.type) for test in _NUMBERS) else "---" for field in first.schema]
    out.write(_piped(map(unmarked, names)) + _piped(rules))
    out.writelines(_piped(unmarked(_rounded(value)) for value in row) for row in rows)


def write_parquet(batches: Iterable[pa.RecordBatch], out: IO[bytes]) -> None:
    """Rows as a Parquet file, with the types they have.

    Raises:
        QueryError: a column has a type that Parquet does not know.
    """
    import pyarrow.parquet as pq

    stream = iter(batches)
    first = next(stream)
    schema = pa.schema(
        [field.with_name(name) for field, name in zip(first.schema, _told_apart(first.schema), strict=True)]
    )
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
    if isinstance(value, MonthDayNano):
        return f"P{value.months}M{value.days}DT{value.nanoseconds / 1e9:g}S"
    if isinstance(value, list | dict):
        return orjson.dumps(value, default=_plain, option=orjson.OPT_UTC_Z | orjson.OPT_NON_STR_KEYS).decode()
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


def _rows(batches: Iterable[pa.RecordBatch]) -> tuple[list[str], Iterator[tuple[object, ...]]]:
    """The column names, told apart where two are the same, and the rows."""
    stream = iter(batches)
    first = next(stream)
    return _told_apart(first.schema), (
        row
        for batch in itertools.chain([first], stream)
        for row in zip(*(column.to_pylist() for column in batch.columns), strict=True)
    )


def _told_apart(schema: pa.Schema) -> list[str]:
    names: list[str] = []
    for name in schema.names:
        names.append(next(candidate for candidate in _candidates(name) if candidate not in names))
    return names


def _candidates(name: str) -> Iterator[str]:
    yield name
    yield from (f"{name}_{n}" for n in itertools.count(1))


def _plain(value: object) -> object:
    """What JSON has no type for: exact numbers as numbers, anything else as text."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() and abs(value) < 1 << 53 else float(value)
    return cell(value)
