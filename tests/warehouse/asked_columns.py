"""What DuckDB says of the views' columns: their types, and what its plan for each scans; run, it is kept beside them.

No SQL is parsed here and no file of any lake is opened.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import cast

import duckdb

from dimo_etl.warehouse.columns import FILE, Source
from dimo_etl.warehouse.definitions import ORDER, statements, views
from dimo_etl.warehouse.lineage import DEFINES, NO_LAKE, definitions, is_view

_NAME = re.compile(r"\w+")


def written() -> str:
    """The file's text: a line for each column, its type and the columns it is computed from."""
    types = _types()
    sources = _sources({name: columns for name, columns in types.items() if is_view(name)})
    lines = []
    for name, columns in types.items():
        said = [
            f"  {json.dumps(column)}: "
            + json.dumps({"type": kind, "from": " ".join(f"{one.view}.{one.column}" for one in sources[name][column])})
            for column, kind in columns.items()
        ]
        lines.append(f"{json.dumps(name)}: {{\n" + ",\n".join(said) + "\n}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _types() -> dict[str, dict[str, str]]:
    with duckdb.connect() as connection:
        for statement in statements(NO_LAKE):
            connection.execute(statement)
        return {
            view.name: {
                str(row[0]): str(row[1]).lower() for row in connection.execute(f"DESCRIBE {view.example}").fetchall()
            }
            for view in views()
        }


def _sources(types: dict[str, dict[str, str]]) -> dict[str, dict[str, tuple[Source, ...]]]:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        # Nothing is known of the rows and nothing is left out but columns: the plan then reads what the query needs.
        connection.execute("SET disabled_optimizers = 'statistics_propagation,empty_result_pullup'")
        for name, columns in types.items():
            listed = ", ".join(f'"{column}" {kind}' for column, kind in columns.items())
            connection.execute(f"CREATE TABLE {name} ({listed})")
        for name, text in definitions().items():
            if not is_view(name):
                connection.execute(text)
        found = {}
        for view in views():
            relation = view.example.removeprefix("FROM ")
            if is_view(view.name):
                relation = f"{view.name}__"
                connection.execute(DEFINES.sub(f"CREATE VIEW {relation}", definitions()[view.name], count=1))
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


def main() -> None:
    """Ask anew."""
    FILE.write_text(written(), encoding="utf-8")


if __name__ == "__main__":
    main()
