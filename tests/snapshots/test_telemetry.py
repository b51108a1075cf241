"""Snapshots where history comes from the telemetry API: the newest values in its own names."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dimo_etl.snapshots.take import Outcome
from tests.snapshots.conftest import HONDA, LEXUS, TODAY, Household

ODOMETER = "powertrainTransmissionTravelledDistance"
QUERIES = "/telemetry-api"


@pytest.fixture
def household(household: Household) -> Household:
    return replace(household, source="telemetry", named=(LEXUS, HONDA))


def test_the_newest_values_are_there_with_times_of_their_own(household):
    before = len(household.sandbox.requests.below(QUERIES))

    seen = household.look()

    newest = [
        event["data"] for event in household.sandbox.fleet.events(int(LEXUS), TODAY) if "odometer" in event["data"]
    ]
    [(value, time)] = household.query(
        f"SELECT value_number, strftime(timestamp, '%Y-%m-%dT%H:%M:%S.%f') FROM latest "
        f"WHERE vehicle_id = '{LEXUS}' AND name = '{ODOMETER}'"
    )
    assert value == newest[-1]["odometer"]
    assert newest[-1]["timestamp"].startswith(time)
    assert {one.outcome for one in seen.values()} == {Outcome.SEEN}
    assert len(household.sandbox.requests.below(QUERIES)) - before == 2
    assert household.query("SELECT DISTINCT endpoint FROM snapshots") == [("telemetry/signalsSnapshot",)]


def test_a_position_keeps_its_three_parts(household):
    household.look()

    names = household.query(
        f"SELECT name FROM latest WHERE vehicle_id = '{LEXUS}' AND name LIKE '%Coordinates%' ORDER BY 1"
    )
    assert [name.rpartition(".")[2] for (name,) in names] == ["hdop", "latitude", "longitude"]


def test_the_same_values_again_add_nothing(household):
    household.look()
    before = household.query("SELECT count(*) FROM signals")

    again = household.look()

    assert household.query("SELECT count(*) FROM signals") == before
    assert sum(one.new_signals for one in again.values()) == 0


def test_what_history_gave_in_the_same_second_is_not_there_twice(household):
    household.bring(TODAY)
    before = household.query(f"SELECT count(*) FROM signals WHERE name = '{ODOMETER}'")

    household.look()

    assert household.query(f"SELECT count(*) FROM signals WHERE name = '{ODOMETER}'") == before


def test_a_position_that_is_not_shared_is_not_shown(household):
    household.sandbox.fleet.share(int(LEXUS), frozenset({1}))

    seen = household.look()[LEXUS]

    assert seen.outcome is Outcome.SEEN
    assert household.query(
        f"SELECT count(*) FROM latest WHERE vehicle_id = '{LEXUS}' AND name LIKE 'currentLocation%'"
    ) == [(0,)]


def test_a_service_that_fails_is_told_of_and_the_next_look_has_it_all(household):
    household.sandbox.faults.answer(503, times=12, at=QUERIES)

    failed = household.look()
    household.sandbox.faults.clear()
    seen = household.look()

    assert {one.outcome for one in failed.values()} == {Outcome.FAILED}
    assert {one.outcome for one in seen.values()} == {Outcome.SEEN}
