"""Columns as Dagster shows them, from the one place that declares them."""

from __future__ import annotations

import dagster as dg
import pyarrow as pa


def table_schema(schema: pa.Schema) -> dg.TableSchema:
    """An Arrow schema with the descriptions its fields carry."""
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                field.name,
                str(field.type),
                description=(field.metadata or {}).get(b"description", b"").decode(),
                constraints=dg.TableColumnConstraints(nullable=field.nullable),
            )
            for field in schema
        ]
    )
