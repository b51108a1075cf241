"""The asset `vehicles`: whose history can be brought."""

import hashlib

import dagster as dg

from dimo_etl.batch import remember_vehicles
from dimo_etl.errors import DimoError
from dimo_etl.lake.stores import open_store
from dimo_etl.lake.vehicles import KnownVehicle, known_vehicles
from pipelines.columns import view_schema
from pipelines.failures import explained
from pipelines.markdown import table
from pipelines.ownership import OWNERS
from pipelines.partitions import due_each_morning
from pipelines.resources import Dimo

RAW = dg.AssetKey("raw_history")
_HEADS = ("vehicle", "make", "model", "year", "permissions", "shared")


@dg.asset(
    group_name="history",
    kinds={"python", "parquet"},
    tags={"service": "identity"},
    owners=OWNERS,
    freshness_policy=due_each_morning(),
    code_version="1",
    metadata={"dagster/column_schema": view_schema("vehicles")},
)
def vehicles(context: dg.AssetExecutionContext, dimo: dg.ResourceParam[Dimo]) -> dg.MaterializeResult[None]:
    """Every vehicle shared with the licence, with make, model, year and permissions; one no longer shared is kept.

    Asked of the identity API, or taken from DIMO_VEHICLES. Where that cannot be asked, a run of days fails in
    `raw_history`, which needs the answer, and in it alone; what was known before stays known.
    """
    unlisted: DimoError | None = None
    with explained(dimo):
        try:
            known = remember_vehicles(dimo.settings)
        except DimoError as error:
            if RAW not in context.job_def.asset_layer.selected_asset_keys:
                raise
            unlisted = error
            context.log.warning("The vehicles are those known before: %s", error)
            with open_store(dimo.settings.warehouse) as store:
                known = known_vehicles(store)
    gone = [one for one in known if one.sharing.shared_now is False]
    context.log.info("%d vehicles are known, %d of them no longer shared", len(known), len(gone))
    ids = [one.vehicle.vehicle_id for one in known]
    return dg.MaterializeResult(
        # Days are out of date when there are other vehicles, and not each time these are listed again.
        data_version=dg.DataVersion(hashlib.sha256(",".join(ids).encode()).hexdigest()[:12]),
        metadata={
            "dagster/row_count": len(known),
            "no_longer_shared": len(gone),
            **({"not_listed_anew": str(unlisted)} if unlisted else {}),
            "vehicles": dg.MetadataValue.md(table(_HEADS, list(map(_row, known)))),
        },
    )


def _row(one: KnownVehicle) -> tuple[object, ...]:
    vehicle, sharing = one.vehicle, one.sharing
    permissions = "" if sharing.permissions is None else ", ".join(map(str, sharing.permissions)) or "none"
    shared = {True: "yes", False: "no longer", None: "not asked"}[sharing.shared_now]
    return (vehicle.vehicle_id, vehicle.make, vehicle.model, vehicle.year, permissions, shared)
