"""What must hold however the last run went: red exactly where there is something to do."""

from __future__ import annotations

from datetime import UTC, date, datetime

import dagster as dg
import pytest

from pipelines.assets.history import RAW
from pipelines.build import build_defs
from pipelines.jobs import LOOK_JOB
from pipelines.standing import failed_days, newest_day
from tests.pipelines.conftest import LEXUS, Household

MONDAY, TUESDAY, WEDNESDAY = date(2025, 6, 9), date(2025, 6, 10), date(2025, 6, 11)


def look(household: Household) -> dict[str, dg.AssetCheckEvaluation]:
    """What the morning's look says."""
    job = build_defs(household.dimo).resolve_job_def(LOOK_JOB)
    quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
    result = job.execute_in_process(instance=household.instance, run_config=quiet)
    return {found.check_name: found for found in result.get_asset_check_evaluations()}


def test_a_day_that_failed_is_red_until_it_was_brought(household: Household) -> None:
    household.sandbox.faults.break_day(LEXUS, TUESDAY)
    household.run(MONDAY, WEDNESDAY)
    found = look(household)["none_left_failed"]
    assert not found.passed
    assert found.severity is dg.AssetCheckSeverity.ERROR
    assert found.description == "2025-06-10 failed; see the failed run's error, then run these days again."
    household.sandbox.faults.clear()
    household.run(TUESDAY)
    assert look(household)["none_left_failed"].passed


def test_a_day_that_was_never_asked_for_has_not_failed(household: Household) -> None:
    household.run(MONDAY)
    assert failed_days(household.instance, RAW) == []


@pytest.mark.parametrize(
    ("now", "passed"),
    [
        (datetime(2025, 6, 12, 9, 0, tzinfo=UTC), True),
        (datetime(2025, 6, 13, 8, 59, tzinfo=UTC), True),
        (datetime(2025, 6, 13, 9, 0, tzinfo=UTC), False),
    ],
    ids=["yesterday is there", "yesterday is not due yet", "yesterday is missing"],
)
def test_the_newest_day_is_due_at_nine(now: datetime, passed: bool) -> None:
    assert newest_day([MONDAY, WEDNESDAY], now, schedule_on=True).passed is passed


def test_a_missing_newest_day_is_an_error_only_where_a_schedule_should_have_brought_it() -> None:
    now = datetime(2025, 6, 20, 12, 0, tzinfo=UTC)
    on, off = (newest_day([MONDAY], now, schedule_on) for schedule_on in (True, False))
    assert (on.severity, off.severity) == (dg.AssetCheckSeverity.ERROR, dg.AssetCheckSeverity.WARN)
    assert "see its last run" in (on.description or "")
    assert "turn on every_morning" in (off.description or "")


def test_a_warehouse_without_any_day_lacks_the_newest(household: Household) -> None:
    assert not look(household)["newest_day_is_there"].passed
