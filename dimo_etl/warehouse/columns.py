"""The types of the views' columns, which only DuckDB knows.

Promise: they are those of every warehouse, whatever it holds, and asking for them needs none.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from dimo_etl.warehouse.definitions import statements, views

# A folder that no lake lies in: the definitions are then over empty relations.
NO_LAKE = Path("/nonexistent")


@cache
def column_types() -> dict[str, dict[str, str]]:
    """The type of each column of each view and table macro, in the order the columns come."""
    import duckdb

    with duckdb.connect() as connection:
        for statement in statements(NO_LAKE):
            connection.execute(statement)
        return {
            view.name: {
                str(row[0]): str(row[1]).lower() for row in connection.execute(f"DESCRIBE {view.example}").fetchall()
            }
            for view in views()
        }
