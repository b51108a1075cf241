"""The status routes: what is asked, what comes back, and what their refusals mean."""

from __future__ import annotations

import pytest

from dimo_etl.api.exchange import STATUS, VehicleTokens
from dimo_etl.api.status import Endpoint, StatusRoutes
from dimo_etl.errors import RequestRefusedError, ServiceError, VehicleRefusedError
from dimo_etl.model import Vehicle
from tests.api.routes import Developer
from tests.api.server import Reply, refusal

VEHICLE = Vehicle("4711", token_id=4711)
DEVICE = Vehicle("2LuvBxX7ZcJyrb2TIYb9w1vjqXv", user_device_id="2LuvBxX7ZcJyrb2TIYb9w1vjqXv")
RAW = b'{"odometer": {"value": 48210.40, "source": "s", "timestamp": "2026-01-05T08:15:02Z"}}'


@pytest.fixture
def api(transport, settings) -> StatusRoutes:
    developer = Developer()
    return StatusRoutes(transport, VehicleTokens(transport, developer, settings, purpose=STATUS), developer, settings)


@pytest.mark.parametrize(
    ("endpoint", "path"),
    [
        (Endpoint.RAW, "/v1/vehicle/4711/status-raw"),
        (Endpoint.V1, "/v1/vehicle/4711/status"),
        (Endpoint.V2, "/v2/vehicle/4711/status"),
    ],
)
def test_each_shape_is_asked_for_at_its_route_past_the_cache(service, api, endpoint, path):
    service.answers = [Reply(body=RAW)]
    api.status(VEHICLE, endpoint)
    (request,) = service.asked
    assert (request.method, request.path, request.query) == ("GET", path, {"refresh": "true"})
    assert request.bearer == "vehicle1"


def test_a_raw_status_is_taken_byte_for_byte_though_it_calls_itself_text(service, api):
    service.answers = [Reply(body=RAW, headers={"Content-Type": "text/plain; charset=utf-8"})]
    status = api.status(VEHICLE, Endpoint.RAW)
    assert (status.payload, status.requests) == (RAW, 1)


@pytest.mark.parametrize("words", ["no status updates yet", "No status updates yet."])
def test_no_status_yet_is_no_error(service, api, words):
    service.answers = [refusal(404, words)]
    assert api.status(VEHICLE, Endpoint.V1).payload is None


@pytest.mark.parametrize(
    ("status", "words"),
    [(401, "Unauthorized! Wrong device token provided"), (403, "no"), (404, "NFT not found.")],
)
def test_a_refused_vehicle_is_named(service, api, status, words):
    service.answers = [refusal(status, words)]
    with pytest.raises(VehicleRefusedError, match=r"refused the status-raw of vehicle 4711 .*check that it shares"):
        api.status(VEHICLE, Endpoint.RAW)


def test_a_route_that_is_gone_names_the_address_to_check(service, api):
    service.answers = [Reply(404, b"Cannot GET /v1/vehicle/4711/status-raw")]
    with pytest.raises(RequestRefusedError, match="check DIMO_DEVICE_DATA_URL"):
        api.status(VEHICLE, Endpoint.RAW)


def test_an_answer_that_is_no_object_is_asked_for_again(service, api):
    service.answers = [Reply(body=b"<html>"), Reply(body=b"[]"), Reply(body=RAW)]
    assert api.status(VEHICLE, Endpoint.RAW).requests == 3


def test_a_service_that_never_answers_is_told_with_the_requests_it_took(service, api):
    service.answers = [refusal(500, "Internal error.")]
    with pytest.raises(ServiceError, match="status-raw of vehicle 4711") as told:
        api.status(VEHICLE, Endpoint.RAW)
    assert told.value.requests == 6


def test_a_device_without_a_token_id_is_asked_for_with_the_developer_token(service, api):
    service.answers = [Reply(body=b'{"odometer":1}')]
    assert api.status(DEVICE, Endpoint.V1).payload == b'{"odometer":1}'
    (request,) = service.asked
    assert (request.path, request.bearer) == (f"/v1/user/device-data/{DEVICE.user_device_id}/status", "dev0")


def test_a_refused_developer_token_is_renewed_and_both_requests_are_counted(service, api):
    service.answers = [refusal(401, "Invalid JWT."), Reply(body=b"{}")]
    assert api.status(DEVICE, Endpoint.V1).requests == 2
    assert [request.bearer for request in service.asked] == ["dev0", "dev1"]


@pytest.mark.parametrize("endpoint", [Endpoint.RAW, Endpoint.V2])
def test_a_device_without_a_token_id_has_no_other_shape(service, api, endpoint):
    assert api.status(DEVICE, endpoint) is None
    assert service.asked == []
