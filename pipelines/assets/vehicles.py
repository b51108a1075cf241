"""The asset `vehicles`: whose history can be brought."""

import dagster as dg

from dimo_etl.batch import remember_vehicles
from pipelines.failures import explained
from pipelines.resources import Dimo


@dg.asset(group_name="history", kinds={"python", "parquet"}, tags={"service": "identity"})
def vehicles(context: dg.AssetExecutionContext, dimo: dg.ResourceParam[Dimo]) -> dg.MaterializeResult[None]:
    """Every vehicle shared with the licence, with make, model and year; one no longer shared is kept.

    Asked of the identity API, or taken from DIMO_VEHICLES.
    """
    with explained(dimo):
        found = remember_vehicles(dimo.settings)
    table = ["| vehicle | make | model | year |", "|---|---|---|---|"]
    table += [f"| {v.vehicle_id} | {v.make or ''} | {v.model or ''} | {v.year or ''} |" for v in found[:50]]
    context.log.info("%d vehicles can be read", len(found))
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": len(found),
            "vehicles": dg.MetadataValue.md("\n".join(table)),
        }
    )
