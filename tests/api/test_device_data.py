"""The history endpoint: what is asked, what comes back, and what its refusals mean."""

from __future__ import annotations

from datetime import date

import pytest

from dimo_etl.api.device_data import DeviceData
from dimo_etl.api.exchange import VehicleTokens
from dimo_etl.errors import RequestRefusedError, ServiceError, VehicleRefusedError
from dimo_etl.model import Window, day_window
from tests.api.routes import Developer
from tests.api.server import Reply, refusal
from tests.api.test_hits import search

VEHICLE = 4711
DAY = day_window(date(2026, 1, 5))


@pytest.fixture
def api(transport, settings) -> DeviceData:
    return DeviceData(transport, VehicleTokens(transport, Developer(), settings), settings)


def test_a_window_is_asked_for_with_milliseconds_on_both_ends(service, api):
    service.answers = [Reply(body=search())]
    api.history(VEHICLE, DAY)
    (request,) = service.asked
    assert (request.method, request.path, request.bearer) == ("GET", "/v1/vehicle/4711/history", "vehicle1")
    assert request.query == {"startDate": "2026-01-05T00:00:00.000Z", "endDate": "2026-01-05T23:59:59.999Z"}


def test_a_window_of_one_millisecond_can_be_asked_for(service, api):
    service.answers = [Reply(body=search())]
    api.history(VEHICLE, Window(DAY.start_ms + 250, DAY.start_ms + 250))
    assert service.asked[0].query["startDate"] == service.asked[0].query["endDate"] == "2026-01-05T00:00:00.250Z"


def test_a_draw_says_what_was_asked_counted_given_and_spent(service, api):
    body = search(b'{"a":1}', b'{"a":2}', total=b'{"value":10000,"relation":"gte"}')
    service.answers = [Reply(503), Reply(body=body)]
    draw = api.history(VEHICLE, DAY)
    assert (draw.window, draw.total, draw.exact, draw.requests) == (DAY, 10_000, False, 2)
    assert [hit.source for hit in draw.hits] == [b'{"a":1}', b'{"a":2}']
    assert (draw.privileges, draw.size_bytes) == ((1, 3, 4), len(body))


def test_the_cache_is_passed_by_where_asked(service, api):
    service.answers = [Reply(body=search())]
    api.history(VEHICLE, DAY, refresh=True)
    assert service.asked[0].query["refresh"] == "true"


def test_an_answer_that_cannot_be_believed_is_asked_again_past_the_cache(service, api):
    service.answers = [Reply(body=search(timed_out=b"true")), Reply(body=search(b"{}"))]
    draw = api.history(VEHICLE, DAY)
    assert (draw.total, draw.requests) == (1, 2)
    assert ["refresh" in request.query for request in service.asked] == [False, True]


def test_answers_that_are_never_to_be_believed_name_the_vehicle_and_the_window(service, api):
    service.answers = [Reply(body=search(timed_out=b"true"))]
    with pytest.raises(ServiceError) as caught:
        api.history(VEHICLE, DAY)
    assert "no usable answer (its search timed out) after 6 tries" in str(caught.value)
    assert "vehicle 4711, 2026-01-05T00:00:00.000Z to 2026-01-05T23:59:59.999Z" in str(caught.value)


def test_a_refused_token_is_renewed_and_every_request_counted(service, api):
    service.answers = [refusal(401, "Invalid privilege token."), Reply(body=search())]
    draw = api.history(VEHICLE, DAY)
    assert draw.requests == 2
    assert [request.bearer for request in service.asked] == ["vehicle1", "vehicle2"]


def test_a_token_refused_after_three_renewals_is_a_refused_vehicle(service, api):
    service.answers = [refusal(401, "Unauthorized! Wrong device token provided")]
    with pytest.raises(VehicleRefusedError, match=r"vehicle 4711.*Wrong device token provided"):
        api.history(VEHICLE, DAY)
    assert (len(service.asked), len(service.exchanged)) == (4, 4)


@pytest.mark.parametrize(("status", "words"), [(403, "Forbidden."), (404, "NFT not found.")])
def test_an_unknown_vehicle_is_refused_at_once(service, api, status, words):
    service.answers = [refusal(status, words)]
    with pytest.raises(VehicleRefusedError, match=words):
        api.history(VEHICLE, DAY)
    assert len(service.asked) == 1


@pytest.mark.parametrize(
    "reply",
    [
        refusal(400, "Invalid start date format"),
        Reply(404, b"Cannot GET /v1/vehicle/4711/history"),
        Reply(308, headers={"Location": "http://127.0.0.1:9/login"}),
        Reply(431),
    ],
)
def test_a_wrong_request_names_the_address_to_check(service, api, reply):
    service.answers = [reply]
    with pytest.raises(RequestRefusedError, match="check DIMO_DEVICE_DATA_URL"):
        api.history(VEHICLE, DAY)
    assert len(service.asked) == 1
