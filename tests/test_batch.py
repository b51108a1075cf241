"""A batch of days: each with how far it came, and why it is not done."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

from dimo_etl.batch import fetch_days
from dimo_etl.config import Settings
from dimo_etl.errors import AuthError, InputError, ServiceError
from dimo_etl.history.fetch import Outcome
from dimo_etl.sandbox.server import SandboxServer
from tests.signals import write_signals

DAYS = [date(2026, 1, 12), date(2026, 1, 13)]
QUIET = ("5023", "8102")


@pytest.fixture(scope="module")
def running():
    with SandboxServer(port=0, seed=1, today=date(2026, 1, 15)) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running):
    yield running
    running.faults.clear()


@pytest.fixture
def settings(sandbox, tmp_path: Path) -> Settings:
    return Settings.from_environment(sandbox.environ | {"DIMO_WAREHOUSE": str(tmp_path / "lake")})


def test_every_day_tells_what_became_of_each_vehicle(settings, sandbox):
    before = len(sandbox.requests)
    fetched = fetch_days(settings, DAYS, only=QUIET)
    assert [day.day for day in fetched.days] == DAYS
    assert [day.count(Outcome.COMPLETE) for day in fetched.days] == [2, 2]
    assert [day.error for day in fetched.days] == [None, None]
    assert fetched.requests == len(sandbox.requests) - before
    assert fetched.retries == 0


def test_days_that_are_complete_are_told_as_such_and_not_asked_for(settings, sandbox):
    fetch_days(settings, DAYS, only=QUIET)
    before = len(sandbox.requests.below("/device-data-api"))
    again = fetch_days(settings, DAYS, only=QUIET)
    assert [day.count(Outcome.ALREADY_COMPLETE) for day in again.days] == [2, 2]
    assert len(sandbox.requests.below("/device-data-api")) == before


def test_a_vehicle_day_that_failed_is_the_error_of_its_day_only(settings, sandbox):
    # A wait longer than anybody obeys, so the request is given up at once.
    sandbox.faults.answer(503, retry_after="100000")
    fetched = fetch_days(settings, [DAYS[0], DAYS[0] + timedelta(days=2)], only=QUIET[:1])
    failed, done = fetched.days
    assert isinstance(failed.error, ServiceError)
    assert str(failed.error).startswith(f"1 of 1 vehicles could not be brought for {DAYS[0]}; vehicle 5023: ")
    assert failed.count(Outcome.FAILED) == 1
    assert (done.error, done.count(Outcome.COMPLETE)) == (None, 1)


def test_a_service_that_goes_down_is_the_error_of_every_day_it_kept_from_being_done(settings, sandbox):
    fetch_days(settings, DAYS[:1], only=QUIET)
    sandbox.faults.answer(503, times=10_000, retry_after="100000")
    days = [DAYS[0] + timedelta(days=2 * n) for n in range(-10, 1)]
    fetched = fetch_days(settings, days, only=QUIET)
    assert [day.day for day in fetched.days if day.error is None] == DAYS[:1]
    assert any("The service is down" in str(day.error) for day in fetched.days)


def test_refused_credentials_are_raised_where_nothing_was_done(settings, sandbox):
    sandbox.faults.answer(401, times=100, at="/auth")
    with pytest.raises(AuthError):
        fetch_days(settings, DAYS, only=QUIET)


def test_a_vehicle_that_is_not_shared_is_refused_before_its_history_is_asked_for(settings, sandbox):
    before = len(sandbox.requests.below("/device-data-api"))
    with pytest.raises(InputError, match=r"[Vv]ehicle 9001 is not among those shared"):
        fetch_days(settings, DAYS, only=["9001"])
    assert len(sandbox.requests.below("/device-data-api")) == before


def test_signals_are_written_of_a_day_that_is_held_and_of_no_other(settings):
    fetch_days(settings, DAYS[:1], only=QUIET)
    written = write_signals(settings, DAYS[0])
    assert [record.vehicle_id for record in written.coverage] == list(QUIET)
    assert written.rows > 0
    assert write_signals(settings, DAYS[1]) is None
