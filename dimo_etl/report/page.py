"""The report as one HTML page, which opens from disk and asks the network for nothing.

Promise: whatever a vehicle is called or an error says is text and nothing else: HTML is escaped by the template, data
lie in JSON in which no character can end a script, and the page's policy runs the two scripts it was made with alone.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import jinja2
import orjson
import pyarrow as pa
import vl_convert
from markupsafe import Markup

from dimo_etl.report.figures import FIGURES, Figure, Scope

if TYPE_CHECKING:
    from dimo_etl.warehouse import Warehouse

_HERE = Path(__file__).parent
_VEGA_LITE = "6.1"
_IN_SCRIPT = {ord(char): f"\\u{ord(char):04x}" for char in "<>&\u2028\u2029"}
# What the page says in large figures: the sum of a column of the figure `fleet`.
_TILES = {
    "driven_km": "km driven",
    "trips": "trips",
    "events": "events",
    "rejected_readings": "readings not believed",
    "errors": "upstream errors",
}


@dataclass(frozen=True, slots=True)
class _Cell:
    text: str
    kind: str


@dataclass(frozen=True, slots=True)
class _Part:
    """A figure with what was found."""

    figure: Figure
    sql: str
    rows: pa.Table

    @property
    def heads(self) -> list[_Cell]:
        return [_Cell(field.name.replace("_", " "), _kind(field.type)) for field in self.rows.schema]

    @property
    def lines(self) -> Iterator[list[_Cell]]:
        kinds = [_kind(field.type) for field in self.rows.schema]
        for row in self.rows.to_pylist():
            yield [_Cell(_told(value), kind) for value, kind in zip(row.values(), kinds, strict=True)]


def render(warehouse: Warehouse, scope: Scope, *, now: datetime) -> str:
    """The page.

    Args:
        warehouse: what to ask.
        scope: the days and vehicles it is about.
        now: when it is made, which it says.
    """
    parts = []
    for figure in FIGURES:
        sql = figure.query(scope)
        parts.append(_Part(figure, sql, _simple(warehouse.arrow(sql))))
    fleet = parts[0].rows
    library = _unclosed(vl_convert.javascript_bundle(vl_version=_VEGA_LITE))  # type: ignore[call-arg]  # its stub is wrong
    program = _unclosed((_HERE / "page.js").read_text(encoding="utf-8"))
    template = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
    ).get_template("page.html")
    return template.render(
        scope=scope,
        now=now.astimezone(UTC),
        parts=parts,
        tiles=[(name, text, f"{sum(_numbers(fleet, name)):,.0f}") for name, text in _TILES.items()],
        complete=(sum(_numbers(fleet, "complete_days")), sum(_numbers(fleet, "days"))),
        data=Markup(_data(parts)),  # noqa: S704 - escaped for a script by _data
        library=Markup(library),  # noqa: S704 - our own, and pinned by the policy
        program=Markup(program),  # noqa: S704 - likewise
        style=Markup((_HERE / "page.css").read_text(encoding="utf-8")),  # noqa: S704 - our own
        policy=f"default-src 'none'; script-src {_hash(library)} {_hash(program)}; style-src 'unsafe-inline'; "
        "base-uri 'none'; form-action 'none'",
    )


def _simple(rows: pa.Table) -> pa.Table:
    """Rows with counts as whole numbers: DuckDB sums them into decimals."""
    kinds = [
        (pa.float64() if field.type.scale else pa.int64()) if pa.types.is_decimal(field.type) else field.type
        for field in rows.schema
    ]
    return rows.cast(pa.schema([field.with_type(kind) for field, kind in zip(rows.schema, kinds, strict=True)]))


def _data(parts: list[_Part]) -> str:
    """What the charts are drawn from: for each its specification, and its columns."""
    figures = [
        {
            "name": part.figure.name,
            "each": part.figure.each,
            "chart": orjson.Fragment(part.figure.chart()) if part.figure.drawn else None,
            "columns": {name: _plain(part.rows[name]) for name in part.rows.column_names},
            "times": {
                field.name: "day" if pa.types.is_date(field.type) else "second"
                for field in part.rows.schema
                if pa.types.is_temporal(field.type)
            },
        }
        for part in parts
        if part.figure.drawn or part.figure.name == "fleet"
    ]
    return orjson.dumps(figures).decode().translate(_IN_SCRIPT)


def _plain(column: pa.ChunkedArray) -> list[object]:
    """The values as JSON has them; times as milliseconds since 1970."""
    if pa.types.is_temporal(column.type):
        return list(column.cast(pa.timestamp("ms"), safe=False).cast(pa.int64()).to_pylist())
    return list(column.to_pylist())


def _numbers(rows: pa.Table, name: str) -> Iterator[float]:
    return (value for value in rows[name].to_pylist() if value is not None)


def _kind(kind: pa.DataType) -> str:
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return "number"
    if pa.types.is_temporal(kind):
        return "time"
    return "flag" if pa.types.is_boolean(kind) else "text"


def _told(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else ""
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.1f}"
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%d %H:%M}"
    return value.isoformat() if isinstance(value, date) else str(value)


def _unclosed(script: str) -> str:
    """A script in which no text ends the element it stands in."""
    return re.sub(r"<(?=/script|!--)", r"\\x3c", script, flags=re.I)


def _hash(script: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
