"""The devices of an account: the dates that are asked for, the listing, and what refusals mean."""

from __future__ import annotations

from datetime import date

import pytest

from dimo_etl.api.user_devices import Device, UserDevices
from dimo_etl.errors import AuthError, RequestRefusedError, ServiceError, VehicleRefusedError
from dimo_etl.model import Window, day_window
from tests.api.routes import Developer
from tests.api.server import Reply, ok, refusal
from tests.api.test_hits import search

DEVICE = "2ULfuC8U9dOqRshZBAi0lMM1Rrx"
DAY = day_window(date(2026, 1, 5))


@pytest.fixture
def api(transport, settings) -> UserDevices:
    return UserDevices(transport, Developer(), settings)


def test_days_are_asked_for_by_date_with_the_developer_token(service, api):
    service.answers = [Reply(body=search())]

    api.history(DEVICE, Window(DAY.start_ms, day_window(date(2026, 1, 7)).end_ms))

    asked = service.asked[0]
    assert asked.path == f"/v1/user/device-data/{DEVICE}/historical"
    assert asked.query == {"startDate": "2026-01-05", "endDate": "2026-01-07"}
    assert asked.bearer == "dev0"


def test_the_cache_is_passed_by_only_when_told(service, api):
    service.answers = [Reply(body=search())]

    api.history(DEVICE, DAY)
    api.history(DEVICE, DAY, refresh=True)

    assert ["refresh" in asked.query for asked in service.asked] == [False, True]


def test_a_draw_has_the_events_and_no_privileges_of_a_vehicle_token(service, api):
    service.answers = [Reply(body=search(b'{"n":1}', b'{"n":2}', total=b'{"value":7,"relation":"eq"}'))]

    draw = api.history(DEVICE, DAY)

    assert ([found.doc_id for found in draw.hits], draw.total, draw.privileges) == (["id0", "id1"], 7, None)


def test_an_answer_that_times_out_inside_is_asked_for_again_past_the_cache(service, api):
    service.answers = [Reply(body=search(timed_out=b"true")), Reply(body=search())]

    assert api.history(DEVICE, DAY).requests == 2
    assert [asked.query.get("refresh") for asked in service.asked] == [None, "true"]


def test_a_developer_token_that_is_refused_is_renewed_once(service, api):
    service.answers = [refusal(401, "Invalid JWT."), Reply(body=search())]

    assert api.history(DEVICE, DAY).requests == 2
    assert [asked.bearer for asked in service.asked] == ["dev0", "dev1"]


def test_an_account_whose_renewed_token_is_refused_too_is_told_to_check_the_licence(service, api):
    service.answers = [refusal(401, "Invalid JWT.")]

    with pytest.raises(AuthError, match="check the licence"):
        api.history(DEVICE, DAY)
    assert len(service.asked) == 2


def test_a_device_of_somebody_else_is_refused_with_what_helps(service, api):
    service.answers = [refusal(404, "Device not found.")]

    with pytest.raises(VehicleRefusedError, match=r"Device not found.*only the account that owns a device"):
        api.history(DEVICE, DAY)


@pytest.mark.parametrize(("status", "message"), [(400, 'parsing time "x"'), (404, "Cannot GET /v1/user/nothing")])
def test_a_wrong_request_or_address_names_the_setting(service, api, status, message):
    service.answers = [refusal(status, message)]

    with pytest.raises(RequestRefusedError, match="check DIMO_DEVICE_DATA_URL"):
        api.history(DEVICE, DAY)


def test_the_listing_maps_devices_to_token_ids(service, api):
    service.answers = [
        ok(
            {
                "userDevices": [
                    {"id": DEVICE, "vin": None, "nft": {"tokenId": 4711, "status": "Confirmed"}},
                    {"id": "unminted", "nft": {"status": "Submitted"}},
                    {"id": "bare"},
                ],
                "sharedDevices": [{"id": "theirs", "nft": {"tokenId": 5023}}],
            }
        )
    ]

    assert api.listing() == [
        Device(DEVICE, 4711),
        Device("unminted", None),
        Device("bare", None),
        Device("theirs", 5023),
    ]
    assert service.asked[0].path == "/v1/user/devices/me"
    assert service.asked[0].bearer == "dev0"


def test_a_listing_without_shared_devices_says_null(service, api):
    service.answers = [ok({"userDevices": [], "sharedDevices": None})]

    assert api.listing() == []


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (refusal(401, "Invalid JWT."), AuthError),
        (refusal(404, "Cannot GET /v1/user/devices/me"), RequestRefusedError),
        (Reply(body=b"<html>"), ServiceError),
    ],
)
def test_a_listing_that_is_not_to_be_had_is_an_error(service, api, answer, error):
    service.answers = [answer]

    with pytest.raises(error):
        api.listing()
