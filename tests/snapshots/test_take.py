"""Snapshots of a fleet: each value once with its own time, whatever a vehicle shares and whatever fails."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import orjson
import pytest

from dimo_etl.errors import ServiceDownError, WarehouseError
from dimo_etl.sandbox import snapshot as shown
from dimo_etl.snapshots.take import Outcome
from tests.snapshots.conftest import HONDA, LEXUS, ROUTES, TESLA, TODAY, Household

ALL = frozenset({1, 2, 3, 4, 5, 6})
TOMORROW = TODAY + timedelta(days=1)
# Every leaf but the documents' own time, which a status does not show.
LEAVES = "SELECT * EXCLUDE (event_id) FROM signals WHERE date = '{}' ORDER BY ALL"


def outcomes(household: Household) -> dict[str, Outcome]:
    return {vehicle: done.outcome for vehicle, done in household.look().items()}


def refuse(household: Household, vehicle: str, *routes: str) -> None:
    for route in routes:
        version, name = route.split("/")
        at = ROUTES.format(version[1:], vehicle, name)
        household.sandbox.faults.answer(404, times=20, at=at)


def test_each_signal_is_there_to_query_with_its_own_time_and_source(household):
    household.named = (LEXUS,)
    household.look()
    readings = shown.latest(household.sandbox.fleet, int(LEXUS))
    found = household.query("SELECT name, timestamp, source FROM signals WHERE value_number IS NOT NULL")
    assert found
    for name, timestamp, source in found:
        reading = readings[str(name).partition(".")[0]]
        assert timestamp == datetime.fromtimestamp(reading.ms // 1000, UTC)
        assert source == reading.source


def test_a_snapshot_that_shows_nothing_new_changes_no_signal_but_is_remembered(household):
    first = household.look()
    before = {path: path.read_bytes() for path in household.root.glob("signals/*/*")}
    again = household.look()
    assert {path: path.read_bytes() for path in household.root.glob("signals/*/*")} == before
    assert all(done.new_signals == 0 and done.signals == first[vehicle].signals for vehicle, done in again.items())
    asked = "SELECT endpoint, count(*), sum(new_signals) > 0, count(DISTINCT payload) FROM snapshots "
    assert household.query(asked + f"WHERE vehicle_id = '{LEXUS}' GROUP BY ALL ORDER BY ALL") == [
        ("v1/status", 2, False, 1),
        ("v1/status-raw", 2, True, 1),
        ("v2/status", 2, False, 1),
    ]


def test_the_answer_is_kept_byte_for_byte(household):
    household.named = (LEXUS,)
    household.look()
    readings = shown.latest(household.sandbox.fleet, int(LEXUS))
    ((payload,),) = household.query("SELECT payload FROM snapshots WHERE endpoint = 'v1/status-raw'")
    assert str(payload).encode() == orjson.dumps(shown.raw(readings, frozenset({1, 3})))


def test_as_time_goes_by_only_what_changed_is_added_and_latest_shows_it(household):
    household.named = (LEXUS,)
    household.look()
    household.sandbox.today = TOMORROW
    done = household.look()[LEXUS]
    assert 0 < done.new_signals <= done.signals
    assert done.days == {TOMORROW}
    odometer = "SELECT value_number FROM latest WHERE name = 'odometer'"
    assert household.query(odometer) == [(shown.latest(household.sandbox.fleet, int(LEXUS))["odometer"].value,)]


@pytest.mark.parametrize("history_first", [True, False])
def test_with_history_every_value_is_there_once_whichever_came_first(household, tmp_path, history_first):
    alone = household.beside(tmp_path / "history alone")
    if not history_first:
        household.look()
    household.sandbox.today = TOMORROW
    alone.bring(TODAY)
    household.bring(TODAY)
    if history_first:
        household.sandbox.today = TODAY
        assert all(done.new_signals == 0 for done in household.look().values())
    assert household.query(LEAVES.format(TODAY)) == alone.query(LEAVES.format(TODAY))
    complete = f"SELECT DISTINCT complete FROM coverage WHERE date = '{TODAY}' AND state <> 'never_asked'"
    assert household.query(complete) == alone.query(complete) == [(True,)]


def test_a_refresh_keeps_what_history_cannot_give(household):
    """History hides the position from a vehicle that shares only current location and non-location data."""
    household.named = (LEXUS,)
    household.sandbox.fleet.share(int(LEXUS), frozenset({1, 3}))
    household.look()
    household.sandbox.today = TOMORROW
    for _ in range(2):
        household.bring(TODAY)
        assert household.query(
            "SELECT DISTINCT name FROM signals WHERE name IN ('latitude', 'odometer') ORDER BY 1"
        ) == [
            ("latitude",),
            ("odometer",),
        ]


@pytest.mark.parametrize(
    ("granted", "position", "odometer"),
    [
        ({1, 3, 4}, True, True),
        ({1, 4}, False, True),
        ({1}, False, True),
        ({3, 4}, True, False),
        ({3}, True, False),
        ({4}, False, False),
    ],
)
def test_whatever_one_of_the_three_privileges_shows_is_seen(household, granted, position, odometer):
    household.named = (LEXUS,)
    household.sandbox.fleet.share(int(LEXUS), frozenset(granted))
    assert household.look()[LEXUS].outcome is Outcome.SEEN
    names = {name for (name,) in household.query("SELECT name FROM signals")}
    assert ("latitude" in names, "odometer" in names) == (position, odometer)


def test_a_vehicle_that_shares_no_status_is_named_and_stops_no_other(household):
    household.sandbox.fleet.share(int(HONDA), frozenset({2, 5}))
    done = household.look()
    assert {vehicle: one.outcome for vehicle, one in done.items()} == {
        LEXUS: Outcome.SEEN,
        HONDA: Outcome.REFUSED,
        TESLA: Outcome.SEEN,
    }
    assert done[HONDA].reason is not None
    assert done[HONDA].reason.startswith("Vehicle 7345 does not share its status with this licence")
    assert done[HONDA].reason.count("Vehicle 7345") == 1


def test_where_the_raw_status_is_refused_the_flat_one_gives_its_values_at_its_own_time(household):
    household.named = (LEXUS,)
    refuse(household, LEXUS, "v1/status-raw")
    done = household.look()[LEXUS]
    assert (done.outcome, done.reason is not None) == (Outcome.SEEN, True)
    status = shown.v1(shown.latest(household.sandbox.fleet, int(LEXUS)), ALL)
    assert household.query(
        "SELECT value_number, strftime(timestamp, '%xT%XZ') FROM signals WHERE name = 'odometer'"
    ) == [(status["odometer"], status["recordUpdatedAt"])]
    assert household.query("SELECT count(*) FROM signals WHERE name LIKE 'tirePressure.%'") == [(4,)]


def test_where_that_is_refused_too_the_nested_one_gives_its_values(household):
    household.named = (LEXUS,)
    refuse(household, LEXUS, "v1/status-raw", "v1/status")
    assert household.look()[LEXUS].outcome is Outcome.SEEN
    odometer = shown.latest(household.sandbox.fleet, int(LEXUS))["odometer"].value
    assert household.query("SELECT value_number FROM signals WHERE name = 'travelledDistance'") == [(odometer,)]
    assert household.query("SELECT count(*) FROM signals WHERE value_json IS NOT NULL") == [(0,)]


def test_a_raw_status_that_fails_is_not_replaced_by_one_without_times(household):
    household.sandbox.faults.answer(500, times=6, at=ROUTES.format(1, LEXUS, "status-raw"))
    done = household.look()
    assert (done[LEXUS].outcome, done[HONDA].outcome) == (Outcome.FAILED, Outcome.SEEN)
    assert done[LEXUS].reason is not None
    assert "status-raw of vehicle 5023" in done[LEXUS].reason
    assert household.query(f"SELECT count(*) FROM signals WHERE vehicle_id = '{LEXUS}'") == [(0,)]
    kept = f"SELECT endpoint FROM snapshots WHERE vehicle_id = '{LEXUS}' ORDER BY 1"
    assert household.query(kept) == [("v1/status",), ("v2/status",)]


def test_a_vehicle_of_which_nothing_was_seen_yet_is_no_error(household):
    household.named = (LEXUS,)
    household.sandbox.today = TODAY - timedelta(days=200)
    done = household.look()[LEXUS]
    assert (done.outcome, done.reason, done.requests) == (Outcome.NOTHING_YET, None, 2)
    assert household.query("SELECT endpoint, signals, newest_at, payload FROM snapshots ORDER BY 1") == [
        ("v1/status", 0, None, None),
        ("v1/status-raw", 0, None, "{}"),
    ]


def test_tokens_that_expire_meanwhile_are_renewed(household):
    household.named = (LEXUS,)
    household.sandbox.faults.expire_tokens()
    assert outcomes(household) == {LEXUS: Outcome.SEEN}


def test_a_vehicle_that_only_its_device_id_names_is_seen_by_its_owner(household):
    device = household.sandbox.fleet.unminted.user_device_id
    household.named = (device,)
    done = household.look()[device]
    assert (done.outcome, done.reason, done.requests) == (Outcome.SEEN, None, 1)
    assert household.query("SELECT DISTINCT vehicle_id, endpoint FROM snapshots") == [(device, "v1/status")]
    assert household.query("SELECT count(*) > 3 FROM signals WHERE timestamp IS NOT NULL") == [(True,)]


def test_a_service_that_is_down_ends_it_soon_and_what_was_seen_before_is_kept(household):
    household.named = (LEXUS, HONDA, TESLA, "4711", "6120", "8816")
    for vehicle in household.named[1:]:
        for version, name in ((1, "status-raw"), (1, "status"), (2, "status")):
            household.sandbox.faults.answer(503, times=50, at=ROUTES.format(version, vehicle, name))
    with pytest.raises(ServiceDownError, match="The service is down"):
        household.look()
    assert household.query("SELECT DISTINCT vehicle_id FROM signals") == [(LEXUS,)]
    assert household.query("SELECT DISTINCT vehicle_id FROM snapshots") == [(LEXUS,)]


def test_what_a_killed_snapshot_left_undone_the_next_one_does(household):
    """Killed after the commit, it has neither written the day's file nor kept the answer."""
    household.named = (LEXUS,)
    household.look()
    whole = household.query(LEAVES.format(TODAY))
    for kept in (*household.root.glob("signals/*/*"), *household.root.glob("snapshots/*/*")):
        kept.unlink()
    assert household.look()[LEXUS].new_signals == 0
    assert household.query(LEAVES.format(TODAY)) == whole


def test_a_damaged_file_of_answers_ends_it_with_its_name(household):
    household.look()
    (damaged,) = household.root.glob(f"snapshots/*/{LEXUS}.parquet")
    damaged.write_bytes(b"PAR1")
    with pytest.raises(WarehouseError, match=r"5023\.parquet is damaged"):
        household.look()
