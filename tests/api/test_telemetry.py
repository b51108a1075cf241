"""The telemetry API: what is asked, what comes back, and what its errors under a 200 mean."""

from __future__ import annotations

from datetime import date

import pytest

from dimo_etl.api.exchange import SIGNALS, VehicleTokens
from dimo_etl.api.telemetry import CONNECTIONS, Telemetry, chunks, is_name
from dimo_etl.api.transport import Limits
from dimo_etl.errors import RequestRefusedError, ServiceError, TooMuchAskedError, VehicleRefusedError
from dimo_etl.model import day_window
from tests.api.routes import Developer
from tests.api.server import Reply, ok

VEHICLE = 4711
DAY = day_window(date(2026, 1, 5))
TIMED_OUT = "request exceeded or is estimated to exceed the maximum execution time"


@pytest.fixture
def api(transport, settings) -> Telemetry:
    return Telemetry(transport, VehicleTokens(transport, Developer(), settings, purpose=SIGNALS), settings)


@pytest.fixture
def values(service, api):
    def ask(*answers: Reply, names=("speed", "currentLocationCoordinates"), events=False):
        service.answers = list(answers)
        return api.values(VEHICLE, names, DAY, "1s", events=events)

    return ask


def rows(*signals, errors=(), **more) -> Reply:
    told = {"errors": list(errors)} if errors else {}
    return ok({"data": {"signals": list(signals), **more}, **told})


def failure(message: str, code: str | None = None, path=None, data=None) -> Reply:
    error = {"message": message} | ({"extensions": {"code": code}} if code else {}) | ({"path": path} if path else {})
    return ok({"errors": [error], "data": data})


def test_a_window_is_asked_for_with_its_end_left_out(service, values):
    values(rows())

    [request] = service.asked
    assert (request.method, request.path, request.bearer) == ("POST", "/query", "vehicle1")
    assert request.json["variables"] == {
        "id": VEHICLE,
        "from": "2026-01-05T00:00:00.000Z",
        "to": "2026-01-06T00:00:00.000Z",
    }
    assert "currentLocationCoordinates(agg: LAST) { latitude longitude hdop }" in request.json["query"]
    assert "events" not in request.json["query"]


def test_values_keep_the_digits_they_came_in(values):
    body = (
        b'{"data":{"signals":[{"timestamp":"2026-01-05T10:00:00Z","speed":41.50,"currentLocationCoordinates":null}]}}'
    )

    told = values(Reply(body=body))

    assert list(told.buckets.values()) == [{"speed": b"41.50"}]
    assert not told.refused


def test_a_field_that_was_not_asked_for_is_not_taken(values):
    told = values(rows({"timestamp": "2026-01-05T10:00:00Z", "speed": 1, 'x","y': 2}))

    assert list(told.buckets.values()) == [{"speed": b"1"}]


def test_a_field_refused_in_one_row_is_refused_in_all(values):
    place = {"latitude": 52.5, "longitude": 13.4, "hdop": 1}
    lacking = "unauthorized: missing required privilege(s) privilege:GetLocationHistory"

    told = values(
        rows(
            {"timestamp": "2026-01-05T10:00:00Z", "speed": 41.5, "currentLocationCoordinates": None},
            {"timestamp": "2026-01-05T10:00:01Z", "speed": None, "currentLocationCoordinates": place},
            errors=[{"message": lacking, "path": ["signals", 0, "currentLocationCoordinates"]}],
        )
    )

    assert list(told.buckets.values()) == [{"speed": b"41.5"}]
    assert told.refused == {"currentLocationCoordinates": lacking}


def test_events_that_are_refused_leave_the_signals(values):
    row = {"timestamp": "2026-01-05T10:00:00Z", "speed": 41.5}

    told = values(rows(row, events=None, errors=[{"message": "unauthorized: no", "path": ["events"]}]), events=True)

    assert len(told.buckets) == 1
    assert (told.events, told.refused) == ([], {"events": "unauthorized: no"})


def test_no_rows_may_be_told_as_null(values):
    assert values(ok({"data": {"signals": None}})).buckets == {}


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (TIMED_OUT, "BAD_REQUEST"),
        (TIMED_OUT, "SERVICE_UNAVAILABLE"),
        ("interval too small for the requested window, use a larger one", "BAD_REQUEST"),
    ],
)
def test_a_window_that_is_too_long_is_told_of_and_not_retried(service, values, message, code):
    with pytest.raises(TooMuchAskedError, match="2026-01-05") as refused:
        values(failure(message, code, ["signals"]))

    assert (refused.value.requests, len(service.asked)) == (1, 1)


def test_a_window_whose_answer_is_too_large_is_too_long(service, make_transport, settings):
    transport = make_transport(limits=Limits(body_bytes=100))
    service.answers = [rows({"timestamp": "2026-01-05T10:00:00Z", "speed": "x" * 100})]
    api = Telemetry(transport, VehicleTokens(transport, Developer(), settings, purpose=SIGNALS), settings)

    with pytest.raises(TooMuchAskedError):
        api.values(VEHICLE, ["speed"], DAY, "1s", events=False)


def test_an_error_that_may_pass_is_retried(service, values):
    told = values(failure("failed to query db", "INTERNAL_SERVER_ERROR", ["signals"]), Reply(503), rows())

    assert told.requests == 3


@pytest.mark.parametrize(
    "answer",
    [
        Reply(body=b"<html>"),
        Reply(body=b"[]"),
        ok({"data": {"signals": [{"speed": 1}]}}),
        ok({"data": {"signals": [{"timestamp": "yesterday", "speed": 1}]}}),
        ok({"data": {"signals": [{"timestamp": 1767607200, "speed": 1}]}}),
        ok({"data": {"signals": 7}}),
        ok({"data": {"signals": [], "events": [{"name": "no time"}]}}),
        ok({"data": {"signals": [], "events": [None]}}),
        ok({"errors": [{"message": 5}]}),
        failure("database away"),
    ],
)
def test_an_answer_that_is_not_what_it_should_be_is_a_failure(values, answer):
    with pytest.raises(ServiceError, match="telemetry API"):
        values(answer, events=True)


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (failure("unauthorized: token id does not match", path=["signals"]), VehicleRefusedError, "shares its signals"),
        (failure("unauthorized: jwt missing"), VehicleRefusedError, "jwt missing"),
        (failure("no such signal", "BAD_USER_INPUT"), RequestRefusedError, "no such signal"),
        (failure("too much", "COMPLEXITY_LIMIT_EXCEEDED"), RequestRefusedError, "too much"),
        (failure("failed parsing interval: 1d", path=["signals"]), RequestRefusedError, "failed parsing"),
        (Reply(422, b'{"errors":[{"message":"x"}]}'), RequestRefusedError, "DIMO_TELEMETRY_URL"),
        (Reply(404, b"nothing here"), RequestRefusedError, "DIMO_TELEMETRY_URL"),
        (Reply(403, b"no"), VehicleRefusedError, "shares its signals"),
    ],
)
def test_what_is_refused_is_told_and_asked_once(service, values, answer, error, words):
    with pytest.raises(error, match=words):
        values(answer)

    assert len(service.asked) == 1


def test_a_token_that_is_refused_is_renewed(service, values):
    told = values(Reply(401, b'{"message":"JWT is invalid."}'), rows())

    assert told.buckets == {}
    assert [request.bearer for request in service.asked] == ["vehicle1", "vehicle2"]


def test_a_summary_tells_rows_by_signal_event_and_source(service, api):
    seen = {"firstSeen": "2026-01-01T00:00:00Z", "lastSeen": "2026-01-05T00:00:00.5Z"}
    nothing = {"numberOfSignals": 0, "firstSeen": "2026-01-05T00:00:00Z", "lastSeen": "1900-01-01T00:00:00Z"}
    everything = {
        "numberOfSignals": 7,
        **seen,
        "signalDataSummary": [{"name": "speed", "numberOfSignals": 7, **seen}],
        "eventDataSummary": [{"name": "behavior.harshBraking", "numberOfEvents": 2, **seen}],
    }
    sources = {f"s{n}": nothing for n in range(len(CONNECTIONS))} | {"s1": {"numberOfSignals": 7, **seen}}
    service.answers = [ok({"data": {"all": everything, "availableSignals": ["speed"], **sources}})]

    summary = api.summary(VEHICLE).value

    assert (summary.rows, summary.signals["speed"].rows, summary.events["behavior.harshBraking"].rows) == (7, 7, 2)
    assert [source for source, one in summary.sources.items() if one.overlaps(DAY)] == [CONNECTIONS[1]]


@pytest.mark.parametrize(("places", "events", "sizes"), [(0, False, [98, 2]), (1, False, [95, 5]), (0, True, [92, 8])])
def test_names_fit_into_as_few_queries_as_the_limit_allows(places, events, sizes):
    names = [f"a{n}Coordinates" for n in range(places)] + [f"b{n}" for n in range(100 - places)]

    assert [len(chunk) for chunk in chunks(names, events=events)] == sizes


@pytest.mark.parametrize(
    "text", ["", "a b", "speed}", "speed(agg: LAST) { x", "timestamp", "__typename", "é", "a" * 201]
)
def test_only_a_name_is_put_into_a_query(text):
    assert not is_name(text)
    assert is_name("chassisAxleRow1WheelLeftTirePressure")
