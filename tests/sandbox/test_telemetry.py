"""The GraphQL of telemetry: buckets, privileges, limits and the ways it refuses."""

import math
from datetime import date, timedelta
from itertools import pairwise

import pytest

from dimo_etl.sandbox.server import SandboxServer
from tests.sandbox.conftest import AUTOPI, BUSY_DAY, MACARON, NON_LOCATION, SMARTCAR, TESLA, TODAY, V2, Caller

DAY = (f"{BUSY_DAY}T00:00:00Z", f"{TODAY}T00:00:00Z")
ODOMETER = "powertrainTransmissionTravelledDistance"


@pytest.fixture(scope="module")
def _short():
    # Only three days, so that what is stored in all is soon counted.
    with SandboxServer(port=0, seed=1, today=TODAY, history_days=3) as sandbox:
        caller = Caller(sandbox)
        yield sandbox, caller
        caller.close()


@pytest.fixture
def sandbox(_short):
    yield _short[0]
    _short[0].faults.clear()


@pytest.fixture
def ask(_short, sandbox):
    caller = _short[1]

    def send(query, token_id=SMARTCAR, privileges=(1, 4), **variables):
        headers = {"Authorization": f"Bearer {caller.vehicle_token(token_id, *privileges)}"} if privileges else {}
        body = {"query": query, "variables": {"id": token_id} | variables}
        return caller.http.post(f"{caller.settings.telemetry_url}/query", json=body, headers=headers)

    return send


def signals(fields, interval="1s", span=DAY, source=""):
    given = f'tokenId: $id, interval: "{interval}", from: "{span[0]}", to: "{span[1]}"{source}'
    return f"query ($id: Int!) {{ signals({given}) {{ timestamp {fields} }} }}"


def test_a_bucket_starts_where_the_window_does_and_empty_ones_are_absent(ask):
    span = (f"{BUSY_DAY}T00:00:07Z", DAY[1])

    rows = ask(signals(f"{ODOMETER}(agg: LAST)", "1h", span)).json()["data"]["signals"]

    assert rows
    assert all(row["timestamp"][14:] == "00:07Z" for row in rows)
    assert [row["timestamp"] for row in rows] == sorted({row["timestamp"] for row in rows})
    assert all(row[ODOMETER] is not None for row in rows)


def test_a_signal_without_a_value_in_a_bucket_is_null(ask):
    rows = ask(signals("speed(agg: LAST) lowVoltageBatteryCurrentVoltage(agg: LAST)"), AUTOPI).json()["data"]["signals"]

    assert any(row["speed"] is None and row["lowVoltageBatteryCurrentVoltage"] is not None for row in rows)


def test_the_odometer_is_that_of_the_documents_in_kilometres(ask, sandbox):
    rows = ask(signals(f"{ODOMETER}(agg: LAST)", "1s")).json()["data"]["signals"]

    given = [
        event["data"]["odometer"] for event in sandbox.fleet.events(SMARTCAR, BUSY_DAY) if "odometer" in event["data"]
    ]
    assert [row[ODOMETER] for row in rows] == [round(km / 1000) if km > 999_999 else km for km in given]


@pytest.mark.parametrize(
    ("token_id", "legacy", "name", "factor"),
    [
        (AUTOPI, "throttlePosition", "powertrainCombustionEngineTPS", 100),
        (TESLA, "soc", "powertrainTractionBatteryStateOfChargeCurrent", 100),
        (SMARTCAR, "fuelPercentRemaining", "powertrainFuelSystemRelativeLevel", 100),
        (MACARON, "batteryVoltage", "lowVoltageBatteryCurrentVoltage", 1),
    ],
)
def test_ratios_become_percent(ask, sandbox, token_id, legacy, name, factor):
    days = [TODAY - timedelta(days=back) for back in range(4)]
    given = {event["data"].get(legacy) for day in days for event in sandbox.fleet.events(token_id, day)} - {None}
    span = (f"{days[2]}T00:00:00Z", DAY[1])

    rows = ask(signals(f"{name}(agg: LAST)", "3s", span), token_id).json()["data"]["signals"]

    assert rows
    assert all(any(math.isclose(row[name], value * factor) for value in given) for row in rows)


def test_aggregations_of_a_bucket(ask):
    fields = " ".join(f"{agg.lower()}: {ODOMETER}(agg: {agg})" for agg in ("MIN", "MAX", "FIRST", "LAST", "AVG"))

    [day] = ask(signals(fields, "24h"), V2).json()["data"]["signals"]

    assert day["min"] <= day["avg"] <= day["max"]
    assert all(day["min"] <= day[end] <= day["max"] for end in ("first", "last"))


def test_a_source_filter_shows_that_source_alone(ask):
    held = ', filter: {source: "did:ethr:137:0xcd445F4c6bDAD32b68a2939b912150Fe3C88803E"}'
    other = ', filter: {source: "did:ethr:137:0x5e31bBc786D7bEd95216383787deA1ab0f1c1897"}'

    assert ask(signals(f"{ODOMETER}(agg: LAST)", source=held)).json()["data"]["signals"]
    assert ask(signals(f"{ODOMETER}(agg: LAST)", source=other)).json()["data"]["signals"] is None


def test_a_lacking_privilege_is_an_error_for_each_row_and_field_and_the_rest_is_given(ask):
    fields = f"{ODOMETER}(agg: LAST) currentLocationCoordinates(agg: LAST) {{ latitude }}"

    answer = ask(signals(fields, "6h"), NON_LOCATION, (1,))

    body = answer.json()
    rows = body["data"]["signals"]
    assert answer.status_code == 200
    assert [error["path"] for error in body["errors"]] == [
        ["signals", row, "currentLocationCoordinates"] for row in range(len(rows))
    ]
    assert {error["message"] for error in body["errors"]} == {
        "unauthorized: missing required privilege(s) privilege:GetLocationHistory"
    }
    assert all("extensions" not in error for error in body["errors"])
    assert any(row[ODOMETER] is not None for row in rows)


@pytest.mark.parametrize(
    ("interval", "message", "code"),
    [
        ("1d", 'failed parsing interval: time: invalid duration "1d"', None),
        ("1ns", "invalid argument: interval is not a positive integer", "BAD_REQUEST"),
        (
            "1ms",
            "interval too small for the requested window, use a larger interval or a smaller window",
            "BAD_REQUEST",
        ),
    ],
)
def test_a_wrong_interval_is_an_error_under_status_200(ask, interval, message, code):
    answer = ask(signals("speed(agg: LAST)", interval))

    [error] = answer.json()["errors"]
    assert answer.status_code == 200
    assert error["message"] == message
    assert error.get("extensions", {}).get("code") == code


def test_a_window_over_the_execution_time_says_so(ask, sandbox):
    sandbox.faults.telemetry_span = timedelta(hours=6)

    too_long = ask(signals("speed(agg: LAST)")).json()
    short = ask(signals("speed(agg: LAST)", span=(f"{BUSY_DAY}T00:00:00Z", f"{BUSY_DAY}T06:00:00Z"))).json()

    assert "maximum execution time" in too_long["errors"][0]["message"]
    assert "errors" not in short


def test_a_hundred_fields_are_run_and_one_more_is_not(ask):
    fields = " ".join(f"f{n}: speed(agg: MAX)" for n in range(98))

    whole = ask(signals(fields, "24h"), V2).json()
    more = ask(signals(fields + " f98: speed(agg: MIN)", "24h"), V2)

    assert "errors" not in whole
    assert more.status_code == 200
    assert more.json()["errors"][0]["extensions"]["code"] == "COMPLEXITY_LIMIT_EXCEEDED"


@pytest.mark.parametrize(
    ("query", "code"),
    [("{ signals(", "GRAPHQL_PARSE_FAILED"), ("{ availableSignals(tokenId: 1) { x } }", "GRAPHQL_VALIDATION_FAILED")],
)
def test_a_wrong_query_is_a_422(ask, query, code):
    answer = ask(query)

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["extensions"]["code"] == code


def test_tokens_are_looked_at(ask, sandbox):
    query = "query ($id: Int!) { availableSignals(tokenId: $id) }"

    assert ask(query, privileges=()).json()["errors"][0]["message"] == "unauthorized: jwt missing"
    assert ask(query, id=AUTOPI).json()["errors"][0]["message"] == "unauthorized: token id does not match"
    ask(query)
    sandbox.faults.expire_tokens()
    expired = ask(query)
    assert (expired.status_code, expired.json()) == (401, {"message": "JWT is invalid."})


@pytest.fixture
def fresh(_short):
    _short[1].forget_tokens()


def test_the_summary_counts_every_row_there_is(ask, fresh):
    query = """query ($id: Int!) { availableSignals(tokenId: $id) dataSummary(tokenId: $id) {
      numberOfSignals availableSignals firstSeen lastSeen
      signalDataSummary { name numberOfSignals firstSeen lastSeen }
      eventDataSummary { name numberOfEvents } } }"""

    data = ask(query, V2).json()["data"]
    summary = data["dataSummary"]
    midnights = [f"{date(2026, 1, day)}T00:00:00Z" for day in range(12, 17)]
    odometers = [
        row
        for span in pairwise(midnights)
        for row in ask(signals(f"{ODOMETER}(agg: LAST)", span=span), V2).json()["data"]["signals"]
    ]

    counts = {one["name"]: one["numberOfSignals"] for one in summary["signalDataSummary"]}
    assert summary["availableSignals"] == data["availableSignals"] == sorted(counts)
    assert summary["numberOfSignals"] == sum(counts.values())
    assert len(odometers) == counts[ODOMETER]
    assert midnights[0] <= summary["firstSeen"] < summary["lastSeen"] < midnights[-1]
    assert {one["name"][:9] for one in summary["eventDataSummary"]} == {"behavior."}


def test_what_has_no_field_is_in_the_summary_alone(ask, fresh):
    query = """query ($id: Int!) { availableSignals(tokenId: $id) dataSummary(tokenId: $id) { availableSignals }
      signalsSnapshot(tokenId: $id) { signals { name } } }"""

    data = ask(query, AUTOPI).json()["data"]

    stored = set(data["dataSummary"]["availableSignals"])
    assert stored - set(data["availableSignals"]) == {"dimoAftermarketNSAT"}
    assert "dimoAftermarketNSAT" not in {one["name"] for one in data["signalsSnapshot"]["signals"]}


def test_the_newest_values_are_those_of_the_last_documents(ask, fresh):
    query = f"""query ($id: Int!) {{ signalsLatest(tokenId: $id) {{ lastSeen {ODOMETER} {{ timestamp value }} }}
      signalsSnapshot(tokenId: $id) {{ lastSeen
        signals {{ name timestamp valueNumber valueLocation {{ latitude }} }} }} }}"""

    data = ask(query, V2).json()["data"]
    hidden = ask(query, NON_LOCATION, (1,)).json()["data"]

    latest = data["signalsLatest"][ODOMETER]
    snapshot = {one["name"]: one for one in data["signalsSnapshot"]["signals"]}
    assert snapshot[ODOMETER]["valueNumber"] == latest["value"]
    assert snapshot["currentLocationCoordinates"]["valueLocation"]["latitude"]
    assert "currentLocationCoordinates" not in {one["name"] for one in hidden["signalsSnapshot"]["signals"]}


def test_events_come_newest_first_and_can_be_chosen(ask, fresh):
    span = f'from: "2026-01-12T00:00:00Z", to: "{TODAY + timedelta(days=1)}T00:00:00Z"'
    query = "query ($id: Int!) { events(tokenId: $id, %s) { timestamp name source durationNs metadata } }"

    found = ask(query % span, AUTOPI).json()["data"]["events"]
    chosen = ask(query % f'{span}, filter: {{name: {{eq: "{found[0]["name"]}"}}}}', AUTOPI).json()["data"]["events"]
    refused = ask(query % span, AUTOPI, (1,)).json()

    times = [one["timestamp"] for one in found]
    assert times == sorted(times, reverse=True)
    assert chosen == [one for one in found if one["name"] == found[0]["name"]]
    assert refused["data"]["events"] is None
    assert refused["errors"][0]["message"].startswith("unauthorized: missing required privilege(s)")


def test_daily_activity_has_each_day_and_segments_tell_the_drives(ask, sandbox, fresh):
    span = f'from: "2026-01-13T00:00:00Z", to: "{BUSY_DAY}T23:00:00Z", mechanism: frequencyAnalysis'
    wanted = f'signalRequests: [{{name: "{ODOMETER}", agg: MIN}}, {{name: "{ODOMETER}", agg: MAX}}]'
    query = f"""query ($id: Int!) {{
      dailyActivity(tokenId: $id, {span}, {wanted}, timezone: "UTC") {{
        start {{ timestamp }} segmentCount duration signals {{ name agg value }} }}
      segments(tokenId: $id, {span}) {{ start {{ timestamp }} duration isOngoing signals {{ name }} }} }}"""

    data = ask(query, AUTOPI).json()["data"]

    days = [date(2026, 1, 13), BUSY_DAY]
    assert [one["start"]["timestamp"] for one in data["dailyActivity"]] == [f"{day}T00:00:00Z" for day in days]
    drives = [len(sandbox.fleet.driver(AUTOPI).day(day).drives) for day in days]
    assert sum(one["segmentCount"] for one in data["dailyActivity"]) == len(data["segments"])
    assert 0 < len(data["segments"]) <= sum(drives)
    for day, record in zip(days, data["dailyActivity"], strict=True):
        told = {one["agg"]: one["value"] for one in record["signals"] if one["name"] == ODOMETER}
        truth = [e["data"]["odometer"] for e in sandbox.fleet.events(AUTOPI, day) if "odometer" in e["data"]]
        assert told["MAX"] == max(round(km / 1000) if km > 999_999 else km for km in truth)


def test_a_range_of_nothing_is_refused(ask, fresh):
    query = """query ($id: Int!) { dailyActivity(tokenId: $id, from: "2026-01-14T00:00:00Z", to: "2026-01-14T00:00:00Z",
      mechanism: frequencyAnalysis) { duration } }"""

    assert ask(query, AUTOPI).json()["errors"][0]["message"] == "from and to times cannot be equal"


def test_a_range_over_32_days_is_refused(ask, fresh):
    query = """query ($id: Int!) { segments(tokenId: $id, from: "2025-11-01T00:00:00Z", to: "2026-01-01T00:00:00Z",
      mechanism: frequencyAnalysis) { duration } }"""

    assert ask(query, AUTOPI).json()["errors"][0]["message"] == "date range exceeds maximum of 32 days"
