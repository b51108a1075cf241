"""The schedule: which days it brings, and when."""

from __future__ import annotations

from datetime import UTC, date, datetime

import dagster as dg
import pytest

from pipelines.jobs import RANGE_END, RANGE_START, STEP, daily_job, daily_schedule


def tick(start: date, moment: datetime) -> dg.ScheduleExecutionData | list[dg.RunRequest]:
    schedule = daily_schedule(start, daily_job())
    return schedule.evaluate_tick(dg.build_schedule_context(scheduled_execution_time=moment))


MORNING = datetime(2025, 6, 12, 6, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    ("start", "first"),
    [(date(2020, 1, 1), "2025-06-09"), (date(2025, 6, 11), "2025-06-11")],
    ids=["long ago", "yesterday"],
)
def test_a_morning_asks_for_yesterday_and_the_two_days_before_but_none_before_the_first(
    start: date, first: str
) -> None:
    (request,) = tick(start, MORNING).run_requests
    assert (request.tags[RANGE_START], request.tags[RANGE_END]) == (first, "2025-06-11")


def test_the_days_before_are_asked_for_again_though_they_were_complete() -> None:
    (request,) = tick(date(2020, 1, 1), MORNING).run_requests
    assert request.run_config == {"ops": {STEP: {"config": {"refresh": True}}}}


def test_a_morning_before_any_day_is_over_is_skipped_with_the_reason() -> None:
    found = tick(date(2025, 6, 12), MORNING)
    assert found.run_requests == []
    assert "not over yet" in found.skip_message


def test_two_ticks_of_one_morning_are_one_run() -> None:
    keys = {tick(date(2020, 1, 1), MORNING).run_requests[0].run_key for _ in range(2)}
    assert keys == {"2025-06-11"}
