"""The daily schedule: which days it brings, and what it does about days that were missed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime

import dagster as dg
import pytest

from pipelines.jobs import RANGE_END, RANGE_START, STEP, daily_job
from pipelines.schedules import Request, daily_schedule, days_to_bring

MORNING = datetime(2025, 6, 12, 6, 15, tzinfo=UTC)
LAST = date(2025, 6, 11)
LONG_AGO = date(2020, 1, 1)


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.instance_for_test() as instance:
        yield instance


def tick(instance: dg.DagsterInstance, start: date = LONG_AGO) -> dg.ScheduleExecutionData:
    schedule = daily_schedule(start, 3, daily_job())
    context = dg.build_schedule_context(instance, scheduled_execution_time=MORNING)
    return schedule.evaluate_tick(context)


def day(number: int) -> date:
    return date(2025, 6, number)


@pytest.mark.parametrize(
    ("start", "first"), [(LONG_AGO, "2025-06-09"), (LAST, "2025-06-11")], ids=["long ago", "yesterday"]
)
def test_a_morning_asks_for_yesterday_and_the_two_days_before_but_none_before_the_first(
    instance: dg.DagsterInstance, start: date, first: str
) -> None:
    (request,) = tick(instance, start).run_requests
    assert (request.tags[RANGE_START], request.tags[RANGE_END]) == (first, "2025-06-11")


def test_the_days_before_are_asked_for_again_though_they_were_complete(instance: dg.DagsterInstance) -> None:
    (request,) = tick(instance).run_requests
    assert request.run_config == {"ops": {STEP: {"config": {"refresh": True}}}}


def test_a_morning_before_any_day_is_over_is_skipped_with_the_reason(instance: dg.DagsterInstance) -> None:
    found = tick(instance, date(2025, 6, 12))
    assert found.run_requests == []
    assert "not over yet" in found.skip_message


def test_two_ticks_of_one_morning_are_one_run(instance: dg.DagsterInstance) -> None:
    assert {tick(instance).run_requests[0].run_key for _ in range(2)} == {"2025-06-11/2025-06-09"}


def test_days_that_passed_while_the_machine_was_off_are_brought_too_after_the_newest_and_in_batches() -> None:
    held = [date(2025, 5, 1), date(2025, 5, 21)]
    assert days_to_bring(LONG_AGO, LAST, 3, held, []) == [
        Request(day(9), LAST, again=True),
        Request(date(2025, 5, 22), day(4), again=False),
        Request(day(5), day(8), again=False),
    ]


def test_a_day_that_failed_is_brought_again_until_it_is_there() -> None:
    held = [day(number) for number in range(1, 12) if number not in (3, 10)]
    assert days_to_bring(LONG_AGO, LAST, 3, held, [day(3), day(10)]) == [
        Request(day(9), LAST, again=True),
        Request(day(3), day(3), again=False),
    ]


def test_where_nothing_was_ever_brought_the_years_before_are_left_to_a_backfill() -> None:
    assert days_to_bring(LONG_AGO, LAST, 3, [], []) == [Request(day(9), LAST, again=True)]


def test_what_was_missed_waits_for_the_newest_days_and_goes_before_a_backfill(instance: dg.DagsterInstance) -> None:
    instance.report_runless_asset_event(dg.AssetMaterialization("raw_history", partition="2025-06-05"))
    priorities = {
        request.tags[RANGE_START]: request.tags["dagster/priority"] for request in tick(instance).run_requests
    }
    assert priorities == {"2025-06-09": "10", "2025-06-06": "5"}
