"""The asset `vehicles`: whose history can be brought."""

from collections.abc import Sequence

import dagster as dg

from dimo_etl.batch import remember_vehicles
from dimo_etl.lake.vehicles import KnownVehicle
from pipelines.failures import explained
from pipelines.resources import Dimo

_HEADS = ("vehicle", "make", "model", "year", "permissions", "shared")


@dg.asset(group_name="history", kinds={"python", "parquet"}, tags={"service": "identity"})
def vehicles(context: dg.AssetExecutionContext, dimo: dg.ResourceParam[Dimo]) -> dg.MaterializeResult[None]:
    """Every vehicle shared with the licence, with make, model, year and permissions; one no longer shared is kept.

    Asked of the identity API, or taken from DIMO_VEHICLES.
    """
    with explained(dimo):
        known = remember_vehicles(dimo.settings)
    gone = [one for one in known if one.sharing.shared_now is False]
    table = [_line(_HEADS), _line(["---"] * len(_HEADS)), *map(_row, known[:50])]
    context.log.info("%d vehicles are known, %d of them no longer shared", len(known), len(gone))
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": len(known),
            "no_longer_shared": len(gone),
            "vehicles": dg.MetadataValue.md("\n".join(table)),
        }
    )


def _row(one: KnownVehicle) -> str:
    vehicle, sharing = one.vehicle, one.sharing
    permissions = "" if sharing.permissions is None else ", ".join(map(str, sharing.permissions)) or "none"
    shared = {True: "yes", False: "no longer", None: "not asked"}[sharing.shared_now]
    cells = (vehicle.vehicle_id, vehicle.make, vehicle.model, vehicle.year, permissions, shared)
    return _line([str(cell or "") for cell in cells])


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
