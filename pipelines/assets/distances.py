"""The asset `dimo_distances`: what DIMO says of distances, to hold ours against."""

import dagster as dg
from pydantic import Field

from dimo_etl.distances import DistancesBrought, bring_distances
from dimo_etl.errors import RequestRefusedError, ServiceDownError, ServiceError
from pipelines.assets.history import SIGNALS_KEY
from pipelines.assets.vehicles import vehicles
from pipelines.columns import view_schema
from pipelines.failures import explained
from pipelines.ownership import OWNERS
from pipelines.resources import Dimo

DISTANCES_KEY = dg.AssetKey("dimo_distances")
DISTANCES_STEP = DISTANCES_KEY.to_python_identifier()


class DistancesConfig(dg.Config):
    """What a run can be told: which vehicles, and whether to ask again within the hour."""

    vehicles: list[str] = Field(default=[], description="Vehicle ids; empty for every vehicle.")
    refresh: bool = Field(default=False, description="Ask also where the last answer is younger than an hour.")


@dg.asset(
    key=DISTANCES_KEY,
    group_name="history",
    kinds={"python", "parquet"},
    # After the days a run brings, so that what DIMO counts and we do not hold is no matter of minutes.
    deps=[SIGNALS_KEY, vehicles],
    owners=OWNERS,
    code_version="1",
    metadata={"dagster/column_schema": view_schema(DISTANCES_STEP)},
)
def dimo_distances(
    context: dg.AssetExecutionContext, config: DistancesConfig, dimo: dg.ResourceParam[Dimo]
) -> dg.MaterializeResult[None]:
    """What DIMO says each vehicle was driven, in all and on each of the last 14 days of the zone DIMO_TIME_ZONE.

    Two requests a vehicle, at most once an hour. Every answer is kept. What is not to be had fails no run; a
    vehicle that does not share it is counted.
    """
    with explained(dimo):
        try:
            brought = bring_distances(dimo.settings, only=config.vehicles, refresh=config.refresh)
        except (ServiceError, ServiceDownError, RequestRefusedError) as error:
            # The run has brought its days; what DIMO says of them can wait for the next run.
            context.log.warning("DIMO's distances are not asked for: %s", error)
            brought = DistancesBrought()
    for vehicle_id, failure in brought.failed.items():
        context.log.warning("vehicle %s: %s", vehicle_id, failure)
    return dg.MaterializeResult(
        metadata={
            "vehicles": len({said.vehicle_id for said in brought.said}),
            "asked_within_the_hour": len(brought.not_due),
            "not_shared": len(brought.not_shared),
            "failed": len(brought.failed),
            "days": sum(said.date is not None for said in brought.said),
            "requests": brought.requests,
        }
    )
