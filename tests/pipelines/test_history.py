"""The daily assets: what a run over days leaves in the warehouse and tells Dagster."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import dagster as dg
import pytest

from dimo_etl.config import Settings
from dimo_etl.errors import AuthError
from dimo_etl.history.fetch import VehicleDay
from dimo_etl.model import days_between
from dimo_etl.warehouse import Warehouse
from pipelines.build import build_defs
from pipelines.jobs import daily_job
from pipelines.resources import Dimo
from pipelines.schedules import daily_schedule
from pipelines.standing import failed_days
from tests.pipelines.conftest import FLEET, HONDA, LEXUS, Household
from tests.pipelines.services import eventually

MONDAY, TUESDAY, WEDNESDAY = date(2025, 6, 9), date(2025, 6, 10), date(2025, 6, 11)
RAW, SIGNALS = dg.AssetKey("raw_history"), dg.AssetKey("signals")
WEEK = {"2025-06-09", "2025-06-10", "2025-06-11"}


def metadata_of(household: Household, asset: dg.AssetKey, partition: str) -> dict[str, object]:
    records = household.instance.fetch_materializations(
        dg.AssetRecordsFilter(asset, asset_partitions=[partition]), limit=1
    ).records
    return {key: found.value for key, found in records[0].asset_materialization.metadata.items()}


def test_a_day_is_brought_whole(household: Household) -> None:
    assert household.run(MONDAY).success
    assert household.events_held() == household.events_that_exist(MONDAY, MONDAY)
    assert household.materialized("raw_history") == household.materialized("signals") == {"2025-06-09"}


def test_a_run_over_several_days_materializes_each_of_them(household: Household) -> None:
    result = household.run(MONDAY, WEDNESDAY)
    assert result.success
    assert household.events_held() == household.events_that_exist(MONDAY, WEDNESDAY)
    assert household.materialized("raw_history") == household.materialized("signals") == WEEK


def test_each_partition_tells_its_own_numbers(household: Household) -> None:
    household.run(MONDAY, TUESDAY)
    for day in (MONDAY, TUESDAY):
        events = sum(len(ids) for ids in household.events_that_exist(day, day).values())
        raw = metadata_of(household, RAW, day.isoformat())
        assert (raw["events"], raw["vehicles_complete"], raw["vehicles_incomplete"]) == (events, 2, 0)
        units = list((household.root / f"raw/date={day}").iterdir())
        assert raw["bytes"] == sum(unit.stat().st_size for unit in units) > 0
        assert raw["retries"] == 0
        assert raw["seconds_fetching"] > 0
        signals = metadata_of(household, SIGNALS, day.isoformat())
        assert (signals["events"], signals["vehicles"]) == (events, 2)
        assert signals["dagster/partition_row_count"] > events
        assert signals["bytes"] == Path(signals["file"]).stat().st_size
        assert signals["seconds_flattening"] > 0


def test_a_day_shows_what_was_driven_and_which_names_came_and_no_position(household: Household) -> None:
    household.run(MONDAY, TUESDAY)
    signals = metadata_of(household, SIGNALS, TUESDAY.isoformat())
    with Warehouse.open(household.root) as warehouse:
        query = "SELECT round(sum(distance_km), 1) FROM distance_daily WHERE date = ?"
        ((km,),) = warehouse.execute(query, [TUESDAY]).fetchall()
    assert signals["km"] == km > 0
    assert signals["picture"].startswith("![km and errors](data:image/svg+xml;base64,")
    assert "| odometer |" in signals["preview"]
    assert "latitude" not in signals["preview"]


def test_the_requests_and_retries_of_the_days_are_those_that_were_sent(household: Household) -> None:
    household.sandbox.faults.answer(503, times=2)
    asked = len([one for one in household.sandbox.requests if one.path.endswith("/history")])
    household.run(MONDAY, TUESDAY)
    asked = len([one for one in household.sandbox.requests if one.path.endswith("/history")]) - asked
    told = [metadata_of(household, RAW, day.isoformat()) for day in (MONDAY, TUESDAY)]
    assert sum(day["requests"] for day in told) == asked
    assert sum(day["retries"] for day in told) == 2


def test_days_apart_can_be_brought_one_after_the_other(household: Household) -> None:
    household.run(MONDAY)
    household.run(WEDNESDAY)
    assert household.materialized("signals") == {"2025-06-09", "2025-06-11"}
    assert {day for _, day in household.events_held()} == {MONDAY, WEDNESDAY}


def test_what_is_complete_is_not_asked_for_again(household: Household) -> None:
    household.run(MONDAY)
    held, asked = household.events_held(), household.requests()
    assert household.run(MONDAY).success
    assert household.requests() == asked
    assert household.events_held() == held


def test_a_refresh_asks_again_and_changes_nothing_that_is_the_same(household: Household) -> None:
    household.run(MONDAY)
    held, asked = household.events_held(), household.requests()
    household.run(MONDAY, refresh=True)
    assert household.requests() > asked
    assert household.events_held() == held


def test_only_the_vehicles_named_are_brought(household: Household) -> None:
    household.run(MONDAY, vehicles=[str(HONDA)])
    assert {vehicle for vehicle, _ in household.events_held()} == {HONDA}


def test_signals_alone_are_made_without_a_request(household: Household) -> None:
    household.run(MONDAY, only=["raw_history"])
    assert household.materialized("signals") == set()
    asked = household.requests()
    assert household.run(MONDAY, only=["signals"]).success
    assert household.requests() == asked
    assert household.materialized("signals") == {"2025-06-09"}
    assert household.events_held() == household.events_that_exist(MONDAY, MONDAY)


def test_signals_of_a_day_without_history_are_empty_and_no_failure(household: Household) -> None:
    assert household.run(MONDAY, only=["signals"]).success
    assert metadata_of(household, SIGNALS, "2025-06-09")["dagster/partition_row_count"] == 0


@pytest.fixture
def half_brought(household: Household) -> Household:
    """Three days, of which the service answers 500 for one of one vehicle."""
    household.sandbox.faults.break_day(LEXUS, TUESDAY)
    result = household.run(MONDAY, WEDNESDAY)
    assert not result.success
    return household


def test_a_day_that_fails_stops_no_other_and_only_it_is_left_to_do(half_brought: Household) -> None:
    assert half_brought.materialized("raw_history") == WEEK - {"2025-06-10"}
    assert half_brought.materialized("signals") == WEEK, "they are what the raw events give"
    exist = half_brought.events_that_exist(MONDAY, WEDNESDAY)
    held = half_brought.events_held()
    assert held == {key: ids for key, ids in exist.items() if key != (LEXUS, TUESDAY)}
    assert f"vehicle {LEXUS}" in str(half_brought.dimo.error)

    half_brought.sandbox.faults.clear()
    asked = len(half_brought.sandbox.requests)
    assert half_brought.run(MONDAY, WEDNESDAY).success
    assert half_brought.materialized("signals") == WEEK
    assert half_brought.events_held() == exist
    history = [made for made in half_brought.sandbox.requests[asked:] if made.path.endswith("/history")]
    assert {(made.path.split("/")[-2], made.query.count("2025-06-10")) for made in history} == {(str(LEXUS), 2)}


def test_a_damaged_unit_stops_no_other_day(household: Household) -> None:
    household.run(MONDAY, WEDNESDAY, only=["raw_history"])
    damaged = household.root / f"raw/date={TUESDAY}/{LEXUS}.parquet"
    damaged.write_bytes(damaged.read_bytes()[:100])
    assert not household.run(MONDAY, WEDNESDAY, only=["signals"]).success
    assert str(damaged) in str(household.dimo.error)
    assert household.materialized("signals") == WEEK - {"2025-06-10"}


def test_refused_credentials_fail_the_run_in_one_sentence(household: Household) -> None:
    household.sandbox.faults.answer(401, times=10, at="/auth")
    result = household.run(MONDAY, only=["raw_history"])
    failures = [event.step_failure_data for event in result.all_events if event.is_step_failure]
    assert [failure.user_failure_data.description for failure in failures] == [str(household.dimo.error)]
    assert household.materialized("raw_history") == set()


FORTNIGHT = (date(2025, 6, 2), date(2025, 6, 15))
SOME_DAYS = (date(2025, 6, 2), date(2025, 6, 6))
TALKATIVE = 4711


def happens_half_way(household: Household, what: Callable[[], None]) -> list[str]:
    """Let something happen to the service once three days of a vehicle that says a lot are through."""
    environ = household.environ | {"DIMO_VEHICLES": str(TALKATIVE)}
    through: list[str] = []

    def progress(done: VehicleDay) -> None:
        through.append(done.coverage.date.isoformat())
        if len(through) == 3:
            what()

    household.dimo = Dimo(lambda: Settings.from_environment(environ), progress=progress, interactive=True)
    return through


def test_a_token_that_is_refused_half_way_fails_no_batch_of_a_fortnight(household: Household) -> None:
    faults = household.sandbox.faults

    def refuse() -> None:
        faults.expire_tokens()
        faults.answer(401)

    through = happens_half_way(household, refuse)
    assert household.run(*FORTNIGHT, only=["raw_history", "signals"]).success
    assert faults.pending == 0, "it did happen"
    assert len(through) == len(household.materialized("signals")) == 14


def test_credentials_refused_for_good_half_way_leave_the_days_before_green(household: Household) -> None:
    faults = household.sandbox.faults

    def refuse() -> None:
        faults.expire_tokens()
        faults.answer(401, times=1000)
        faults.answer(401, times=1000, at="/auth")

    through = happens_half_way(household, refuse)
    assert not household.run(*SOME_DAYS, only=["raw_history", "signals"]).success
    assert isinstance(household.dimo.error, AuthError)
    done = household.materialized("raw_history")
    assert set(through[:3]) <= done < {day.isoformat() for day in days_between(*SOME_DAYS)}
    faults.clear()
    happens_half_way(household, lambda: None)
    assert household.run(*SOME_DAYS, only=["raw_history", "signals"]).success
    assert len(household.materialized("signals")) == 5


def test_each_day_is_green_as_soon_as_it_is_done_and_recorded_once(household: Household) -> None:
    green: list[set[str]] = []

    def look() -> None:
        wanted = {"2025-06-02", "2025-06-03"}
        eventually(lambda: household.materialized("signals") >= wanted, "the two days before to be green")
        green.append(household.materialized("raw_history"))

    happens_half_way(household, look)
    assert household.run(*SOME_DAYS).success
    assert green == [{"2025-06-02", "2025-06-03"}], "the third was just brought"
    for key in (RAW, SIGNALS):
        records = household.instance.fetch_materializations(key, limit=100).records
        assert len(records) == len({record.partition_key for record in records}) == 5


def test_a_dead_service_turns_one_asset_red_and_the_next_morning_heals_it(on_disk: Household) -> None:
    household = on_disk
    environ = household.environ | {"DIMO_VEHICLES": ""}
    household.dimo = Dimo(lambda: Settings.from_environment(environ), interactive=True)
    household.run(MONDAY, vehicles=list(map(str, FLEET)))
    household.sandbox.faults.answer(500, times=10_000, at="/", retry_after="3600")
    assert not household.run(TUESDAY, WEDNESDAY).success
    assert "answered 500" in str(household.dimo.error)
    assert household.answer(only=["dimo_distances", "odometer"]).success
    assert red(household) == {"raw_history": [TUESDAY, WEDNESDAY]}
    household.sandbox.faults.clear()
    morning = daily_schedule(MONDAY, 1, daily_job())
    at = datetime(2025, 6, 12, 6, 15, tzinfo=UTC)
    with dg.build_schedule_context(household.instance, scheduled_execution_time=at) as context:
        for request in morning.evaluate_tick(context).run_requests:
            assert household.run_request(request).success
    assert red(household) == {}
    held, exist = household.events_held(), household.events_that_exist(MONDAY, WEDNESDAY)
    assert {key: held[key] for key in exist} == exist


@pytest.mark.parametrize("at", ["/auth", "/token-exchange-api"])
def test_credentials_that_are_refused_turn_one_asset_red(household: Household, at: str) -> None:
    household.sandbox.faults.answer(401, times=1000, at=at)
    assert not household.run(MONDAY, TUESDAY).success
    assert red(household) == {"raw_history": [MONDAY, TUESDAY]}


def red(household: Household) -> dict[str, list[date]]:
    """The failed days of each asset, as the UI colours them, and the assets without days that failed."""
    graph = build_defs(household.dimo).resolve_asset_graph()
    found = {}
    for key in graph.materializable_asset_keys:
        if days := failed_days(household.instance, key):
            found[key.to_user_string()] = days
        planned = household.instance.get_latest_planned_materialization_info(key)
        made = household.instance.get_latest_materialization_event(key)
        if graph.get(key).partitions_def is None and planned and (made is None or made.run_id != planned.run_id):
            found[key.to_user_string()] = []
    return found


def attempts(household: Household, **environ: str) -> tuple[bool, int]:
    """Whether a run that nobody waits for goes well, and how often it tries the days."""
    settings = Settings.from_environment(household.environ | {"DIMO_RETRY_AFTER": "0"} | environ)
    household.dimo = Dimo(lambda: settings)
    result = household.run(MONDAY, only=["raw_history"])
    starts = ("STEP_START", "STEP_RESTARTED")
    return result.success, sum(
        event.step_key == "history" and event.event_type_value in starts for event in result.all_events
    )


def test_what_may_pass_is_tried_twice_more_and_then_is_a_failure(household: Household) -> None:
    household.sandbox.faults.answer(503, times=1000, retry_after="0")
    assert attempts(household) == (False, 3)


def test_what_has_passed_meanwhile_is_no_failure(household: Household) -> None:
    household.sandbox.faults.answer(503, times=7, retry_after="0")
    assert attempts(household, DIMO_VEHICLES=str(LEXUS)) == (True, 2)


def test_only_what_is_left_is_tried_again(household: Household) -> None:
    household.sandbox.faults.break_day(LEXUS, TUESDAY)
    settings = Settings.from_environment(household.environ | {"DIMO_RETRY_AFTER": "0"})
    asked: list[str] = []
    household.dimo = Dimo(lambda: settings, progress=lambda done: asked.append(done.coverage.date.isoformat()))
    assert not household.run(MONDAY, WEDNESDAY, refresh=True).success
    assert sorted(asked) == sorted([*WEEK] * 2 + ["2025-06-10"] * 4), "two vehicles, three tries"


def test_what_will_not_pass_is_tried_once(household: Household) -> None:
    household.sandbox.faults.answer(401, times=100, at="/auth")
    assert attempts(household) == (False, 1)
