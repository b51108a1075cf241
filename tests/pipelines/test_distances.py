"""The asset `dimo_distances` and its check: asked once, after the days; a difference warns and fails nothing."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from dimo_etl.config import Settings
from dimo_etl.lake.distances import Said, add_said
from dimo_etl.lake.store import Store
from dimo_etl.warehouse import Warehouse
from pipelines.build import build_defs
from pipelines.command_line import Dagster
from pipelines.resources import Dimo
from tests.pipelines.conftest import FLEET, HONDA, LEXUS, Household

MONDAY, WEDNESDAY = date(2025, 6, 9), date(2025, 6, 11)
ANALYTICS = "/device-data-api/v2"


def check(result: dg.ExecuteInProcessResult) -> dg.AssetCheckEvaluation:
    return next(found for found in result.get_asset_check_evaluations() if found.check_name == "agrees")


def distances(result: dg.ExecuteInProcessResult) -> dict[str, object]:
    ((event,),) = [result.asset_materializations_for_node("dimo_distances")]
    return {name: value.value for name, value in event.metadata.items()}


def test_every_vehicle_is_asked_about_before_the_views_follow_and_how_much_was_told_is_shown(
    household: Household,
) -> None:
    household.run(MONDAY, WEDNESDAY)
    result = household.answer()
    assert distances(result) | {"requests": 0} == {
        "vehicles": 2,
        "asked_within_the_hour": 0,
        "not_shared": 0,
        "failed": 0,
        "days": 28,
        "requests": 0,
    }
    steps = [event.step_key for event in result.all_events if event.is_step_success]
    assert steps.index("dimo_distances") < steps.index("views")


def test_a_difference_warns_with_both_numbers_and_why_and_fails_no_run(household: Household) -> None:
    household.run(MONDAY, WEDNESDAY)
    result = household.answer(only=["dimo_distances"])
    found = check(result)
    assert not found.passed
    assert found.severity is dg.AssetCheckSeverity.WARN
    with Warehouse.open(household.root) as warehouse:
        query = f"SELECT dimo_km, ours_km FROM reconciliation WHERE vehicle_id = '{HONDA}' AND date = '2025-06-13'"
        ((dimo_km, ours_km),) = warehouse.execute(query).fetchall()
    line = f"| {HONDA} | 2025-06-13 | {dimo_km} | {'' if ours_km is None else ours_km} | newer_than_ours |"
    assert line in found.metadata["differences"].value
    assert result.success


def test_the_check_passes_where_everything_agrees(household: Household) -> None:
    household.run(MONDAY, WEDNESDAY)
    household.answer(only=["dimo_distances"])
    with Warehouse.open(household.root) as warehouse:
        ours = warehouse.execute("SELECT vehicle_id, ours_km, date, time_zone FROM reconciliation").fetchall()
    with Store(str(household.root)) as store:
        later = datetime.now(UTC) + timedelta(hours=1)
        add_said(store, [Said(vehicle_id, later, zone, day, km) for vehicle_id, km, day, zone in ours])
    only_checks = dg.define_asset_job("only_checks", selection=dg.AssetSelection.all_asset_checks())
    defs = dg.Definitions.merge(build_defs(household.dimo), dg.Definitions(jobs=[only_checks]))
    result = defs.resolve_job_def("only_checks").execute_in_process(instance=household.instance)
    assert check(result).passed
    assert check(result).metadata["distances"].value == len(ours) == 30


def test_a_service_that_refuses_distances_fails_no_run(household: Household) -> None:
    household.sandbox.faults.answer(403, times=2, at=ANALYTICS)
    result = household.answer(only=["dimo_distances"])
    assert result.success
    assert distances(result)["failed"] == 2


def test_a_listing_that_is_not_to_be_had_fails_no_run(household: Household) -> None:
    environ = {name: value for name, value in household.environ.items() if name != "DIMO_VEHICLES"}
    household.dimo = Dimo(lambda: Settings.from_environment(environ), interactive=True)
    household.sandbox.faults.answer(403, at="/identity-api")
    result = household.answer(only=["dimo_distances"])
    assert result.success
    assert distances(result)["vehicles"] == 0


def test_a_second_run_within_the_hour_asks_nothing_unless_told_to(household: Household) -> None:
    household.answer(only=["dimo_distances"])
    before = len(household.sandbox.requests.below(ANALYTICS))
    assert distances(household.answer(only=["dimo_distances"]))["asked_within_the_hour"] == len(FLEET)
    assert len(household.sandbox.requests.below(ANALYTICS)) == before


def test_a_sync_spends_no_request_on_distances(
    household: Household, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    before = len(household.sandbox.requests)
    Dagster().bring(household.settings, [MONDAY], only=[str(LEXUS)], progress=lambda _: None)
    asked = [request.path for request in list(household.sandbox.requests)[before:]]
    assert any(path.endswith("/history") for path in asked)
    assert not [path for path in asked if path.startswith(ANALYTICS)]
