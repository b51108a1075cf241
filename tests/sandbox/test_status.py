"""The status routes."""

import pytest

from tests.sandbox.conftest import AUTOPI, NON_LOCATION, SMARTCAR, TESLA, TODAY, V2

FLAT_KEYS = {"odometer", "latitude", "longitude", "recordUpdatedAt"}


def status(caller, token_id, *privileges, route="v1/vehicle/{}/status"):
    return caller.get("/" + route.format(token_id), caller.vehicle_token(token_id, *privileges))


@pytest.mark.parametrize("token_id", [AUTOPI, SMARTCAR, TESLA])
def test_the_status_is_flat(caller, token_id):
    assert set(status(caller, token_id, 1, 4).json()) >= FLAT_KEYS


def test_an_electric_car_has_its_charge_in_the_status(caller):
    assert set(status(caller, TESLA, 1).json()) >= {"soc", "charging", "chargeLimit", "batteryCapacity", "range"}


def test_the_status_of_a_v2_device_comes_from_its_signals(caller):
    assert status(caller, V2, 1, 4).json()["odometer"] > 23_750


def test_without_a_location_privilege_the_status_has_no_position(caller):
    assert not {"latitude", "longitude"} & set(status(caller, NON_LOCATION, 1).json())


def test_with_the_current_location_alone_the_status_is_a_position(caller):
    assert set(status(caller, AUTOPI, 3).json()) == {"latitude", "longitude", "recordUpdatedAt"}


def test_the_owner_sees_the_status_of_a_device(caller, sandbox):
    device = sandbox.fleet.vehicle(SMARTCAR).user_device_id
    answer = caller.get(f"/v1/user/device-data/{device}/status", caller.developer_token())

    assert "tirePressure" in answer.json()


def test_the_raw_status_is_json_under_a_plain_text_content_type(caller):
    answer = status(caller, SMARTCAR, 1, route="v1/vehicle/{}/status-raw")

    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert set(answer.json()["tires"]) == {"value", "source", "timestamp"}


@pytest.mark.parametrize(("privileges", "shown"), [((3,), True), ((1, 3), True), ((1, 4), False), ((1, 3, 4), False)])
def test_the_raw_status_shows_a_position_only_for_privilege_3_without_4(caller, privileges, shown):
    readings = status(caller, AUTOPI, *privileges, route="v1/vehicle/{}/status-raw").json()

    assert ("latitude" in readings) is shown


def test_the_raw_status_without_privilege_1_lacks_only_what_the_flat_one_has(caller):
    readings = status(caller, AUTOPI, 4, route="v1/vehicle/{}/status-raw").json()

    assert "odometer" not in readings
    assert "engineSpeed" in readings


def test_the_raw_status_stamps_a_value_with_the_second_its_event_was_sent(caller, sandbox):
    odometer = status(caller, SMARTCAR, 1, route="v1/vehicle/{}/status-raw").json()["odometer"]
    sent = {str(event["time"])[:19] + "Z": event["data"] for event in sandbox.fleet.events(SMARTCAR, TODAY)}

    assert sent[odometer["timestamp"]]["odometer"] == odometer["value"]


def test_the_v2_status_is_nested_with_nulls(caller):
    body = status(caller, TESLA, 1, 4, route="v2/vehicle/{}/status").json()

    assert body["status"]["speed"] is None
    assert body["status"]["fuelSystem"]["tractionBattery"]["charging"]["chargeLimit"] == 80
    assert body["status"]["currentLocation"]["latitude"] is not None


def test_an_unknown_route_is_plain_text(caller):
    answer = caller.get("/v1/vehicle/4711/trips", "any")

    assert (answer.status_code, answer.text) == (404, "Cannot GET /v1/vehicle/4711/trips")
