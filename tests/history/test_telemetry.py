"""History from the telemetry API: windows, buckets, events, and when a day is held."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from dimo_etl.api.exchange import SIGNALS, VehicleTokens
from dimo_etl.api.telemetry import CONNECTIONS, Telemetry
from dimo_etl.api.transport import Transport
from dimo_etl.config import SANDBOX_LICENCE, Settings
from dimo_etl.history.fetch import Fetcher, Outcome
from dimo_etl.history.telemetry import TelemetrySource, open_source
from dimo_etl.lake.layout import raw_file
from dimo_etl.lake.raw import events_of, find_unit
from dimo_etl.lake.store import Store
from dimo_etl.model import Vehicle, day_window
from dimo_etl.sandbox.happenings import happenings
from dimo_etl.sandbox.server import SandboxServer
from tests.api.routes import Developer
from tests.api.server import Server, ok

TODAY = date(2026, 1, 15)
DAYS = [date(2026, 1, 13), date(2026, 1, 14)]
NOW = datetime(2026, 1, 16, 12, tzinfo=UTC)
FORD, LEXUS, TOYOTA, KIA = 4711, 5023, 6120, 8816
QUERIES = "/telemetry-api"


@pytest.fixture(scope="module")
def _running():
    with SandboxServer(port=0, seed=1, today=TODAY, history_days=3) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(_running):
    granted = {vehicle.token_id: vehicle.granted for vehicle in _running.fleet.everyone}
    yield _running
    _running.faults.clear()
    for token_id, privileges in granted.items():
        _running.fleet.share(token_id, privileges)


@pytest.fixture
def store(tmp_path):
    with Store(str(tmp_path / "lake")) as store:
        yield store


@pytest.fixture
def bring(sandbox, store):
    """Brings days of a vehicle of the sandbox, and says what came of each."""

    def bring(token_id, days=DAYS, *, refresh=False):
        settings = Settings.from_environment(sandbox.environ)
        with Transport(concurrency=4, sleep=lambda _: None) as transport:
            fetcher = Fetcher(store, open_source(transport, settings, {}), concurrency=4, now=lambda: NOW)
            done = fetcher.fetch([Vehicle(str(token_id), token_id=token_id)], days, refresh=refresh)
        return {one.coverage.date: one for one in done}

    return bring


@pytest.fixture
def held(store):
    """The events of a vehicle-day, by id."""

    def held(token_id, day):
        events = [one for _, batch in events_of(store, find_unit(store, str(token_id), day)) for one in batch]
        assert len({one.event_id for one in events}) == len(events)
        return {one.event_id: msgspec.json.decode(one.payload) for one in events}

    return held


def signals_of(documents):
    return [
        (signal["timestamp"], signal["name"], signal["value"])
        for document in documents.values()
        for signal in document["data"].get("signals", ())
    ]


def odometers(sandbox, token_id, day):
    data = [event["data"] for event in sandbox.fleet.events(token_id, day)]
    return [one["odometer"] for one in data if "odometer" in one]


def test_every_value_of_a_day_is_held_with_the_second_it_was_measured_in(sandbox, bring, held):
    done = bring(LEXUS)

    for day in DAYS:
        documents = held(LEXUS, day)
        values = [
            value for _, name, value in signals_of(documents) if name == "powertrainTransmissionTravelledDistance"
        ]
        assert values == [km / 1000 if km > 999_999 else km for km in odometers(sandbox, LEXUS, day)]
        assert all(stamp.startswith(str(day)) and stamp.endswith(".000Z") for stamp, _, _ in signals_of(documents))
        assert {document["source"] for document in documents.values()} == {"0xcd445F4c6bDAD32b68a2939b912150Fe3C88803E"}
        assert done[day].outcome is Outcome.COMPLETE


def test_a_day_takes_one_request_and_the_vehicle_one_more(sandbox, bring):
    before = len(sandbox.requests.below(QUERIES))

    done = bring(FORD)

    assert len(sandbox.requests.below(QUERIES)) - before == 3
    assert [done[day].coverage.requests for day in DAYS] == [2, 1]


def test_days_before_anything_was_stored_are_not_asked_for(sandbox, bring):
    before = len(sandbox.requests.below(QUERIES))

    done = bring(LEXUS, [date(2025, 1, 1) + timedelta(days=n) for n in range(30)])

    assert len(sandbox.requests.below(QUERIES)) - before == 1
    assert all(one.outcome is Outcome.COMPLETE and one.coverage.fetched_events == 0 for one in done.values())


@pytest.mark.parametrize("longest", [timedelta(hours=12), timedelta(minutes=50)])
def test_windows_that_take_too_long_are_halved_until_they_do_not(sandbox, bring, held, longest):
    bring(LEXUS)
    whole = [held(LEXUS, day) for day in DAYS]
    sandbox.faults.telemetry_span = longest

    done = bring(LEXUS, refresh=True)

    assert [held(LEXUS, day) for day in DAYS] == whole
    assert all(one.outcome is Outcome.COMPLETE for one in done.values())
    refused = 1 if longest == timedelta(hours=12) else 5
    assert sum(one.coverage.requests for one in done.values()) <= 1 + 2 * (refused + 2**refused)


def test_the_same_day_again_gives_the_same_file(sandbox, bring, store):
    bring(TOYOTA)
    files = [(Path(store.root) / raw_file(str(TOYOTA), day)).read_bytes() for day in DAYS]
    kept = [find_unit(store, str(TOYOTA), day).coverage for day in DAYS]

    bring(TOYOTA, refresh=True)

    assert [(Path(store.root) / raw_file(str(TOYOTA), day)).read_bytes() for day in DAYS] == files
    assert [find_unit(store, str(TOYOTA), day).coverage for day in DAYS] == kept


def test_a_day_that_is_held_is_not_asked_for_again(sandbox, bring):
    bring(LEXUS)
    before = len(sandbox.requests.below(QUERIES))

    done = bring(LEXUS)

    assert {one.outcome for one in done.values()} == {Outcome.ALREADY_COMPLETE}
    assert len(sandbox.requests.below(QUERIES)) == before


def test_events_are_held_with_the_day_they_happened_on(sandbox, bring, held):
    bring(FORD)

    for day in DAYS:
        window = day_window(day)
        truth = happenings(sandbox.fleet, FORD, window.start_ms * 1000, window.end_ms * 1000 + 1000)
        found = [event for document in held(FORD, day).values() for event in document["data"].get("events", ())]
        assert sorted(one["name"] for one in found) == sorted(one.name for one in truth)
        assert all(one["timestamp"].startswith(str(day)) for one in found)


def test_what_is_not_shared_is_not_asked_for_and_the_rest_is_held(sandbox, bring, held):
    done = bring(KIA)

    names = {name for day in DAYS for _, name, _ in signals_of(held(KIA, day))}
    assert "powertrainTransmissionTravelledDistance" in names
    assert not any(name.startswith("currentLocation") for name in names)
    assert all(one.outcome is Outcome.COMPLETE and one.coverage.privileges == (1,) for one in done.values())


def test_a_position_once_read_stays_when_it_is_no_longer_shared(sandbox, bring, held):
    bring(LEXUS)
    whole = [held(LEXUS, day) for day in DAYS]
    sandbox.fleet.share(LEXUS, frozenset({1}))

    bring(LEXUS, refresh=True)

    assert [held(LEXUS, day) for day in DAYS] == whole


def test_a_vehicle_that_shares_nothing_is_refused(sandbox, bring):
    sandbox.fleet.share(LEXUS, frozenset({2}))

    done = bring(LEXUS)

    assert {one.outcome for one in done.values()} == {Outcome.REFUSED}
    assert "does not share its signals" in done[DAYS[0]].coverage.reason


def test_a_storm_of_failures_costs_requests_and_nothing_else(sandbox, bring, held):
    sandbox.faults.answer(503, times=2, at=QUERIES)
    sandbox.faults.answer(429, at=QUERIES, retry_after="1")
    sandbox.faults.reset(at=QUERIES)
    sandbox.faults.cut(at=QUERIES)
    sandbox.faults.expire_tokens()

    done = bring(LEXUS)

    assert all(one.outcome is Outcome.COMPLETE for one in done.values())
    assert sum(one.coverage.requests for one in done.values()) == 3 + 5
    assert len(signals_of(held(LEXUS, DAYS[0]))) > 100


def test_a_service_that_is_down_leaves_days_that_failed(sandbox, bring, store):
    bring(LEXUS)
    kept = [find_unit(store, str(LEXUS), day).digest for day in DAYS]
    sandbox.faults.answer(502, times=60, at=QUERIES)

    done = bring(LEXUS, refresh=True)

    assert {one.outcome for one in done.values()} == {Outcome.FAILED}
    assert [find_unit(store, str(LEXUS), day).digest for day in DAYS] == kept


class Stored:
    """A telemetry service that answers from a table, and may lie."""

    def __init__(self, server: Server, values: dict[str, dict[str, object]]) -> None:
        self.values = values
        self.summary_of = {name: (len(held), min(held), max(held)) for name, held in values.items()}
        self.asked: list[str] = []
        self.errors: list[dict[str, object]] = []
        server.answer = self

    def __call__(self, request):
        if request.path == "/v1/tokens/exchange":
            return ok({"token": "vehicle"})
        query = request.json["query"]
        if "dataSummary" in query:
            return ok({"data": self._summary()})
        self.asked.append(query)
        names = re.findall(r"(\w+)\(agg: LAST\)", query)
        window = request.json["variables"]
        rows: dict[str, dict[str, object]] = {}
        for name in names:
            for stamp, value in self.values.get(name, {}).items():
                if window["from"] <= stamp < window["to"] or stamp.startswith("1999"):
                    rows.setdefault(stamp, {"timestamp": stamp} | dict.fromkeys(reversed(names)))[name] = value
        answer = {"data": {"signals": [rows[stamp] for stamp in sorted(rows)]}}
        return ok(answer | ({"errors": self.errors} if self.errors else {}))

    def _summary(self):
        nothing = {"numberOfSignals": 0, "firstSeen": "2026-01-16T00:00:00Z", "lastSeen": "1900-01-01T00:00:00Z"}
        rows = [
            {"name": name, "numberOfSignals": count, "firstSeen": first, "lastSeen": last}
            for name, (count, first, last) in self.summary_of.items()
        ]
        total = {
            "numberOfSignals": sum(one["numberOfSignals"] for one in rows),
            "firstSeen": min(one["firstSeen"] for one in rows),
            "lastSeen": max(one["lastSeen"] for one in rows),
        }
        everything = total | {"signalDataSummary": rows, "eventDataSummary": []}
        return {
            "all": everything,
            "availableSignals": sorted(self.values),
            **{f"s{n}": nothing for n in range(len(CONNECTIONS))},
            "s0": total,
        }


@pytest.fixture
def stored(store):
    """Serves a table of values, and brings a day of it."""
    server = Server()
    day = DAYS[0]

    def serve(values, change=lambda _: None):
        service = Stored(server, values)
        change(service)
        names = ("TOKEN_EXCHANGE", "DEVICE_DATA", "TELEMETRY")
        settings = Settings.from_environment(
            SANDBOX_LICENCE | {"DIMO_ENVIRONMENT": "sandbox"} | {f"DIMO_{name}_URL": server.url for name in names}
        )
        with Transport(concurrency=4, sleep=lambda _: None) as transport:
            tokens = VehicleTokens(transport, Developer(), settings, purpose=SIGNALS)
            source = TelemetrySource(Telemetry(transport, tokens, settings))
            fetcher = Fetcher(store, source, concurrency=4, now=lambda: NOW)
            [done] = fetcher.fetch([Vehicle(str(FORD), token_id=FORD)], [day])
        return done, service

    yield serve
    server.close()


NOON = "2026-01-13T12:00:00Z"


def test_more_signals_than_a_query_holds_make_one_event_a_second(stored, held):
    done, service = stored({f"signal{n:03d}": {NOON: n} for n in range(250)})

    [(event_id, document)] = held(FORD, DAYS[0]).items()
    assert event_id == "telemetry-4711-2026-01-13T12:00:00.000Z"
    assert signals_of({event_id: document}) == [("2026-01-13T12:00:00.000Z", f"signal{n:03d}", n) for n in range(250)]
    assert len(service.asked) == 3
    assert done.outcome is Outcome.COMPLETE


def test_a_field_that_is_refused_leaves_the_day_open_and_is_no_value(stored, held):
    lacking = {"message": "unauthorized: missing required privilege(s) x", "path": ["signals", 0, "secret"]}

    done, _ = stored({"speed": {NOON: 4.5}, "secret": {NOON: None}}, lambda service: service.errors.append(lacking))

    assert done.outcome is Outcome.INCOMPLETE
    assert "the service refuses secret (unauthorized: missing required privilege(s) x)" in done.coverage.reason
    assert [name for _, name, _ in signals_of(held(FORD, DAYS[0]))] == ["speed"]


def test_a_value_the_summary_knows_of_and_the_answer_lacks_leaves_the_day_open(stored):
    def forget(service):
        service.summary_of["speed"] = (3, "2026-01-13T08:00:00Z", "2026-01-13T13:00:00.25Z")

    done, _ = stored({"speed": {"2026-01-13T08:00:00Z": 1, NOON: 4.5}}, forget)

    assert done.outcome is Outcome.INCOMPLETE
    assert "says it has speed at 2026-01-13T13:00:00.250Z, and does not give it" in done.coverage.reason


def test_more_values_than_the_summary_counts_leave_the_day_open(stored):
    def count(service):
        service.summary_of["speed"] = (1, NOON, NOON)

    done, _ = stored({"speed": {NOON: 1, "2026-01-13T12:00:01Z": 2}}, count)

    assert "gives 2 values of speed and says it has 1 in all" in done.coverage.reason


def test_values_from_outside_the_window_are_not_taken(stored, held):
    done, _ = stored({"speed": {NOON: 1, "1999-01-01T00:00:00Z": 2}})

    assert done.outcome is Outcome.INCOMPLETE
    assert "1 times from outside the day" in done.coverage.reason
    assert [value for _, _, value in signals_of(held(FORD, DAYS[0]))] == [1]


def test_a_name_that_is_no_name_reaches_no_query(stored):
    done, service = stored({"speed": {NOON: 1}, "x(agg: LAST) } } #": {NOON: 2}})

    assert [query.count("#") for query in service.asked] == [0]
    assert done.coverage.fetched_events == 1
    assert done.coverage.reason == "the service tells of 1 signals with names that are none"


def test_a_signal_that_the_service_has_no_field_for_is_not_asked_for(stored):
    def store(service):
        service.summary_of["dimoAftermarketHDOP"] = (3, NOON, NOON)

    done, service = stored({"speed": {NOON: 1}}, store)

    assert not any("HDOP" in query for query in service.asked)
    assert done.outcome is Outcome.COMPLETE


def test_values_of_two_connections_have_no_source(stored, held):
    def mix(service):
        service.summary_of["rpm"] = (5, NOON, NOON)
        plain = service._summary
        service._summary = lambda: plain() | {"s1": {"numberOfSignals": 5, "firstSeen": NOON, "lastSeen": NOON}}

    stored({"speed": {NOON: 1}, "rpm": {NOON: 2}}, mix)

    [document] = held(FORD, DAYS[0]).values()
    assert "source" not in document


def test_a_vehicle_without_a_token_id_is_told_to_take_another_source(store, sandbox):
    settings = Settings.from_environment(sandbox.environ)
    device = Vehicle("2ab" * 9, user_device_id="2ab" * 9)
    with Transport(concurrency=2) as transport:
        fetcher = Fetcher(store, open_source(transport, settings, {}), concurrency=1, now=lambda: NOW)
        [done] = fetcher.fetch([device], DAYS[:1])

    assert done.outcome is Outcome.REFUSED
    assert "has no token id" in done.coverage.reason
