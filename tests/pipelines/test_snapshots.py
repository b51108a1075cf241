"""The hourly job against a running sandbox: what it brings, and what one vehicle's trouble does to it."""

from __future__ import annotations

import dagster as dg

from dimo_etl.warehouse import Warehouse
from pipelines.build import build_defs
from pipelines.jobs import SNAPSHOT_JOB
from tests.pipelines.conftest import FLEET, HONDA, LEXUS, Household


def run(household: Household, *only: int) -> dg.ExecuteInProcessResult:
    job = build_defs(household.dimo).resolve_job_def(SNAPSHOT_JOB)
    config = {"ops": {"snapshots": {"config": {"vehicles": list(map(str, only))}}}} if only else {}
    quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
    return job.execute_in_process(instance=household.instance, run_config=config | quiet, raise_on_error=False)


def metadata(result: dg.ExecuteInProcessResult) -> dict[str, object]:
    (event,) = result.asset_materializations_for_node("snapshots")
    return {name: value.value for name, value in event.metadata.items()}


def seen(household: Household) -> set[int]:
    with Warehouse.open(household.root) as warehouse:
        rows = warehouse.execute(
            "SELECT DISTINCT vehicle_id::INTEGER FROM latest SEMI JOIN snapshots USING (vehicle_id)"
        )
        return {vehicle for (vehicle,) in rows.fetchall()}


def test_the_newest_values_of_every_vehicle_are_there_to_query(household: Household) -> None:
    found = metadata(run(household))
    assert (found["vehicles_seen"], found["vehicles_failed"]) == (len(FLEET), 0)
    assert found["new_signals"] == found["signals"] > 10
    assert found["requests"] >= 3 * len(FLEET)
    assert seen(household) == set(FLEET)


def test_a_second_hour_without_a_drive_brings_nothing_new(household: Household) -> None:
    run(household)
    found = metadata(run(household))
    assert (found["vehicles_seen"], found["new_signals"]) == (len(FLEET), 0)


def test_a_run_may_be_told_which_vehicles(household: Household) -> None:
    run(household, LEXUS)
    assert seen(household) == {LEXUS}


def test_a_vehicle_that_shares_nothing_is_counted_and_the_run_goes_well(household: Household) -> None:
    granted = household.sandbox.fleet.vehicle(HONDA).granted
    household.sandbox.fleet.share(HONDA, frozenset())
    try:
        result = run(household)
    finally:
        household.sandbox.fleet.share(HONDA, granted)
    assert result.success
    assert (metadata(result)["vehicles_refused"], metadata(result)["vehicles_seen"]) == (1, 1)
    assert seen(household) == {LEXUS}
