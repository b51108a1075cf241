"""What a vehicle grants is asked first, so that the exchange is asked once, and for no more than is of use."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from dimo_etl.batch import fetch_days, remember_vehicles
from dimo_etl.config import Settings
from dimo_etl.sandbox.server import SandboxServer

KIA = 8816
DAYS = [date(2026, 1, 5)]


@pytest.fixture
def sandbox():
    with SandboxServer(port=0, today=date(2026, 1, 15)) as server:
        yield server


@pytest.fixture
def settings(sandbox: SandboxServer, tmp_path: Path) -> Settings:
    return Settings.from_environment(
        sandbox.environ | {"DIMO_VEHICLES": str(KIA), "DIMO_WAREHOUSE": str(tmp_path / "lake")}
    )


def exchanges(sandbox: SandboxServer) -> list[int | None]:
    return [request.status for request in sandbox.requests.below("/token-exchange-api")]


def privileges(settings: Settings) -> list[tuple[int, ...] | None]:
    return [done.coverage.privileges for done in fetch_days(settings, DAYS).days[0].vehicle_days]


def test_a_vehicle_named_in_the_settings_is_asked_for_what_identity_said_it_grants(sandbox, settings):
    remember_vehicles(settings)
    assert privileges(settings) == [(1,)]
    assert exchanges(sandbox) == [200]


def test_where_identity_was_never_asked_smaller_sets_are_tried(sandbox, settings):
    assert privileges(settings) == [(1,)]
    assert exchanges(sandbox) == [403, 403, 200]


def test_of_all_that_is_granted_only_what_is_of_use_is_asked_for(sandbox, settings):
    sandbox.fleet.share(KIA, frozenset(range(1, 9)))
    remember_vehicles(settings)
    assert privileges(settings) == [(1, 3, 4)]
    assert exchanges(sandbox) == [200]


def test_a_privilege_that_was_taken_back_since_costs_a_request_and_no_day(sandbox, settings):
    sandbox.fleet.share(KIA, frozenset({1, 4}))
    remember_vehicles(settings)
    sandbox.fleet.share(KIA, frozenset({1}))
    assert privileges(settings) == [(1,)]
    assert exchanges(sandbox) == [403, 403, 200]


def test_a_vehicle_that_shares_nothing_any_more_says_so_in_its_record(sandbox, settings):
    sandbox.fleet.share(KIA, frozenset())
    [done] = fetch_days(settings, DAYS).days[0].vehicle_days
    assert done.coverage.privileges == ()
    assert "does not share its history" in done.coverage.reason
