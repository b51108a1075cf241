"""The simulated vehicles: the same truth whoever asks, and cars that move like cars."""

import math
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from dimo_etl.model import day_of_us
from dimo_etl.sandbox.fleet import Fleet, end_of_day
from dimo_etl.sandbox.reported import forget
from tests.sandbox.conftest import AUTOPI, BUSY_DAY, MACARON, SMARTCAR, TESLA, TODAY, V2

WEEK = [TODAY - timedelta(days=back) for back in reversed(range(7))]
DIGEST = """
import hashlib
from datetime import date
from dimo_etl.sandbox.fleet import Fleet, end_of_day
fleet = Fleet(1, lambda: end_of_day(date(2026, 1, 15)))
digest = hashlib.sha256()
for vehicle in fleet.everyone:
    for document in fleet.documents(vehicle.token_id, date(2026, 1, 14)):
        digest.update(document.payload)
print(digest.hexdigest())
"""


def fleet_of(today=TODAY, seed=1):
    return Fleet(seed, lambda: end_of_day(today))


@pytest.fixture(scope="module")
def fleet():
    return fleet_of()


def events(fleet, token_id, days=WEEK):
    return [event for day in days for event in fleet.events(token_id, day)]


def test_the_same_seed_gives_the_same_bytes_in_every_process():
    digests = {
        subprocess.run([sys.executable, "-c", DIGEST], check=True, capture_output=True, text=True).stdout
        for _ in range(2)
    }

    assert len(digests) == 1


def test_another_seed_gives_another_fleet(fleet):
    other = fleet_of(seed=2)

    assert other.vehicles[0].user_device_id != fleet.vehicles[0].user_device_id
    assert other.events(SMARTCAR, BUSY_DAY) != fleet.events(SMARTCAR, BUSY_DAY)


def test_a_day_does_not_depend_on_the_days_asked_before(fleet):
    asked_before = [fleet.events(SMARTCAR, day) for day in WEEK]
    forget()

    assert fleet_of().events(SMARTCAR, WEEK[3]) == asked_before[3]


def test_a_past_day_does_not_depend_on_today(fleet):
    later = fleet_of(today=TODAY + timedelta(days=40))
    day = TODAY - timedelta(days=3)
    now = fleet.events(V2, day)
    forget()

    assert later.events(V2, day) == now


def test_there_is_one_vehicle_of_each_kind_and_one_that_is_not_shared(fleet):
    assert {vehicle.kind for vehicle in fleet.vehicles} == {"autopi", "smartcar", "v2", "macaron", "tesla"}
    assert [vehicle.token_id for vehicle in fleet.everyone if vehicle not in fleet.vehicles] == [9001]


def test_some_vehicle_is_shared_without_its_location(fleet):
    assert any(4 not in vehicle.granted for vehicle in fleet.vehicles)


def test_user_device_ids_are_27_alphanumerics(fleet):
    for vehicle in fleet.everyone:
        assert re.fullmatch(r"[0-9A-Za-z]{27}", vehicle.user_device_id)


@pytest.mark.parametrize("token_id", [AUTOPI, SMARTCAR, V2, MACARON, TESLA])
def test_every_document_lies_in_its_day_and_has_an_id_of_its_own(fleet, token_id):
    documents = [document for day in WEEK for document in fleet.documents(token_id, day)]

    assert {day_of_us(document.measured_ms * 1000) for document in documents} <= set(WEEK)
    assert len({document.doc_id for document in documents}) == len(documents)


@pytest.mark.parametrize("token_id", [AUTOPI, SMARTCAR, V2, MACARON, TESLA])
def test_the_time_of_matching_is_that_of_the_document(fleet, token_id):
    for document, event in zip(fleet.documents(token_id, BUSY_DAY), fleet.events(token_id, BUSY_DAY), strict=True):
        stamp = event["data"]["timestamp"]
        if isinstance(stamp, str):
            whole, _, fraction = stamp.removesuffix("Z").partition(".")
            second = datetime.fromisoformat(whole).replace(tzinfo=UTC).timestamp()
            stamp = int(second) * 1000 + int(fraction[:3].ljust(3, "0") or 0)
        assert document.measured_ms == stamp


def test_days_with_a_commute_of_the_dense_car_are_above_the_cap(fleet):
    counts = {day: len(fleet.reachable(AUTOPI, day)) for day in WEEK}

    assert all(1200 <= counts[day] <= 6500 for day in WEEK if fleet.driver(AUTOPI).distance_m(day) > 20_000)
    assert min(counts.values()) < 1000


def test_two_thirds_of_the_dense_cars_documents_have_odometer_and_position(fleet):
    documents = [document for day in WEEK for document in fleet.documents(AUTOPI, day)]
    share = sum(document.matches == 2 for document in documents) / len(documents)

    assert 0.6 < share < 0.7
    assert any(document.matches == 0 for document in documents)


def test_the_lora_device_is_silent_on_some_days(fleet):
    days = [TODAY - timedelta(days=back) for back in range(30)]
    silent = [day for day in days if not fleet.events(MACARON, day)]

    assert 2 <= len(silent) <= 15


def test_upstream_errors_take_their_values_with_them(fleet):
    failed = [event["data"] for event in events(fleet, SMARTCAR) if event["data"]["hasErrors"]]

    assert failed
    for data in failed:
        missing = {error["type"] for error in data["errors"]}
        assert ("odometer" in data) is ("odometer" not in missing)
        assert ("latitude" in data) is ("location" not in missing)


def test_the_electric_car_charges_after_its_last_drive(fleet):
    data = [event["data"] for event in fleet.events(TESLA, BUSY_DAY)]
    charging = [values["soc"] for values in data if values["charging"]]

    assert len(charging) >= 2
    assert charging == sorted(charging)
    assert data[-1]["soc"] == data[-1]["chargeLimit"]


def test_some_odometers_are_wrong_in_the_ways_known_from_the_field(fleet):
    days = [TODAY - timedelta(days=back) for back in range(40)]
    readings = [event["data"].get("odometer", 0) for event in events(fleet, TESLA, days)]

    assert {65538, 983040} & set(readings)
    assert any(reading <= 100 for reading in readings)
    assert any(reading > 999_999 for reading in readings)


def test_the_odometer_goes_on_from_day_to_day(fleet):
    driver = fleet.driver(AUTOPI)
    for day in WEEK:
        states = [state for drive in driver.day(day).drives for state in drive]
        assert driver.odometer_m(day + timedelta(days=1)) - driver.odometer_m(day) == driver.distance_m(day)
        if states:
            assert states[0].odometer_m == driver.odometer_m(day)
            assert states[-1].odometer_m == driver.odometer_m(day + timedelta(days=1))


def test_the_odometer_never_runs_backwards(fleet):
    states = [state for drive in fleet.driver(AUTOPI).day(BUSY_DAY).drives for state in drive]

    assert [state.odometer_m for state in states] == sorted(state.odometer_m for state in states)


def test_a_car_changes_its_speed_like_a_car(fleet):
    for day in WEEK:
        for drive in fleet.driver(AUTOPI).day(day).drives:
            changes = [abs(b.speed_kmh - a.speed_kmh) / 3.6 for a, b in pairwise(drive)]
            assert max(changes) < 6  # m/s², an emergency stop is 9
            assert max(state.speed_kmh for state in drive) < 135


def test_the_track_has_no_jumps_not_even_over_night(fleet):
    driver = fleet.driver(AUTOPI)
    track = [state for day in WEEK for drive in driver.day(day).drives for state in drive]
    for here, there in pairwise(track):
        north = (there.latitude - here.latitude) * 111_320
        east = (there.longitude - here.longitude) * 111_320 * math.cos(math.radians(here.latitude))
        assert math.hypot(north, east) <= there.odometer_m - here.odometer_m + 1


def test_the_distance_of_a_day_shows_in_its_documents(fleet):
    readings = [event["data"]["odometer"] for event in fleet.events(SMARTCAR, BUSY_DAY) if "odometer" in event["data"]]
    plausible = [reading for reading in readings if 1000 < reading < 65_000]

    assert max(plausible) - min(plausible) == pytest.approx(
        fleet.driver(SMARTCAR).distance_m(BUSY_DAY) / 1000, abs=0.01
    )


def test_the_documents_begin_sixty_days_before_today(fleet):
    assert fleet.first_day == TODAY - timedelta(days=60)
    assert fleet.events(TESLA, fleet.first_day - timedelta(days=1)) == []
    assert fleet.events(TESLA, fleet.first_day)


def test_what_a_day_holds_does_not_depend_on_where_history_begins(fleet):
    short = Fleet(1, lambda: end_of_day(TODAY), history_days=3)

    assert short.documents(TESLA, TODAY) == fleet.documents(TESLA, TODAY)


def test_tomorrow_has_not_happened(fleet):
    assert fleet.events(AUTOPI, TODAY + timedelta(days=1)) == []


def test_a_document_exists_once_it_was_received():
    noon = datetime(2026, 1, 14, 12, tzinfo=UTC)
    so_far = Fleet(1, lambda: noon).documents(AUTOPI, BUSY_DAY)
    whole = fleet_of().documents(AUTOPI, BUSY_DAY)

    assert so_far == tuple(document for document in whole if document.received_ms <= noon.timestamp() * 1000)
    assert 0 < len(so_far) < len(whole)


def test_some_documents_arrive_hours_late(fleet):
    documents = [document for day in WEEK for document in fleet.documents(AUTOPI, day)]

    assert any(document.received_ms - document.measured_ms > 3_600_000 for document in documents)


def test_v2_documents_carry_their_signals_with_times_of_their_own(fleet):
    signals = [signal for event in events(fleet, V2) for signal in event["data"]["vehicle"]["signals"] or []]

    assert {type(signal["value"]) for signal in signals} == {int, float, str, bool}
    assert len({signal["timestamp"] for signal in signals}) > len(signals) / 4
