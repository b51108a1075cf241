"""Columns as Dagster shows them, and what they come from, from the one place that declares them."""

from __future__ import annotations

from collections.abc import Mapping

import dagster as dg
import pyarrow as pa

from dimo_etl.warehouse import views
from dimo_etl.warehouse.columns import column_sources


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


def view_schema(name: str, types: Mapping[str, str] | None = None) -> dg.TableSchema:
    """The columns of a view; only DuckDB knows their types."""
    (view,) = [view for view in views() if view.name == name]
    return dg.TableSchema(
        columns=[
            dg.TableColumn(column.name, (types or {}).get(column.name, ""), description=column.description)
            for column in view.columns
        ]
    )


def column_lineage(name: str) -> dg.TableColumnLineage:
    """For each column of a view, the columns it is computed from; a view's asset has the view's name."""
    return dg.TableColumnLineage(
        {
            column: [dg.TableColumnDep(dg.AssetKey(source.view), source.column) for source in sources]
            for column, sources in column_sources()[name].items()
        }
    )
