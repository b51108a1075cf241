"""The asset `vehicles`: whose history can be brought."""

import hashlib

import dagster as dg

from dimo_etl.batch import remember_vehicles
from dimo_etl.lake.vehicles import KnownVehicle
from pipelines.columns import view_schema
from pipelines.failures import explained
from pipelines.markdown import table
from pipelines.ownership import OWNERS
from pipelines.partitions import due_each_morning
from pipelines.resources import Dimo

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

    Asked of the identity API, or taken from DIMO_VEHICLES.
    """
    with explained(dimo):
        known = remember_vehicles(dimo.settings)
    gone = [one for one in known if one.sharing.shared_now is False]
    context.log.info("%d vehicles are known, %d of them no longer shared", len(known), len(gone))
    ids = [one.vehicle.vehicle_id for one in known]
    return dg.MaterializeResult(
        # Days are out of date when there are other vehicles, and not each time these are listed again.
        data_version=dg.DataVersion(hashlib.sha256(",".join(ids).encode()).hexdigest()[:12]),
        metadata={
            "dagster/row_count": len(known),
            "no_longer_shared": len(gone),
            "vehicles": dg.MetadataValue.md(table(_HEADS, list(map(_row, known)))),
        },
    )


def _row(one: KnownVehicle) -> tuple[object, ...]:
    vehicle, sharing = one.vehicle, one.sharing
    permissions = "" if sharing.permissions is None else ", ".join(map(str, sharing.permissions)) or "none"
    shared = {True: "yes", False: "no longer", None: "not asked"}[sharing.shared_now]
    return (vehicle.vehicle_id, vehicle.make, vehicle.model, vehicle.year, permissions, shared)
