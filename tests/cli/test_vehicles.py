"""Vehicles that come and go: what `vehicles` and `status` list, and that old days stay as they are."""

from __future__ import annotations

import csv
import io
import json

import pytest

from dimo_etl.cli.vehicles import ranges
from dimo_etl.warehouse import Warehouse
from tests.cli.conftest import User

DAY = ("--from", "2026-01-05", "--to", "2026-01-05")
LEXUS, HONDA, KIA = 5023, 7345, 8816


@pytest.fixture(scope="module")
def household(tmp_path_factory, sandbox):
    """A user who has synced one day of three vehicles, of which one hides its position."""
    user = User(tmp_path_factory.mktemp("household"), sandbox.environ)
    told = user.run("sync", *DAY, DIMO_VEHICLES=f"{LEXUS},{HONDA},{KIA}")
    assert told.returncode == 0, told.stderr
    return user


@pytest.fixture
def revoked(sandbox):
    """Somebody who stops sharing the Honda, until the test is over."""
    granted = sandbox.fleet.vehicle(HONDA).granted
    yield lambda: sandbox.fleet.share(HONDA, frozenset())
    sandbox.fleet.share(HONDA, granted)


def test_the_list_has_what_identity_and_the_data_say(household):
    told = household.run("vehicles")
    assert (told.returncode, told.stderr) == (0, "")
    kia = next(line for line in told.stdout.splitlines() if line.startswith("8816"))
    assert kia.split() == ["8816", "Kia", "Niro", "2019", "yes", "1", "Smartcar", "2026-01-05", "2026-01-05"]
    assert max(map(len, told.stdout.splitlines())) <= 80


def test_csv_and_json_have_every_column_of_the_view(household):
    [kia] = [row for row in json.loads(household.run("vehicles", "--format", "json").stdout) if row["token_id"] == KIA]
    assert (kia["permissions"], kia["shared_now"], kia["year"]) == ([1], True, 2019)
    assert kia["integrations"] == ["dimo/integration/22N2xaPOq2WW2gAHBHd0Ikn4Zob"]
    lines = csv.DictReader(io.StringIO(household.run("vehicles", "--format", "csv").stdout))
    assert set(next(lines)) == set(kia)


def test_where_identity_cannot_be_asked_the_warehouse_answers_and_that_is_said(household):
    told = household.run("vehicles", DIMO_CLIENT_ID="", DIMO_ENVIRONMENT="production")
    assert told.returncode == 0
    assert told.stderr.startswith("As the warehouse last knew, since it cannot be brought up to date: Whose vehicles")
    assert "Niro 2019" in told.stdout


def test_status_says_what_could_not_be_read_and_is_readable_in_80_columns(household):
    told = household.run("status")
    assert told.returncode == 0, told.stderr
    assert "vehicle 8816: no location (privilege 4 not granted): ask its owner to grant it" in told.stdout.splitlines()
    assert max(map(len, told.stdout.splitlines())) <= 80
    assert household.answer("SELECT vehicle_id, unread FROM coverage WHERE state <> 'never_asked' ORDER BY 1") == [
        "5023,",
        "7345,",
        "8816,location",
    ]


def test_a_vehicle_no_longer_shared_keeps_its_days_and_is_asked_for_no_more(household, sandbox, revoked):
    days = f"SELECT vehicle_id, date, fetched_at, kept_events FROM coverage WHERE vehicle_id = '{HONDA}'"
    events = f"SELECT count(DISTINCT event_id) FROM signals WHERE vehicle_id = '{HONDA}'"
    with Warehouse.open(household.warehouse) as warehouse:
        before = warehouse.execute(days).fetchall(), warehouse.execute(events).fetchall()
    asked = len(sandbox.requests.below(f"/device-data-api/v1/vehicle/{HONDA}"))
    revoked()

    told = household.run("sync", *DAY)

    assert told.returncode == 0, told.stderr
    assert told.stdout.startswith("5 of 5 vehicle-days complete, ")
    assert len(sandbox.requests.below(f"/device-data-api/v1/vehicle/{HONDA}")) == asked
    with Warehouse.open(household.warehouse) as warehouse:
        assert (warehouse.execute(days).fetchall(), warehouse.execute(events).fetchall()) == before
        known = warehouse.execute(f"SELECT shared_now, make FROM vehicles WHERE vehicle_id = '{HONDA}'").fetchall()
    assert known == [(False, "Honda")]
    assert f"vehicle {HONDA}: not shared with this licence now:" in household.run("status").stdout


@pytest.mark.parametrize(
    ("numbers", "text"),
    [([], "none"), ([1], "1"), ([1, 2, 3], "1-3"), ([1, 3, 4, 5, 8], "1,3-5,8")],
)
def test_permissions_are_shown_in_short(numbers, text):
    assert ranges(numbers) == text
