"""The distance routes: what is asked, what comes back, and what refusals and missing routes mean."""

from __future__ import annotations

import logging
from datetime import date

import pytest

from dimo_etl.api.distances import DayDistance, Distances
from dimo_etl.api.exchange import DISTANCES, VehicleTokens
from dimo_etl.errors import RequestRefusedError, ServiceError, VehicleRefusedError
from dimo_etl.model import Vehicle
from tests.api.routes import Developer
from tests.api.server import Reply, ok, refusal

BY_TOKEN = Vehicle("4711", token_id=4711, user_device_id="2GN6uLs1kTpfYBqJXW5Q0n8dRzA")
BY_DEVICE = Vehicle("2GN6uLs1kTpfYBqJXW5Q0n8dRzA", user_device_id="2GN6uLs1kTpfYBqJXW5Q0n8dRzA")
DAYS = {"days": [{"date": "2026-01-05", "distance": 12.25}, {"date": "2026-01-06", "distance": None}]}


@pytest.fixture
def api(transport, settings) -> Distances:
    developer = Developer()
    tokens = VehicleTokens(transport, developer, settings, purpose=DISTANCES)
    return Distances(transport, tokens, developer, settings)


def test_a_vehicle_with_a_token_id_is_asked_for_by_it_with_the_one_privilege_that_is_needed(service, api):
    service.answers = [ok({"distanceDriven": 1234.5, "units": "kilometers"})]
    assert api.total(BY_TOKEN) == 1234.5
    (request,) = service.asked
    assert (request.path, request.bearer) == ("/v2/vehicle/4711/analytics/total-distance", "vehicle1")
    assert service.exchanged[0].json["privileges"] == [1]


def test_a_vehicle_without_one_is_asked_for_by_its_user_device_id_with_the_developer_token(service, api):
    service.answers = [ok({"distanceDriven": 7, "units": "kilometers"})]
    assert api.total(BY_DEVICE) == 7
    (request,) = service.asked
    assert request.path == f"/v1/user/device-data/{BY_DEVICE.user_device_id}/distance-driven"
    assert (request.bearer, service.exchanged) == ("dev0", [])


@pytest.mark.parametrize(
    ("vehicle", "path"),
    [
        (BY_TOKEN, "/v2/vehicle/4711/analytics/daily-distance"),
        (BY_DEVICE, f"/v1/user/device-data/{BY_DEVICE.user_device_id}/daily-distance"),
    ],
)
def test_days_are_asked_for_in_a_zone_past_the_cache_and_none_is_not_zero(service, api, vehicle, path):
    service.answers = [ok(DAYS)]
    assert api.daily(vehicle, "Europe/Berlin") == [
        DayDistance(date(2026, 1, 5), 12.25),
        DayDistance(date(2026, 1, 6), None),
    ]
    (request,) = service.asked
    assert (request.path, request.query) == (path, {"time_zone": "Europe/Berlin", "refresh": "true"})


@pytest.mark.parametrize("body", [{"days": []}, {"days": None}, {}])
def test_no_days_are_no_days(service, api, body):
    service.answers = [ok(body)]
    assert api.daily(BY_TOKEN, "UTC") == []


@pytest.mark.parametrize("vehicle", [BY_TOKEN, BY_DEVICE])
def test_a_refused_token_is_renewed(service, api, vehicle):
    service.answers = [refusal(401, "Invalid JWT."), ok({"distanceDriven": 1})]
    assert api.total(vehicle) == 1
    assert service.asked[0].bearer != service.asked[1].bearer


def test_a_service_without_the_route_is_asked_once_and_a_line_says_so(service, api, caplog):
    service.answers = [Reply(404, b"Cannot GET /v2/vehicle/4711/analytics/total-distance")]
    with caplog.at_level(logging.INFO, "dimo_etl"):
        assert api.total(BY_TOKEN) is None
        assert api.total(Vehicle("4712", token_id=4712)) is None
    assert len(service.asked) == 1
    assert [(line.levelname, line.getMessage()) for line in caplog.records] == [
        ("INFO", "The device data API offers no total distance (404); it is left out.")
    ]


@pytest.mark.parametrize(
    "reply",
    [
        refusal(404, "Device not found."),
        refusal(404, "NFT not found."),
        refusal(400, "could find a device using provided tokenId!"),
        refusal(401, "Unauthorized! Token does not contain required privileges"),
    ],
)
def test_an_unknown_or_unshared_vehicle_is_refused_by_name(service, api, reply):
    service.answers = [reply]
    with pytest.raises(VehicleRefusedError, match="vehicle 4711"):
        api.total(BY_TOKEN)


def test_a_wrong_request_names_the_settings_to_check(service, api):
    service.answers = [refusal(400, "unknown parameter")]
    with pytest.raises(RequestRefusedError, match="check DIMO_DEVICE_DATA_URL and DIMO_TIME_ZONE"):
        api.daily(BY_TOKEN, "UTC")


@pytest.mark.parametrize("reply", [refusal(500, "Internal error."), ok({"distanceDriven": 5, "units": "miles"})])
def test_what_cannot_be_used_after_every_try_is_an_error(service, api, reply):
    service.answers = [reply]
    with pytest.raises(ServiceError, match="total distance of vehicle 4711"):
        api.total(BY_TOKEN)
