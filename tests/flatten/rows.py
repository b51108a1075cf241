"""Flattened documents as rows that a test can compare."""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa

from dimo_etl.events import read_event
from dimo_etl.flatten.table import Flattened, flatten
from tests.payloads import VEHICLE, Row, encoded

VALUES = ("value_number", "value_string", "value_boolean", "value_json")


def flattened(*documents: object) -> Flattened:
    """The documents, given as text or to be encoded, taken apart."""
    texts = [document if isinstance(document, bytes) else encoded(document) for document in documents]
    return flatten(VEHICLE, [read_event(text) for text in texts])


def rows_of(found: Flattened) -> list[Row]:
    """Every row, with JSON text as bytes."""
    return [row for name, table in found.tables.items() for row in rows_in(table, [name] * table.num_rows)]


def rows_in(table: pa.Table, names: Iterable[str]) -> list[Row]:
    """The rows of a table; each must have its value in exactly one column."""
    rows = []
    for name, cells in zip(names, table.to_pylist(), strict=True):
        values = [(column, cells[column]) for column in VALUES if cells[column] is not None]
        ((column, value),) = values
        time = f"{cells['timestamp']:%Y-%m-%dT%H:%M:%S.%fZ}"
        rows.append(Row(name, value.encode() if column == "value_json" else value, time, cells["source"]))
    return rows


def values_of(*documents: object) -> dict[str, object]:
    """The value of each leaf by name."""
    return {row.name: row.value for row in rows_of(flattened(*documents))}
