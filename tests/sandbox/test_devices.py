"""What belongs to an account: the listing of its devices, their data by device id, and the export."""

from __future__ import annotations

import httpx
import pytest

from tests.sandbox.conftest import AUTOPI, NON_LOCATION, SMARTCAR, TODAY, UNSHARED


def listing(caller, token):
    return httpx.get(
        f"{caller.settings.devices_url}/v1/user/devices/me", headers={"Authorization": f"Bearer {token}"}, timeout=10
    )


def export(caller, device, token=None):
    return caller.http.post(
        f"{caller.settings.device_data_url}/v1/user/device-data/{device}/export/json/email",
        headers={"Authorization": f"Bearer {token or caller.developer_token()}"},
    )


def test_the_listing_maps_the_devices_of_an_account_to_their_nfts(caller, sandbox):
    mine = listing(caller, caller.developer_token()).json()["userDevices"]
    owned = [vehicle for vehicle in sandbox.fleet.vehicles if vehicle.owner == caller.settings.client_id]

    assert {device["id"]: device["nft"]["tokenId"] for device in mine if "nft" in device} == {
        vehicle.user_device_id: vehicle.token_id for vehicle in owned
    }


def test_a_device_that_was_never_minted_is_listed_without_an_nft(caller, sandbox):
    mine = listing(caller, caller.developer_token()).json()["userDevices"]

    assert [device["id"] for device in mine if "nft" not in device] == [sandbox.fleet.unminted.user_device_id]


def test_the_listing_shows_what_others_share(caller, sandbox):
    shared = listing(caller, caller.developer_token()).json()["sharedDevices"]
    known = {device["nft"]["tokenId"] for device in shared}

    assert NON_LOCATION in known
    assert UNSHARED not in known


def test_the_listing_needs_a_developer_token(caller):
    answer = listing(caller, caller.vehicle_token(AUTOPI, 1))

    assert (answer.status_code, answer.json()) == (401, {"code": 401, "message": "Invalid JWT."})


def test_a_device_that_was_never_minted_has_history_and_status_and_no_vehicle_token(caller, sandbox):
    device = sandbox.fleet.unminted
    path = f"/v1/user/device-data/{device.user_device_id}"
    params = {"startDate": str(TODAY), "endDate": str(TODAY)}
    found = caller.get(f"{path}/historical", caller.developer_token(), params).json()["hits"]

    assert found["total"]["value"] == len(sandbox.fleet.reachable(device.token_id, TODAY)) > 0
    assert "vehicleTokenId" not in found["hits"][0]["_source"]
    assert caller.get(f"{path}/status", caller.developer_token()).json()["odometer"] > 36_800
    assert caller.exchange(caller.legacy_wish(device.token_id, 1)).status_code == 403


def test_an_export_is_promised_by_mail(caller, sandbox):
    device = sandbox.fleet.vehicle(SMARTCAR).user_device_id

    answer = export(caller, device)

    assert answer.status_code == 200
    assert answer.json() | {"userId": ""} == {
        "status": "success",
        "userId": "",
        "userDeviceId": device,
        "message": "your request has been received; data will be sent to the email associated with your account",
    }
    assert sandbox.exports.requested[-1] == device


def test_without_a_verified_address_no_export_is_made(own_caller, own_sandbox):
    own_sandbox.exports.verified = False

    answer = export(own_caller, own_sandbox.fleet.vehicle(SMARTCAR).user_device_id)

    assert (answer.status_code, answer.json()["status"]) == (409, "error")
    assert answer.json()["message"].startswith("Your account does not have a verified email address")
    assert own_sandbox.exports.requested == []


@pytest.mark.parametrize("token_id", [NON_LOCATION, UNSHARED])
def test_an_export_is_for_the_owner_alone(caller, sandbox, token_id):
    answer = export(caller, sandbox.fleet.vehicle(token_id).user_device_id)

    assert (answer.status_code, answer.json()["message"]) == (404, "Device not found.")


def test_an_export_needs_a_good_token(caller, sandbox):
    answer = export(caller, sandbox.fleet.vehicle(SMARTCAR).user_device_id, token="no.such.token")

    assert (answer.status_code, answer.json()["message"]) == (401, "Invalid JWT.")
