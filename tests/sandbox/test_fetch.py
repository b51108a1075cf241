"""The GraphQL of raw events: newest first, clamped, with bounds cut to seconds, and the ways it refuses."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.sandbox.conftest import AUTOPI, BUSY_DAY, NON_LOCATION, SMARTCAR, TODAY

_DID = "did:erc721:137:0xbA5738a18d83D41847dfFbDC6101d37C69c9B0cF:{}"
_EVENTS = """query ($did: String!, $limit: Int, $filter: CloudEventFilter) {
  cloudEvents(did: $did, limit: $limit, filter: $filter) { header { id time type source } data }
  availableCloudEventTypes(did: $did, filter: $filter) { type count firstSeen lastSeen }
}"""
WHOLE_DAY = {"after": f"{BUSY_DAY}T00:00:00Z", "before": f"{TODAY}T00:00:00Z", "type": "dimo.status"}


@pytest.fixture
def ask(caller, sandbox):
    def send(query=_EVENTS, token_id=SMARTCAR, privileges=(1, 4), did=None, **variables):
        headers = {"Authorization": f"Bearer {caller.vehicle_token(token_id, *privileges)}"} if privileges else {}
        body = {"query": query, "variables": {"did": did or _DID.format(token_id)} | variables}
        return caller.http.post(f"{caller.settings.fetch_url}/query", json=body, headers=headers)

    return send


def test_the_newest_events_come_first_and_no_more_than_a_thousand_of_them(ask, sandbox):
    told = ask(token_id=AUTOPI, limit=50_000, filter=WHOLE_DAY).json()["data"]
    times = [event["header"]["time"] for event in told["cloudEvents"]]
    moments = [datetime.fromisoformat(time) for time in times]
    [counted] = told["availableCloudEventTypes"]
    assert len(times) == 1000 < counted["count"]
    assert moments == sorted(moments, reverse=True)
    assert (counted["lastSeen"], counted["type"]) == (times[0], "dimo.status")


@pytest.mark.parametrize(("limit", "given"), [(None, 10), (0, 10), (-3, 10), (7, 7)])
def test_without_a_limit_ten_come(ask, limit, given):
    events = ask(token_id=AUTOPI, limit=limit, filter=WHOLE_DAY).json()["data"]["cloudEvents"]
    assert len(events) == given


def test_bounds_are_strict_and_their_fractions_do_not_count(ask):
    event = ask(limit=3, filter=WHOLE_DAY).json()["data"]["cloudEvents"][1]
    moment = datetime.fromisoformat(event["header"]["time"])
    second = moment.replace(microsecond=0)

    def ids(after, before):
        bounds = {"after": f"{after:%Y-%m-%dT%H:%M:%S.%fZ}", "before": f"{before:%Y-%m-%dT%H:%M:%S.%fZ}"}
        given = ask(limit=1000, filter=bounds).json()["data"]["cloudEvents"]
        return [one["header"]["id"] for one in given]

    step = timedelta(seconds=1)
    assert event["header"]["id"] in ids(second, second + step)
    assert ids(second, second + timedelta(milliseconds=999)) == []
    assert event["header"]["id"] in ids(moment + timedelta(milliseconds=1), second + step)


def test_an_event_holds_the_data_of_its_document(ask, sandbox):
    given = {e["header"]["id"]: e["data"] for e in ask(limit=1000, filter=WHOLE_DAY).json()["data"]["cloudEvents"]}
    documents = {event["id"]: event["data"] for event in sandbox.fleet.events(SMARTCAR, BUSY_DAY)}
    assert len(given.keys() & documents.keys()) >= len(documents) - 2
    assert all(given[own_id] == documents[own_id] for own_id in given.keys() & documents.keys())


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"privileges": ()}, "unauthorized: no token claims"),
        (
            {"token_id": NON_LOCATION, "privileges": (1,)},
            "unauthorized: token does not have required permission for this operation",
        ),
        ({"did": _DID.format(AUTOPI)}, "unauthorized: token does not have access to this subject"),
    ],
)
def test_what_is_not_allowed_is_refused_under_status_200(ask, asked, message):
    response = ask(**asked)
    assert response.status_code == 200
    assert {error["message"] for error in response.json()["errors"]} == {message}
    assert response.json()["data"] is None


def test_a_query_with_too_many_fields_is_refused_under_status_200(ask):
    fields = " ".join(f"f{n}: availableCloudEventTypes(did: $did) {{ count }}" for n in range(60))
    response = ask(f"query ($did: String!) {{ {fields} }}")
    assert response.status_code == 200
    assert response.json()["errors"][0]["extensions"]["code"] == "COMPLEXITY_LIMIT_EXCEEDED"


def test_a_field_that_does_not_exist_is_a_422(ask):
    assert ask("query ($did: String!) { latestCloudEvent(did: $did) { body } }").status_code == 422


def test_a_window_over_the_execution_time_says_so(ask, sandbox):
    sandbox.faults.fetch_span = timedelta(hours=1)
    error = ask(filter=WHOLE_DAY).json()["errors"][0]
    assert error["extensions"]["code"] == "BAD_REQUEST"
    assert "maximum execution time" in error["message"]


def test_events_of_drives_are_a_type_of_their_own(ask):
    told = ask(token_id=AUTOPI, limit=1000, filter=WHOLE_DAY | {"type": None, "types": ["dimo.events"]}).json()["data"]
    assert {event["header"]["type"] for event in told["cloudEvents"]} == {"dimo.events"}
    assert all(event["data"]["events"][0]["name"].startswith("behavior.") for event in told["cloudEvents"])


def test_the_latest_event_is_that_of_today_or_before(ask):
    query = (
        "query ($did: String!) { latestCloudEvent(did: $did) { header { time } } latestIndex(did: $did) { indexKey } }"
    )
    told = ask(query).json()["data"]
    assert datetime.fromisoformat(told["latestCloudEvent"]["header"]["time"]) < datetime(2026, 1, 16, tzinfo=UTC)
    assert told["latestCloudEvent"]["header"]["time"] in told["latestIndex"]["indexKey"]
