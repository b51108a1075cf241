"""The asset `snapshots`: the newest value of each signal of each vehicle, as the service shows it now."""

from datetime import timedelta

import dagster as dg
from pydantic import Field

from dimo_etl.errors import ServiceError
from dimo_etl.snapshots.run import snapshot_vehicles
from dimo_etl.snapshots.take import Outcome
from dimo_etl.warehouse.publish import publish
from pipelines.assets.vehicles import vehicles
from pipelines.columns import view_schema
from pipelines.failures import explained
from pipelines.ownership import OWNERS
from pipelines.resources import Dimo

SNAPSHOTS = dg.AssetKey("snapshots")


class SnapshotsConfig(dg.Config):
    """What a run can be told: which vehicles."""

    vehicles: list[str] = Field(default=[], description="Vehicle ids; empty for every vehicle.")


@dg.asset(
    key=SNAPSHOTS,
    group_name="history",
    kinds={"python", "parquet"},
    deps=[vehicles],
    owners=OWNERS,
    # An hour may be missed; a day without any means that nothing takes them.
    freshness_policy=dg.FreshnessPolicy.time_window(fail_window=timedelta(days=1), warn_window=timedelta(hours=3)),
    code_version="1",
    metadata={"dagster/column_schema": view_schema("snapshots")},
)
def snapshots(
    context: dg.AssetExecutionContext, config: SnapshotsConfig, dimo: dg.ResourceParam[Dimo]
) -> dg.MaterializeResult[None]:
    """What the status routes showed of each vehicle, kept as received; what is new in it is in `signals`.

    A vehicle that shares no history may still share this. One that cannot be seen stops no other, and the next hour
    looks again.
    """
    with explained(dimo):
        run = snapshot_vehicles(dimo.settings, only=config.vehicles)
        publish(dimo.settings.warehouse)
        outcomes = [one.outcome for one in run.vehicles]
        if outcomes and set(outcomes) == {Outcome.FAILED}:
            raise ServiceError(
                f"No vehicle could be seen; vehicle {run.vehicles[0].vehicle_id}: {run.vehicles[0].reason}"
            )
    for one in run.vehicles:
        if one.reason is not None:
            context.log.warning("vehicle %s, %s: %s", one.vehicle_id, one.outcome.value, one.reason)
    return dg.MaterializeResult(
        metadata={
            "vehicles_seen": outcomes.count(Outcome.SEEN),
            "vehicles_nothing_seen_yet": outcomes.count(Outcome.NOTHING_YET),
            "vehicles_refused": outcomes.count(Outcome.REFUSED),
            "vehicles_failed": outcomes.count(Outcome.FAILED),
            "signals": sum(one.signals for one in run.vehicles),
            "new_signals": sum(one.new_signals for one in run.vehicles),
            "requests": run.requests,
        }
    )
