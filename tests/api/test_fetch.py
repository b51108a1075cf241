"""The Fetch API: what is asked, what comes back, and what its errors under a 200 mean."""

from __future__ import annotations

import json

import pytest

from dimo_etl.api.exchange import RAW_EVENTS, VehicleTokens
from dimo_etl.api.fetch import CloudEvents, FetchApi
from dimo_etl.errors import RequestRefusedError, ServiceError, TooMuchAskedError, VehicleRefusedError
from tests.api.routes import Developer
from tests.api.server import Reply, ok, refusal
from tests.api.test_telemetry import failure

VEHICLE = 4711
# 2026-01-05T10:00:00Z and a minute later.
START, END = 1_767_607_200, 1_767_607_260
HEADER = {
    "specversion": "1.0",
    "type": "dimo.status",
    "source": "0x5e31",
    "subject": "did:erc721:137:0xbA57:4711",
    "id": "one",
    "time": "2026-01-05T10:00:00.25Z",
    "tags": [],
}


@pytest.fixture
def ask(service, transport, settings):
    api = FetchApi(transport, VehicleTokens(transport, Developer(), settings, purpose=RAW_EVENTS), settings)

    def ask(*answers: Reply, types=("dimo.status",)) -> CloudEvents:
        service.answers = list(answers)
        return api.cloud_events(VEHICLE, types, START, END)

    return ask


def event(**changes) -> dict[str, object]:
    return {"header": HEADER, "data": {"speed": 1}, "dataBase64": None, "dataUrl": None} | changes


def answer(*events: object, count: int | None = None) -> Reply:
    types = [{"count": len(events) if count is None else count}]
    return ok({"data": {"availableCloudEventTypes": types, "cloudEvents": list(events)}})


def test_a_window_is_asked_for_from_the_second_before_it_with_its_number_in_one_request(ask, service):
    ask(answer())

    [request] = service.asked
    assert (request.method, request.path, request.bearer) == ("POST", "/query", "vehicle1")
    assert request.json["variables"] == {
        "did": "did:erc721:137:0xbA5738a18d83D41847dfFbDC6101d37C69c9B0cF:4711",
        "limit": 1000,
        "filter": {"type": "dimo.status", "after": "2026-01-05T09:59:59Z", "before": "2026-01-05T10:01:00Z"},
    }
    assert "availableCloudEventTypes(did: $did, filter: $filter)" in request.json["query"]


def test_several_types_are_asked_for_at_once_and_their_numbers_added(ask, service):
    types = [{"count": 2}, {"count": 3}]
    told = ask(
        ok({"data": {"availableCloudEventTypes": types, "cloudEvents": []}}), types=("dimo.status", "dimo.events")
    )
    assert told.count == 5
    assert service.asked[0].json["variables"]["filter"]["types"] == ["dimo.status", "dimo.events"]


def test_an_answer_tells_the_number_the_events_byte_for_byte_and_the_requests(ask):
    body = (
        b'{"data":{"availableCloudEventTypes":[{"count":7}],"cloudEvents":[{"header":%s,'
        b'"data": {"b": 1.50, "a":"\\u00e9"} ,"dataBase64":null,"dataUrl":null}]}}' % json.dumps(HEADER).encode()
    )
    told = ask(Reply(503), Reply(200, body))
    [given] = told.events
    assert (told.count, told.requests, told.privileges) == (7, 2, (1, 4))
    assert (given.data, given.header) == (b'{"b": 1.50, "a":"\\u00e9"}', json.dumps(HEADER).encode())
    assert given.time_us == START * 1_000_000 + 250_000


@pytest.mark.parametrize("odd", ['{"speed":NaN}', '{"text":"\\ud800"}', "[" * 2000 + "]" * 2000])
def test_one_odd_payload_does_not_take_its_neighbours_with_it(ask, odd):
    events = ",".join(
        f'{{"header":{json.dumps(HEADER | {"id": name})},"data":{data}}}'
        for name, data in (("before", '{"x":[1]}'), ("odd", odd), ("after", '{"data":{"y":2}}'))
    )
    told = ask(
        Reply(200, f'{{"data":{{"availableCloudEventTypes":[{{"count":3}}],"cloudEvents":[{events}]}}}}'.encode())
    )
    assert [(one.key[1], one.data) for one in told.events] == [
        ("before", b'{"x":[1]}'),
        ("odd", odd.encode()),
        ("after", b'{"data":{"y":2}}'),
    ]


@pytest.mark.parametrize(
    "message",
    [
        "unauthorized: no token claims",
        "unauthorized: token does not have required permission for this operation",
        "unauthorized: token does not have access to this subject",
    ],
)
def test_what_is_not_shared_is_refused_under_a_200_and_not_asked_for_again(ask, service, message):
    with pytest.raises(VehicleRefusedError, match=message):
        ask(failure(message, path=["cloudEvents"]))
    assert len(service.asked) == 1


def test_a_window_that_takes_too_long_is_told_apart(ask):
    with pytest.raises(TooMuchAskedError) as told:
        ask(failure("request exceeded or is estimated to exceed the maximum execution time", "BAD_REQUEST"))
    assert told.value.requests == 1


@pytest.mark.parametrize("code", ["COMPLEXITY_LIMIT_EXCEEDED", "GRAPHQL_VALIDATION_FAILED", "BAD_REQUEST"])
def test_a_query_that_is_wrong_is_not_sent_again(ask, service, code):
    with pytest.raises(RequestRefusedError, match="DIMO_EVENT_TYPES"):
        ask(failure("operation has complexity 300", code))
    assert len(service.asked) == 1


def test_an_error_that_may_pass_is_asked_for_again(ask):
    assert ask(failure("failed to query db", "INTERNAL_SERVER_ERROR"), answer(event())).requests == 2


def test_a_token_the_service_no_longer_takes_is_renewed(ask, service):
    told = ask(Reply(401, b'{"message":"JWT is invalid."}'), answer())
    assert (len(service.exchanged), told.requests) == (2, 2)


def test_a_token_refused_after_every_renewal_is_a_vehicle_refused(ask):
    with pytest.raises(VehicleRefusedError, match="privilege 7"):
        ask(refusal(401, "JWT is invalid."))


@pytest.mark.parametrize(
    "hostile",
    [
        Reply(200, b"<html>busy</html>"),
        Reply(200, b'{"data":null}'),
        ok({"data": {"availableCloudEventTypes": [], "cloudEvents": {}}}),
        answer(event(), count=-5),
        answer(event(header=HEADER | {"time": "yesterday"})),
        answer(event(header={"id": 5})),
        answer(event(dataUrl=7)),
        answer({"data": {}}),
        Reply(200, b'{"data":{"cloudEvents":[{"header":{},"data":{"a":[}]}}'),
    ],
)
def test_an_answer_that_is_not_one_is_never_taken_for_an_empty_one(ask, hostile):
    with pytest.raises(ServiceError, match="gave no usable answer"):
        ask(hostile)
