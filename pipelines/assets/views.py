"""The view assets: what SQL answers from, one asset for each view of `dimo.duckdb`.

Views hold no data. They are published again only when their SQL changed or the lake's first files came, so one step
does them all at next to no cost.
"""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg

from dimo_etl.warehouse import View, views
from dimo_etl.warehouse.publish import DATABASE, publish
from pipelines.assets.history import SIGNALS_KEY
from pipelines.assets.vehicles import vehicles
from pipelines.failures import explained
from pipelines.resources import Dimo

# Views that only show an asset which has that name already.
_SHOWN_AS_ASSETS = {"signals", "vehicles"}
VIEWS = [view for view in views() if view.name not in _SHOWN_AS_ASSETS]


def _spec(view: View) -> dg.AssetSpec:
    return dg.AssetSpec(
        view.name,
        group_name="answers",
        kinds={"duckdb", "sql"},
        deps=[SIGNALS_KEY, vehicles],
        description=view.header,
        metadata={
            "dagster/column_schema": dg.TableSchema(
                columns=[dg.TableColumn(column.name, description=column.description) for column in view.columns]
            )
        },
    )


@dg.multi_asset(name="views", can_subset=True, specs=[_spec(view) for view in VIEWS])
def answers(context: dg.AssetExecutionContext, dimo: dg.ResourceParam[Dimo]) -> Iterator[dg.MaterializeResult[None]]:
    """Publish the views over the lake."""
    with explained(dimo):
        root = Path(dimo.settings.warehouse)
        replaced = publish(root)
    context.log.info("%s %s", DATABASE, "published anew" if replaced else "is up to date")
    for key in sorted(context.selected_asset_keys):
        yield dg.MaterializeResult(
            asset_key=key, metadata={"dagster/uri": str(root / DATABASE), "published": dg.MetadataValue.bool(replaced)}
        )
