"""What each view, and each of its columns, is made from, as DuckDB itself sees it.

Promise: nothing is declared by hand and no SQL is parsed here. The views a view reads are found by their names; the
columns a column reads are those that DuckDB's plan for it scans. No file of any lake is opened.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, cast

from dimo_etl.warehouse.columns import NO_LAKE, column_types
from dimo_etl.warehouse.definitions import ORDER, statements, views

if TYPE_CHECKING:
    import duckdb

_DEFINES = re.compile(r"^CREATE (VIEW|MACRO) (\w+)", re.M)
_NAME = re.compile(r"\w+")
# A relation, a table macro, or a function.
_USED = re.compile(r"\b(?:FROM|JOIN)\s+(\w+)|\b(\w+)\(", re.I)


@dataclass(frozen=True, slots=True)
class Source:
    """A column that another column is computed from."""

    view: str
    column: str


@cache
def definitions() -> dict[str, str]:
    """The statement that defines each view and macro, by name."""
    found = {match[2]: text for text in statements(NO_LAKE) if (match := _DEFINES.search(text))}
    return {name: found[name] for name in ORDER}


@cache
def reads(name: str) -> tuple[str, ...]:
    """The views that a view or macro reads itself, in the order they build on each other; macros are seen through."""
    found = {seen for one in _uses(name) for seen in ([one] if _is_view(one) else reads(one))}
    return tuple(sorted(found, key=ORDER.index))


def with_all_they_use(names: Iterable[str]) -> list[str]:
    """Views and macros with all that they build on, in the order to define them in."""
    found: set[str] = set()
    left = list(names)
    while left:
        name = left.pop()
        if name not in found:
            found.add(name)
            left += [other for other in ORDER if other in _uses(name)]
    return sorted(found, key=ORDER.index)


@cache
def version_of(name: str) -> str:
    """What changes when the SQL of a view does, or of a view or macro it builds on; comments do not count."""
    parts = [_code(definitions()[name]), *(version_of(other) for other in ORDER if other in _uses(name))]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]


@cache
def column_sources() -> dict[str, dict[str, tuple[Source, ...]]]:
    """By view and column, the columns of other views it is computed from.

    Columns that only decide which rows there are count where a column is made from nothing else.
    """
    import duckdb

    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        types = {name: columns for name, columns in column_types().items() if _is_view(name)}
        # Nothing is known of the rows and nothing is left out but columns: the plan then reads what the query needs.
        connection.execute("SET disabled_optimizers = 'statistics_propagation,empty_result_pullup'")
        for name, columns in types.items():
            listed = ", ".join(f'"{column}" {kind}' for column, kind in columns.items())
            connection.execute(f"CREATE TABLE {name} ({listed})")
        for name, text in definitions().items():
            if not _is_view(name):
                connection.execute(text)
        found = {}
        for view in views():
            relation = view.example.removeprefix("FROM ")
            if _is_view(view.name):
                relation = f"{view.name}__"
                connection.execute(_DEFINES.sub(f"CREATE VIEW {relation}", definitions()[view.name], count=1))
            for_rows = _scanned(connection, f"FROM {relation} SELECT 1")
            found[view.name] = {
                column.name: _sharpened(
                    column.name, _scanned(connection, f'FROM {relation} SELECT "{column.name}"'), for_rows
                )
                for column in view.columns
            }
        return found


def _sharpened(column: str, read: set[Source], for_rows: set[Source]) -> tuple[Source, ...]:
    own = read - for_rows or {source for source in read if source.column == column} or read
    return tuple(sorted(own, key=lambda source: (ORDER.index(source.view), source.column)))


def _scanned(connection: duckdb.DuckDBPyConnection, query: str) -> set[Source]:
    """The columns of tables that a query's plan scans, filters included."""
    ((_, plan),) = connection.execute(f"EXPLAIN (FORMAT json) {query}").fetchall()
    found = set()
    for node in _nodes(json.loads(plan)):
        info = cast("dict[str, str | list[str]]", node["extra_info"])
        table = info.get("Table")
        if isinstance(table, str):
            read, filters = info.get("Projections", []), info.get("Filters", [])
            names = [read] if isinstance(read, str) else read
            conditions = _NAME.findall(filters if isinstance(filters, str) else " ".join(filters))
            view = table.rpartition(".")[2]
            columns = {row[0] for row in connection.execute(f"DESCRIBE {view}").fetchall()}
            found |= {Source(view, name) for name in {*names, *conditions} & columns}
    return found


def _nodes(plan: list[dict[str, object]]) -> Iterator[dict[str, object]]:
    for node in plan:
        yield node
        yield from _nodes(cast("list[dict[str, object]]", node["children"]))


def _uses(name: str) -> set[str]:
    """The views and macros that a definition names."""
    used = {relation or function for relation, function in _USED.findall(_code(definitions()[name]))}
    return (used & set(ORDER)) - {name}


def _is_view(name: str) -> bool:
    return _code(definitions()[name]).startswith("CREATE VIEW")


def _code(text: str) -> str:
    """A statement without its comments."""
    return re.sub(r"--[^\n]*", "", text).strip()
