"""The sensors: who is told of a failed run, and what a new vehicle gets."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.events import DagsterEvent, DagsterEventType, StepMaterializationData

from dimo_etl.config import Settings
from pipelines.assets.views import VIEWS
from pipelines.build import build_defs
from pipelines.jobs import ANSWERS_JOB, JOB, RANGE_END, RANGE_START, answers_job, daily_job
from pipelines.resources import Dimo
from pipelines.sensors import days_sensor, failure_sensor, fleet_sensor
from tests.pipelines.conftest import HONDA, LEXUS, Household

MONDAY, TUESDAY, THURSDAY = date(2025, 6, 9), date(2025, 6, 10), date(2025, 6, 12)


@pytest.fixture
def everybody(on_disk: Household) -> Iterator[Household]:
    """All vehicles shared with the licence, on an instance that a sensor can open."""
    household = on_disk
    environ = {name: value for name, value in household.environ.items() if name != "DIMO_VEHICLES"}
    household.dimo = Dimo(lambda: Settings.from_environment(environ), interactive=True)
    granted = household.sandbox.fleet.vehicle(HONDA).granted
    yield household
    household.sandbox.fleet.share(HONDA, granted)


def look(household: Household, cursor: str | None) -> tuple[list[dg.RunRequest], str | None, str]:
    """What the sensor asks for, its cursor, and why it asks for nothing."""
    sensor = fleet_sensor(daily_job())
    with dg.build_sensor_context(
        household.instance,
        cursor=cursor,
        definitions=build_defs(household.dimo),
        resources={"dimo": household.dimo},
    ) as context:
        found = sensor.evaluate_tick(context)
    return list(found.run_requests or []), found.cursor, found.skip_message or ""


def test_a_new_vehicle_gets_the_days_that_the_others_have(everybody: Household) -> None:
    granted = everybody.sandbox.fleet.vehicle(HONDA).granted
    everybody.sandbox.fleet.share(HONDA, frozenset())
    for day in (MONDAY, TUESDAY, THURSDAY):
        everybody.instance.report_runless_asset_event(dg.AssetMaterialization("raw_history", partition=day.isoformat()))
    requests, cursor, said = look(everybody, None)
    assert requests == []
    assert "5 vehicles are shared" in said
    everybody.sandbox.fleet.share(HONDA, granted)
    requests, cursor, _ = look(everybody, cursor)
    assert [(one.tags[RANGE_START], one.tags[RANGE_END]) for one in requests] == [
        ("2025-06-09", "2025-06-10"),
        ("2025-06-12", "2025-06-12"),
    ]
    assert {tuple(one.run_config["ops"]["history"]["config"]["vehicles"]) for one in requests} == {(str(HONDA),)}
    assert look(everybody, cursor)[2] == "Still the same 6 vehicles."


def test_a_vehicle_that_is_shared_no_more_has_the_list_made_anew(everybody: Household) -> None:
    _, cursor, _ = look(everybody, None)
    everybody.sandbox.fleet.share(HONDA, frozenset())
    (request,), _, _ = look(everybody, cursor)
    assert [key.to_user_string() for key in request.asset_selection] == ["vehicles"]


def test_the_sensors_are_off_but_for_failures_where_somebody_is_to_be_told(tmp_path: Path) -> None:
    told = Settings.from_environment({"DIMO_WEBHOOK_URL": "https://example.org/hook"})
    nobody = Settings.from_environment({})
    assert failure_sensor(told).default_status is dg.DefaultSensorStatus.RUNNING
    assert failure_sensor(nobody).default_status is dg.DefaultSensorStatus.STOPPED
    assert fleet_sensor(daily_job()).default_status is dg.DefaultSensorStatus.STOPPED
    assert days_sensor(answers_job()).default_status is dg.DefaultSensorStatus.RUNNING


def after_days(household: Household, hour: int = 10, minute: int = 0) -> dg.SensorExecutionData:
    """What the sensor that waits for days does at a time of day."""
    now = datetime(2025, 6, 20, hour, minute, tzinfo=UTC)
    with dg.build_sensor_context(household.instance) as context:
        return days_sensor(answers_job(), lambda: now).evaluate_tick(context)


def test_the_views_follow_once_the_run_that_brought_days_is_over_also_where_one_of_them_failed(
    everybody: Household,
) -> None:
    assert "No day" in (after_days(everybody).skip_message or "")
    everybody.sandbox.faults.break_day(LEXUS, TUESDAY)
    assert not everybody.run(MONDAY, TUESDAY, vehicles=[str(LEXUS)]).success
    (request,) = after_days(everybody).run_requests
    (within,), (later,) = (after_days(everybody, *at).run_requests for at in [(10, 59), (11, 0)])
    assert within.run_key == request.run_key, "a second look starts no second run"
    assert later.run_key != request.run_key, "a run that failed is tried again in the next hour"
    assert everybody.answer(only=[VIEWS[0].name]).success
    assert "No day" in (after_days(everybody).skip_message or "")


@pytest.mark.parametrize("job", [JOB, ANSWERS_JOB])
def test_the_views_wait_for_days_that_are_coming_and_for_their_own_run(everybody: Household, job: str) -> None:
    instance = everybody.instance
    instance.report_runless_asset_event(dg.AssetMaterialization("signals", partition=MONDAY.isoformat()))
    assert after_days(everybody).run_requests
    definition = build_defs(everybody.dimo).resolve_job_def(job)
    run = instance.create_run_for_job(definition, status=dg.DagsterRunStatus.STARTED)
    if job == JOB:
        step = dg.AssetMaterialization("signals", partition=MONDAY.isoformat())
        event = DagsterEvent(
            DagsterEventType.ASSET_MATERIALIZATION.value, JOB, event_specific_data=StepMaterializationData(step)
        )
        instance.report_dagster_event(event, run.run_id)
    assert after_days(everybody).skip_message == f"The run {run.run_id} is still under way."
    instance.report_run_canceled(run)
    assert after_days(everybody).run_requests


def test_the_views_wait_while_a_day_is_not_what_is_promised(everybody: Household) -> None:
    instance, key = everybody.instance, dg.AssetKey("signals")
    instance.report_runless_asset_event(dg.AssetMaterialization(key, partition=MONDAY.isoformat()))
    instance.report_runless_asset_event(dg.AssetCheckEvaluation(asset_key=key, check_name="unique", passed=False))
    assert "are red: unique" in (after_days(everybody).skip_message or "")
    instance.report_runless_asset_event(dg.AssetCheckEvaluation(asset_key=key, check_name="unique", passed=True))
    assert after_days(everybody).run_requests
