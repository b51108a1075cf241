"""The view assets: what SQL answers from, one asset for each view of `dimo.duckdb`.

Views hold no data. They are published again only when their SQL changed or the lake's first files came, so one step
does them all at next to no cost.
"""

from collections.abc import Iterator

import dagster as dg

from dimo_etl.warehouse import View, lineage, views
from dimo_etl.warehouse.columns import column_types
from dimo_etl.warehouse.definitions import SQL_FOLDER
from dimo_etl.warehouse.publish import DATABASE, publish
from pipelines.assets.history import SIGNALS_KEY
from pipelines.columns import column_lineage, view_schema
from pipelines.failures import explained
from pipelines.ownership import OWNERS
from pipelines.resources import Dimo

# Views that only show an asset which has that name already.
_SHOWN_AS_ASSETS = {"signals", "vehicles", "snapshots", "dimo_distances"}
VIEWS = [view for view in views() if view.name not in _SHOWN_AS_ASSETS]


def _spec(view: View) -> dg.AssetSpec:
    rules = "\n\n".join(view.remarks)
    reads = [dg.AssetKey(name) for name in lineage.reads(view.name)]
    return dg.AssetSpec(
        view.name,
        group_name="answers",
        kinds={"duckdb", "sql"},
        owners=OWNERS,
        # A view that reads no other reads what else lies in the files of `signals`, or beside them.
        deps=reads or [SIGNALS_KEY],
        code_version=lineage.version_of(view.name),
        description=f"{view.description}\n\n```sql\n{view.example}\n```\n\n```text\n{rules}\n```",
        metadata={"dagster/column_schema": view_schema(view.name), "dagster/table_name": f"dimo.main.{view.name}"},
    )


@dg.multi_asset(name="views", can_subset=True, specs=[_spec(view) for view in VIEWS])
def answers(context: dg.AssetExecutionContext, dimo: dg.ResourceParam[Dimo]) -> Iterator[dg.MaterializeResult[None]]:
    """Publish the views over the lake."""
    with explained(dimo):
        root = dimo.settings.warehouse
        replaced = publish(root)
        types = column_types()
    context.log.info("%s %s", DATABASE, "published anew" if replaced else "is up to date")
    for view in VIEWS:
        key = dg.AssetKey(view.name)
        if key in context.selected_asset_keys:
            yield dg.MaterializeResult(
                asset_key=key,
                metadata={
                    "dagster/uri": f"{root}/{DATABASE}",
                    "dagster/column_schema": view_schema(view.name, types[view.name]),
                    "dagster/column_lineage": column_lineage(view.name),
                    "defined_in": dg.MetadataValue.path(str(SQL_FOLDER / f"{view.name}.sql")),
                    "published": dg.MetadataValue.bool(replaced),
                },
            )
