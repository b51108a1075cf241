"""The source `fetch`: what becomes of an event, wherever its payload is; and a fleet brought whole through trouble."""

from __future__ import annotations

import base64
import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from ipaddress import ip_address

import pytest

from dimo_etl.api.auth import access_tokens
from dimo_etl.api.exchange import RAW_EVENTS, VehicleTokens
from dimo_etl.api.fetch import CloudEvent, CloudEvents, FetchApi
from dimo_etl.api.transport import Transport
from dimo_etl.breaker import Breaker
from dimo_etl.config import Settings
from dimo_etl.coverage import Coverage
from dimo_etl.errors import VehicleRefusedError
from dimo_etl.history.cloud_events import CloudEventSource
from dimo_etl.history.fetch import Fetcher, Outcome
from dimo_etl.history.source import Visit
from dimo_etl.importing.addresses import resolve
from dimo_etl.importing.download import Downloader
from dimo_etl.lake.raw import days_held, events_of, find_unit
from dimo_etl.lake.store import Store
from dimo_etl.model import Vehicle
from dimo_etl.timestamps import to_us
from tests.flatten.rows import flattened, rows_of
from tests.history.conftest import DAYS, NOW
from tests.importing.https import HOST, Server, begin
from tests.payloads import GENERATIONS, encoded

FETCH = "/fetch-api"
DAY = date(2026, 1, 5)
NOON_US = 1_767_614_400_000_000
CAR = Vehicle("4711", token_id=4711)
AUTOPI, LEXUS, NON_LOCATION, V2 = (Vehicle(str(token), token_id=token) for token in (4711, 5023, 8816, 6120))
SIGNATURE = "X-Amz-Signature=5ecre7"


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("tls"))
    yield server
    server.close()


def given(
    own_id: str = "one", *, kind: str = "dimo.status", source: str = "0x1", us: int = NOON_US, **body
) -> CloudEvent:
    time = f"{datetime.fromtimestamp(us / 1e6, UTC):%Y-%m-%dT%H:%M:%S.%f}Z"
    header = {"type": kind, "id": own_id, "source": source, "subject": "did:x", "time": time}
    payload = {"data": b'{"speed": 42}', "data_base64": None, "data_url": None} | body
    return CloudEvent((kind, own_id, source, "did:x", time), us, json.dumps(header).encode(), **payload)


class Api:
    """Answers with a few events, whatever it is asked for."""

    def __init__(self, *events: CloudEvent) -> None:
        self.events = events

    def cloud_events(self, token_id, types, start_s, end_s) -> CloudEvents:
        return CloudEvents(len(self.events), self.events, 1, (7,))


def pieces(*events: CloudEvent, days=(DAY,), vehicle=CAR, **downloader):
    source = CloudEventSource(Api(*events), ["dimo.status"], Downloader(**downloader))
    with ThreadPoolExecutor(1) as pool:
        visit = Visit(vehicle, pool, ahead=1, refresh=False, breaker=Breaker(vehicles=1))
        return list(source.pieces(visit, days))


def documents(*events: CloudEvent, **more) -> list[dict]:
    [piece] = pieces(*events, **more)
    assert piece.reason is None
    return [json.loads(event.payload) for event in piece.events]


def test_header_and_payload_become_one_document():
    [document] = documents(given())
    assert document == {
        "type": "dimo.status",
        "id": "one",
        "source": "0x1",
        "subject": "did:x",
        "time": "2026-01-05T12:00:00.000000Z",
        "data": {"speed": 42},
    }


def test_a_payload_in_base64_is_read_and_one_that_is_no_json_is_kept_as_it_is():
    as_json = base64.b64encode(b'{"speed": 43}').decode()
    binary = base64.b64encode(b"\x89PNG").decode()
    [document] = documents(given(data=None, data_base64=as_json))
    assert document["data"] == {"speed": 43}
    for body in (binary, "not base64!"):
        [document] = documents(given(data=None, data_base64=body))
        assert (document["data_base64"], "data" in document) == (body, False)


def test_an_event_without_a_payload_is_an_event_too():
    assert documents(given(data=None))[0]["data"] is None


@pytest.mark.parametrize("generation", ["D", "F", "G", "H"])
def test_a_payload_of_any_generation_makes_the_rows_it_makes_wherever_it_comes_from(generation):
    document, expected = GENERATIONS[generation]
    time_us = to_us(document["time"])
    data = encoded(document["data"])
    header = encoded({key: value for key, value in document.items() if key != "data"})
    key = ("dimo.status", document["id"], document["source"], "did:x", document["time"])
    [piece] = pieces(CloudEvent(key, time_us, header, data, None, None))
    assert sorted(map(repr, rows_of(flattened(piece.events[0].payload)))) == sorted(map(repr, expected))


def reaching(files):
    """What lets a link lead to the server of the test."""
    return {
        "allowed": lambda address: address == ip_address("127.0.0.1"),
        "resolve": lambda host, port: [ip_address("127.0.0.1")] if host == HOST else resolve(host, port),
        "tls": files.trust(),
    }


def test_a_payload_elsewhere_is_fetched_without_credentials(files):
    link = files.serve(f"/blob?{SIGNATURE}".partition("?")[0], b'{"speed": 44}') + f"?{SIGNATURE}"
    [document] = documents(given(data=None, data_url=link), **reaching(files))
    assert document["data"] == {"speed": 44}
    assert "authorization" not in files.headers[-1]


@pytest.mark.parametrize(
    ("link", "why"),
    [
        ("http://files.test/blob", "not https"),
        ("https://169.254.169.254/latest/meta-data", "not on the public internet"),
        ("https://127.0.0.1/blob", "not on the public internet"),
        ("https://user:secret@files.test/blob", "holds a user or a password"),
        ("file:///etc/passwd", "not an address that can be followed"),
    ],
)
def test_a_link_that_must_not_be_followed_leaves_the_day_open_and_the_others_held(link, why):
    [piece] = pieces(given("lost", data=None, data_url=f"{link}?{SIGNATURE}"), given("held"))
    assert [event.event_id for event in piece.events] == ["held"]
    assert why in piece.reason
    assert "5ecre7" not in piece.reason
    assert (piece.expected, piece.received) == (2, 1)


def test_a_payload_that_is_too_large_or_led_astray_leaves_the_day_open(files):
    large = files.serve("/large", b"x" * 2000)
    astray = files.redirect("/astray", "https://10.0.0.1/secret")
    files.answers["/gone"] = lambda to: begin(to, 403, **{"Content-Length": "0"})
    for link, why in ((large, "larger than 1,000 bytes"), (astray, "not on the public"), (files.url("/gone"), "403")):
        [piece] = pieces(given(data=None, data_url=link), max_bytes=1000, **reaching(files))
        assert (piece.events, why in piece.reason) == ((), True)


def test_an_event_stored_twice_is_held_once_and_counted_as_received_twice():
    [piece] = pieces(given(), given())
    assert [event.event_id for event in piece.events] == ["one"]
    assert (piece.expected, piece.received, piece.reason) == (1, 2, None)


def test_events_of_one_id_that_differ_otherwise_are_all_held():
    [piece] = pieces(
        given(), given(kind="dimo.events"), given(source="0x2"), given(us=NOON_US + 1), given(kind="dimo.fingerprint")
    )
    names = [event.event_id for event in piece.events]
    assert len(set(names)) == 5
    assert {"one", "one/dimo.events", "one/dimo.fingerprint"} <= set(names)


def test_each_event_belongs_to_the_day_it_was_received_on():
    days = [DAY, DAY + timedelta(days=1)]
    late = given("late", us=NOON_US + 86_400_000_000, data=b'{"timestamp":"2026-01-05T23:59:00Z"}')
    found = pieces(late, given("early"), days=days)
    assert [[event.event_id for event in piece.events] for piece in found] == [["late"], ["early"]]


def brought(store, *events: CloudEvent) -> dict[date, Coverage]:
    """What is held after one day was brought, by day."""
    source = CloudEventSource(Api(*events), ["dimo.status"], Downloader())
    Fetcher(store, source, concurrency=1, now=lambda: NOW).fetch([CAR], [DAY], refresh=True)
    return {day: find_unit(store, "4711", day).coverage for day in days_held(store)}


def test_what_came_late_is_held_with_the_day_it_is_of_whatever_is_known_of_that(tmp_path):
    day_before = b'{"timestamp":"2026-01-04T23:59:00Z"}'
    with Store(str(tmp_path)) as store:
        held = brought(store, given("late", data=day_before), given("own"))
        assert [(day.day, one.origin, one.complete, one.kept_events) for day, one in held.items()] == [
            (4, "late", None, 1),
            (5, "fetch", True, 1),
        ]
        assert (held[DAY].expected_events, held[DAY].received_events) == (1, 1)
        assert "not asked for" in held[DAY - timedelta(days=1)].reason
        assert brought(store, given("late", data=day_before), given("own")) == held


def test_a_clock_that_is_far_off_moves_no_event(tmp_path):
    with Store(str(tmp_path)) as store:
        held = brought(
            store,
            given("old", data=b'{"timestamp":"1970-01-01T00:00:07Z"}'),
            given("new", data=b'{"timestamp":"2038-01-19T03:14:07Z"}'),
        )
        assert [(day, one.kept_events) for day, one in held.items()] == [(DAY, 2)]


def test_a_vehicle_without_a_token_id_is_refused_with_advice():
    with pytest.raises(VehicleRefusedError, match="--source device-data"):
        pieces(vehicle=Vehicle("2testUserDevice000000000001", user_device_id="2testUserDevice000000000001"))


@pytest.fixture
def fetch(bench):
    """Brings vehicle-days from the sandbox through the Fetch API."""

    def fetch(vehicles, days=DAYS, *, types=("dimo.status",), refresh=False, progress=lambda _: None):
        settings = Settings.from_environment(bench.sandbox.environ)
        with Transport(concurrency=4, sleep=lambda _: None) as transport:
            tokens = VehicleTokens(transport, access_tokens(transport, settings), settings, purpose=RAW_EVENTS)
            source = CloudEventSource(FetchApi(transport, tokens, settings), types, Downloader())
            fetcher = Fetcher(bench.store, source, concurrency=4, now=lambda: NOW)
            done = fetcher.fetch(vehicles, days, refresh=refresh, progress=progress)
        return {(one.coverage.vehicle_id, one.coverage.date): one for one in done}

    return fetch


def sent(bench, vehicle: Vehicle, day: date) -> tuple[Counter[str], Counter[str]]:
    """The ids of a day's documents, also those that history cannot reach: received that day, and on later ones."""
    there = bench.sandbox.fleet.documents(vehicle.token_id, day)
    received = {one.doc_id: datetime.fromtimestamp(one.received_ms / 1000, UTC).date() for one in there}
    return (
        Counter(name for name, on in received.items() if on == day),
        Counter(name for name, on in received.items() if day < on <= DAYS[-1]),
    )


def assert_whole(bench, vehicles, done) -> None:
    for vehicle in vehicles:
        for day in DAYS:
            record = done[vehicle.vehicle_id, day].coverage
            same_day, late = sent(bench, vehicle, day)
            assert bench.held(vehicle.vehicle_id, day) == same_day + late
            assert (record.complete, record.reason) == (True, None)
            assert (record.expected_events, record.fetched_events) == (same_day.total(), same_day.total())
            assert find_unit(bench.store, vehicle.vehicle_id, day).coverage.by_origin == {
                name: count.total() for name, count in (("fetch", same_day), ("late", late)) if count
            }


def test_every_event_that_was_received_is_brought_and_proved_with_few_requests(bench, fetch):
    before = len(bench.sandbox.requests.below(FETCH))
    done = fetch([AUTOPI, LEXUS, V2])
    assert_whole(bench, [AUTOPI, LEXUS, V2], done)
    requests = len(bench.sandbox.requests.below(FETCH)) - before
    assert sum(one.coverage.requests for one in done.values()) == requests
    events = {vehicle: sum(done[vehicle, day].coverage.fetched_events for day in DAYS) for vehicle, _ in done}
    assert requests <= sum(count // 1000 + 1 for count in events.values()) + 1


def test_a_fetch_through_a_storm_equals_a_calm_one(bench, fetch):
    faults = bench.sandbox.faults
    faults.answer(429, times=2, at=FETCH, retry_after="1")
    faults.answer(500, times=3, at=FETCH)
    faults.reset(times=2, at=FETCH)
    faults.cut(times=2, at=FETCH)
    faults.drop_rows(3, times=2)
    expired = []

    def expire_once(_) -> None:
        if not expired:
            expired.append(True)
            faults.expire_tokens()

    done = fetch([AUTOPI, LEXUS], progress=expire_once)
    assert faults.pending == 0
    assert_whole(bench, [AUTOPI, LEXUS], done)


def test_a_service_in_a_hurry_gives_everything_in_shorter_windows(bench, fetch):
    bench.sandbox.faults.fetch_span = timedelta(hours=5)
    assert_whole(bench, [LEXUS], fetch([LEXUS]))


def test_a_day_the_service_cannot_answer_fails_alone_and_is_brought_by_the_next_fetch(bench, fetch):
    bench.sandbox.faults.break_day(5023, DAYS[0])
    done = fetch([LEXUS])
    assert [done["5023", day].outcome for day in DAYS] == [Outcome.FAILED, Outcome.COMPLETE]
    bench.sandbox.faults.heal_day(5023, DAYS[0])
    done = fetch([LEXUS])
    assert [done["5023", day].outcome for day in DAYS] == [Outcome.COMPLETE, Outcome.ALREADY_COMPLETE]


def test_a_vehicle_that_does_not_share_enough_is_refused_and_stops_no_other(bench, fetch):
    done = fetch([NON_LOCATION, LEXUS])
    record = done["8816", DAYS[0]].coverage
    assert (done["8816", DAYS[0]].outcome, record.privileges, record.origin) == (Outcome.REFUSED, (), "fetch")
    assert "raw data" in record.reason
    assert {done["5023", day].outcome for day in DAYS} == {Outcome.COMPLETE}


def test_privilege_7_alone_is_enough(bench, fetch):
    granted = bench.sandbox.fleet.vehicle(8816).granted
    bench.sandbox.fleet.share(8816, frozenset({7}))
    try:
        done = fetch([NON_LOCATION])
    finally:
        bench.sandbox.fleet.share(8816, granted)
    assert {(one.outcome, one.coverage.privileges) for one in done.values()} == {(Outcome.COMPLETE, (7,))}


def test_other_types_land_in_raw_beside_the_statuses(bench, fetch):
    fetch([AUTOPI], types=("dimo.status", "dimo.events"))
    held: Counter[str] = Counter()
    for day in DAYS:
        for _, events in events_of(bench.store, find_unit(bench.store, "4711", day)):
            held.update(json.loads(event.payload)["type"] for event in events)
    assert held["dimo.events"] > 0
    assert held["dimo.status"] == sum(count.total() for day in DAYS for count in sent(bench, AUTOPI, day))
