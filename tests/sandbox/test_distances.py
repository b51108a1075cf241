"""The distance routes: what they count, what they leave out, and how they refuse."""

from __future__ import annotations

import struct
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from dimo_etl.sandbox.server import SandboxServer
from tests.sandbox.conftest import AUTOPI, MACARON, NON_LOCATION, SMARTCAR, TESLA, TODAY, V2, Caller

INVALID = {65538, 65539, 983040}


def float32(kilometres: float) -> float:
    return struct.unpack("f", struct.pack("f", kilometres))[0]


@pytest.fixture(scope="module")
def short():
    """A sandbox whose fleet has sixteen days of history."""
    with SandboxServer(port=0, seed=1, today=TODAY, history_days=16) as sandbox:
        caller = Caller(sandbox)
        yield sandbox, caller
        caller.close()


def every_reading(sandbox, token_id):
    """When each document was measured and its odometer; None where it has none."""
    days = [TODAY - timedelta(days=back) for back in range(17)]
    return [
        (datetime.fromtimestamp(document.measured_ms / 1000, UTC), event["data"].get("odometer"))
        for day in days
        for document, event in zip(
            sandbox.fleet.documents(token_id, day), sandbox.fleet.events(token_id, day), strict=True
        )
    ]


def total(caller, token_id, *privileges):
    token = caller.vehicle_token(token_id, *(privileges or (1,)))
    return caller.get(f"/v2/vehicle/{token_id}/analytics/total-distance", token)


def daily(caller, token_id, **params):
    token = caller.vehicle_token(token_id, 1)
    return caller.get(f"/v2/vehicle/{token_id}/analytics/daily-distance", token, params)


@pytest.mark.parametrize("token_id", [SMARTCAR, TESLA, MACARON])
def test_the_total_is_the_greatest_odometer_less_the_least_whatever_they_are(short, token_id):
    sandbox, caller = short
    readings = [float32(km) for _, km in every_reading(sandbox, token_id) if km is not None]

    body = total(caller, token_id).json()

    assert body == {"distanceDriven": max(readings) - min(readings), "units": "kilometers"}
    assert body["distanceDriven"] > 0


def test_the_total_counts_readings_that_history_takes_out(short):
    sandbox, caller = short
    readings = [km for _, km in every_reading(sandbox, SMARTCAR) if km is not None]
    valid = [km for km in readings if km > 100 and km not in INVALID]

    assert total(caller, SMARTCAR).json()["distanceDriven"] > max(valid) - min(valid) + 100


def test_a_vehicle_without_data_odometer_has_driven_nothing(short):
    _, caller = short

    assert total(caller, V2).json() == {"distanceDriven": 0, "units": "kilometers"}


def test_the_owner_of_a_device_is_told_the_same_distances(short):
    sandbox, caller = short
    device = f"/v1/user/device-data/{sandbox.fleet.vehicle(SMARTCAR).user_device_id}"
    days = {"time_zone": "Europe/Berlin"}

    assert caller.get(f"{device}/distance-driven", caller.developer_token()).json() == total(caller, SMARTCAR).json()
    assert (
        caller.get(f"{device}/daily-distance", caller.developer_token(), days).json()
        == daily(caller, SMARTCAR, **days).json()
    )


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "Pacific/Auckland"])
def test_a_day_is_a_calendar_day_of_the_zone(short, zone):
    sandbox, caller = short
    here = ZoneInfo(zone)
    by_day: dict[date, list[float]] = {}
    for moment, km in every_reading(sandbox, MACARON):
        readings = by_day.setdefault(moment.astimezone(here).date(), [])
        if km is not None:
            readings.append(float32(km))
    today = sandbox.fleet.now().astimezone(here).date()
    expected = {}
    for back in range(14):
        readings = by_day.get(today - timedelta(days=back), [])
        believed = readings and max(readings) > 100 and max(readings) not in INVALID
        expected[(today - timedelta(days=back)).isoformat()] = max(readings) - min(readings) if believed else None

    days = daily(caller, MACARON, time_zone=zone).json()["days"]

    assert len(days) >= 13
    assert {day["date"]: day["distance"] for day in days}.items() <= expected.items()


def test_a_day_whose_greatest_odometer_is_invalid_has_no_distance(short):
    sandbox, caller = short
    greatest = {
        str(day): max(event["data"].get("odometer", 0) for event in sandbox.fleet.events(SMARTCAR, day))
        for day in (TODAY - timedelta(days=back) for back in range(14))
    }
    days = daily(caller, SMARTCAR, time_zone="UTC").json()["days"]

    assert {983040, 65538} <= set(greatest.values())
    assert {day["date"] for day in days if day["distance"] is None} == {
        day for day, kilometres in greatest.items() if kilometres in INVALID
    }


def test_days_without_a_document_show_between_the_first_and_the_last_only(short):
    sandbox, caller = short
    silent = {
        day for day in (TODAY - timedelta(days=back) for back in range(14)) if not sandbox.fleet.documents(MACARON, day)
    }
    dates = [date.fromisoformat(day["date"]) for day in daily(caller, MACARON, time_zone="UTC").json()["days"]]

    assert dates == [dates[0] + timedelta(days=n) for n in range(len(dates))]
    assert silent & set(dates)
    assert not silent & {dates[0], dates[-1]}


@pytest.mark.parametrize("params", [{}, {"time_zone": ""}, {"time_zone": "Europe/Atlantis"}, {"time_zone": "Europe"}])
def test_without_a_known_zone_the_service_fails(short, params):
    answer = daily(short[1], SMARTCAR, **params)

    assert (answer.status_code, answer.json()) == (500, {"code": 500, "message": "Internal error."})


def test_distances_need_privilege_1(short):
    answer = total(short[1], AUTOPI, 3, 4)

    assert answer.status_code == 401
    assert answer.json()["message"] == "Unauthorized! Token does not contain required privileges"


def test_distances_of_a_device_are_its_owners_alone(short):
    sandbox, caller = short
    device = sandbox.fleet.vehicle(NON_LOCATION).user_device_id

    answer = caller.get(f"/v1/user/device-data/{device}/distance-driven", caller.developer_token())

    assert (answer.status_code, answer.json()["message"]) == (404, "Device not found.")


def test_distances_are_cached_like_every_answer(short):
    caller = short[1]
    zone = {"time_zone": "America/Lima"}

    assert [daily(caller, TESLA, **zone).headers["X-Cache"] for _ in range(2)] == ["miss", "hit"]
