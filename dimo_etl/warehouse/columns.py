"""The columns of the views: their types, and the columns they are computed from.

Promise: DuckDB alone says both, and neither depends on what a warehouse holds. Asking takes seconds, so what it said of
these definitions is kept beside them, in `warehouse/columns.json`; `make columns` asks anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import orjson

from dimo_etl.warehouse.definitions import SQL_FOLDER

FILE = SQL_FOLDER / "columns.json"


@dataclass(frozen=True, slots=True)
class Source:
    """A column that another column is computed from."""

    view: str
    column: str


@cache
def column_types() -> dict[str, dict[str, str]]:
    """The type of each column of each view and table macro, in the order the columns come."""
    return {name: {column: said["type"] for column, said in columns.items()} for name, columns in _said().items()}


@cache
def column_sources() -> dict[str, dict[str, tuple[Source, ...]]]:
    """By view and column, the columns of other views it is computed from.

    Columns that only decide which rows there are count where a column is made from nothing else.
    """
    return {
        name: {
            column: tuple(Source(*source.split(".")) for source in said["from"].split())
            for column, said in columns.items()
        }
        for name, columns in _said().items()
    }


@cache
def _said() -> dict[str, dict[str, dict[str, str]]]:
    said: dict[str, dict[str, dict[str, str]]] = orjson.loads(FILE.read_bytes())
    return said
