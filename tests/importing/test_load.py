"""Saved files become events of their vehicle-days: each once, none dropped, and nothing claimed that is not known."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, date, datetime

import pyarrow.parquet as pq
import pytest

from dimo_etl.config import Settings
from dimo_etl.connection import Connection
from dimo_etl.errors import InputError
from dimo_etl.history.fetch import Fetcher
from dimo_etl.importing import load as module
from dimo_etl.importing.load import import_file, paths_in
from dimo_etl.lake.commit import commit_import
from dimo_etl.lake.raw import days_held, events_of, find_unit, units_of
from dimo_etl.lake.signals import write_day
from dimo_etl.lake.store import Store
from dimo_etl.sandbox.server import SandboxServer
from tests import payloads
from tests.payloads import cloud_event, encoded

DAY, NOW = date(2026, 1, 5), datetime(2026, 1, 20, tzinfo=UTC)
SMARTCAR = 5023


class Lake:
    """A warehouse to import into."""

    def __init__(self, folder):
        self.folder = folder / "warehouse"
        self.store = Store(str(self.folder))
        self._inbox = folder

    def bring(self, content, vehicle_id=None, *, now=NOW, known_as=lambda name: name):
        path = self._inbox / "given.json"
        path.write_bytes(content if isinstance(content, bytes) else encoded(content))
        return import_file(
            self.store,
            path,
            called=path.name,
            vehicle_id=vehicle_id,
            known_as=known_as,
            now=now,
            progress=lambda _: None,
        )

    def held(self, vehicle_id="4711", day=DAY):
        unit = find_unit(self.store, vehicle_id, day)
        return [event for _, events in events_of(self.store, unit) for event in events]

    def record(self, vehicle_id="4711", day=DAY):
        return find_unit(self.store, vehicle_id, day).coverage

    def quarantine(self):
        files = sorted((self.folder / "quarantine").rglob("*.parquet"))
        return [row for file in files for row in pq.read_table(file, partitioning=None).to_pylist()]

    def digest(self):
        files = sorted(path for path in self.folder.rglob("*.parquet"))
        return {path: hashlib.sha256(path.read_bytes()).digest() for path in files}


@pytest.fixture
def lake(tmp_path):
    lake = Lake(tmp_path)
    yield lake
    lake.store.close()


def event(n, **changes):
    return cloud_event({"timestamp": f"2026-01-05T10:00:{n:02d}Z", "n": n}, **({"id": f"event-{n}"} | changes))


def response(documents, total, *, relation="eq", **changes):
    hits = [{"_index": "i", "_id": f"hit-{n}", "_source": document} for n, document in enumerate(documents)]
    counted = {"total": {"value": total, "relation": relation}, "max_score": 1.9, "hits": hits}
    return {"took": 12, "timed_out": False, "hits": counted} | changes


def test_eight_documents_of_which_three_are_distinct_are_three_events(lake):
    nameless = event(3, id=None)
    respelled = dict(reversed(nameless.items()))
    done = lake.bring([event(1), event(2), event(1), nameless, event(2), respelled, nameless, event(1)])
    assert (done.documents, done.new_events, done.repeated) == (8, 3, 5)
    assert len(lake.held()) == 3
    record = lake.record()
    assert (record.received_events, record.kept_events, record.duplicate_events) == (8, 3, 5)


def test_the_same_file_again_changes_no_byte(lake):
    content = [event(1), event(2, id=None), "rubbish", {"no": "vehicle"}]
    lake.bring(content)
    write_day(lake.store, DAY)
    before = lake.digest()
    done = lake.bring(content, now=datetime(2026, 2, 1, tzinfo=UTC))
    assert not write_day(lake.store, DAY).rewritten
    assert (done.new_events, done.days) == (0, set())
    assert lake.digest() == before


def test_events_keep_the_bytes_they_came_in(lake):
    text = b'{ "id":"1","vehicleTokenId":4711, "data": {"timestamp":1767607200500,"n":9007199254740993,"n":1e400} }'
    lake.bring(b"[\n" + text + b"\n]")
    assert [found.payload for found in lake.held()] == [text]


def test_a_response_with_7_of_1070_events_is_known_to_be_incomplete(lake):
    lake.bring(response([event(n) for n in range(7)], 1_070))
    record = lake.record()
    assert (record.complete, record.expected_events, record.fetched_events) == (False, 1_070, 7)
    assert record.reason == "the imported response holds 7 of 1070 events"


def test_a_response_that_stops_counting_is_known_to_be_incomplete(lake):
    lake.bring(response([event(n) for n in range(3)], 10_000, relation="gte"))
    record = lake.record()
    assert (record.complete, record.expected_events) == (False, None)
    assert "3 of at least 10000" in record.reason


def test_a_response_that_holds_all_it_counts_is_complete_for_its_window_which_nobody_knows(lake):
    lake.bring(response([event(n) for n in range(7)], 7))
    record = lake.record()
    assert (record.complete, record.expected_events, record.fetched_events) == (None, None, 7)


def test_a_search_that_timed_out_is_known_to_be_incomplete(lake):
    lake.bring(response([event(1)], 1, timed_out=True))
    assert lake.record().complete is False


def test_a_partial_response_over_two_days_makes_neither_complete_and_gives_neither_its_count(lake):
    other = cloud_event({"timestamp": "2026-01-06T10:00:00Z", "n": 1}, id="other")
    lake.bring(response([event(1), other], 1_070))
    records = [lake.record(day=day) for day in days_held(lake.store)]
    assert [(record.complete, record.expected_events) for record in records] == [(False, None), (False, None)]


def test_what_one_response_holds_is_not_counted_for_the_next(lake):
    whole, partial = response([event(1)], 1), response([event(2, vehicleTokenId=5)], 2)
    lake.bring(encoded(whole) + b"\n" + encoded(partial))
    assert [unit.coverage.complete for unit in units_of(lake.store, DAY)] == [None, False]


def test_what_a_partial_response_says_is_not_said_of_the_next(lake):
    partial, whole = response([event(1)], 1_070), response([event(2, vehicleTokenId=5)], 1)
    lake.bring(encoded(partial) + b"\n" + encoded(whole))
    assert [unit.coverage.complete for unit in units_of(lake.store, DAY)] == [False, None]


def test_a_hit_without_an_id_of_its_own_takes_that_of_the_index(lake):
    lake.bring(response([event(1, id=None)], 1))
    assert [found.event_id for found in lake.held()] == ["hit-0"]


def test_a_document_from_a_response_and_from_an_export_is_one_event(lake):
    lake.bring(response([event(1, id=None)], 1))
    done = lake.bring({"userDeviceId": "2testUserDevice000000000001", "data": [event(1, id=None)]})
    assert (done.new_events, len(lake.held())) == (0, 1)


def test_hits_a_line_each_are_unwrapped(lake):
    hits = [{"_index": "i", "_id": f"hit-{n}", "_source": event(n, id=None)} for n in range(2)]
    lake.bring(b"\n".join(map(encoded, hits)))
    assert sorted(found.event_id for found in lake.held()) == ["hit-0", "hit-1"]


def test_an_export_names_the_vehicle_of_documents_that_name_none(lake):
    documents = [event(1, subject=None, vehicleTokenId=None), event(2, subject=None, vehicleTokenId=None)]
    lake.bring({"userDeviceId": "2testUserDevice000000000001", "requestTimestamp": "t", "data": documents})
    assert len(lake.held("2testUserDevice000000000001")) == 2


def test_documents_of_an_export_that_name_no_vehicle_do_not_wait_for_its_end(lake, monkeypatch):
    monkeypatch.setattr(module, "_BATCH_BYTES", 1_000)
    documents = [event(n, subject=None, vehicleTokenId=None) for n in range(20)]
    text = encoded({"userDeviceId": "2testUserDevice000000000001", "requestTimestamp": "t", "data": documents})
    done = lake.bring(text[:-60])
    assert len(lake.held("2testUserDevice000000000001")) == done.new_events == 19
    assert "names no vehicle; say which with --vehicle" not in done.quarantined


def test_documents_wait_for_a_vehicle_named_at_the_end_only_as_long_as_memory_allows(lake, monkeypatch):
    documents = [event(n, subject=None, vehicleTokenId=None) for n in range(20)]
    content = {"data": documents, "userDeviceId": "2testUserDevice000000000001"}
    monkeypatch.setattr(module, "_BATCH_BYTES", 5_000)
    done = lake.bring(content)
    assert done.quarantined["names no vehicle; say which with --vehicle"] + done.new_events == 20 > done.new_events
    assert len(lake.quarantine()) == 20 - done.new_events
    assert lake.bring(content, "4711").new_events == 20


def test_days_of_an_ascending_file_are_committed_once_each_when_they_have_passed(lake, monkeypatch):
    monkeypatch.setattr(module, "_BATCH_BYTES", 20_000)
    committed = []

    def noted(store, vehicle, day, *rest):
        committed.append((vehicle, day))
        return commit_import(store, vehicle, day, *rest)

    monkeypatch.setattr(module, "commit_import", noted)
    moments = [f"2026-01-{day:02d}T{hour:02d}:00:00Z" for day in range(1, 21) for hour in range(0, 24, 3)]
    lake.bring([cloud_event({"timestamp": at}, id=f"{at}-{v}", vehicleTokenId=v) for at in moments for v in (1, 2)])
    assert len(committed) == len(set(committed)) == 40


def test_an_export_says_why_its_days_are_not_proved(lake):
    lake.bring({"userDeviceId": "2testUserDevice000000000001", "requestTimestamp": "t", "data": [event(1)]})
    record = lake.record()
    assert record.complete is None
    assert record.reason == "imported from an export, which can lack documents of one time and so proves no day"


def test_an_export_as_go_writes_it_holds_the_events_of_history(lake):
    """Keys sorted, `<>&` escaped, doubled keys as one, whole numbers without a point."""
    given = b'{"vehicleTokenId":4711,"time":"2026-01-05T10:00:00Z","data":{"b":"<&>","a":1,"a":2.0}}'
    anew = rb'{"data":{"a":2,"b":"\u003c\u0026\u003e"},"time":"2026-01-05T10:00:00Z","vehicleTokenId":4711}'
    lake.bring(given)
    assert lake.bring(b'{"userDeviceId":"x","requestTimestamp":"t","data":[' + anew + b",]}").repeated == 1


def test_an_export_that_names_no_sound_vehicle_gives_its_documents_to_quarantine(lake):
    done = lake.bring({"userDeviceId": "../../etc", "data": [event(1, subject=None, vehicleTokenId=None)]})
    assert dict(done.quarantined) == {"names no vehicle; say which with --vehicle": 1}
    assert not days_held(lake.store)


def test_a_user_device_id_becomes_the_vehicle_id_it_is_known_by(lake):
    alias = {"2testUserDevice000000000001": "4711"}
    lake.bring([event(1, vehicleTokenId=None)], known_as=lambda name: alias.get(name, name))
    assert len(lake.held("4711")) == 1


def test_the_vehicle_can_be_given_for_documents_that_name_none_or_another(lake):
    lake.bring([event(1, subject=None, vehicleTokenId=None), event(2, vehicleTokenId=9)], "4711")
    assert len(lake.held("4711")) == 2


def test_a_status_raw_is_an_event_of_the_given_vehicle(lake):
    lake.bring(payloads.E, "4711")
    (found,) = lake.held()
    assert found.event_id.startswith("content-")
    day = write_day(lake.store, DAY)
    assert (day.rows, day.coverage[0].kept_events) == (len(payloads.E_ROWS), 1)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (cloud_event({"n": 1}, subject=None, vehicleTokenId=None), "names no vehicle; say which with --vehicle"),
        (payloads.E, "names no vehicle; say which with --vehicle"),
        (cloud_event({"n": 1}, subject="../x", vehicleTokenId=None), "names no vehicle; say which with --vehicle"),
        (cloud_event({"n": 1}, time=None), "has no readable time, neither `data.timestamp` nor `time`"),
        (cloud_event({"n": 1}, time="soon"), "has no readable time, neither `data.timestamp` nor `time`"),
        (b'[{"id":NaN}]', "not JSON: NaN is not a number"),
        (b"[[1]]", "not a JSON object"),
        (b'{"id":"1"}\nhello\n', "what is no JSON value, or ends before it is whole"),
        (b'[{"id":"1"}, {"id":"2"', "what is no JSON value, or ends before it is whole"),
    ],
)
def test_what_cannot_be_placed_lies_in_quarantine_whole_with_its_reason(lake, content, reason):
    done = lake.bring(content)
    text = content if isinstance(content, bytes) else encoded(content)
    rows = [row for row in lake.quarantine() if row["reason"] == reason]
    assert done.quarantined[reason] == len(rows) == 1
    assert rows[0]["payload"].strip() in text
    assert len(lake.quarantine()) == sum(done.quarantined.values())


def test_every_document_is_new_repeated_or_in_quarantine(lake):
    odd = [cloud_event({"n": 1}, time=None), cloud_event({"n": 2}, subject=None, vehicleTokenId=None), [1]]
    done = lake.bring([event(1), event(1), event(2), *odd])
    assert done.documents == done.new_events + done.repeated + sum(done.quarantined.values()) == 6


def test_a_document_with_an_id_that_cannot_be_written_does_not_stop_the_others(lake):
    strange = json.dumps(event(2) | {"id": "\ud800"}).encode()
    done = lake.bring(b"[%s,%s]" % (strange, encoded(event(1))), "4711")
    assert done.new_events == 2
    day = write_day(lake.store, DAY)
    assert (day.coverage[0].kept_events, day.coverage[0].quarantined_events) == (1, 1)


def test_a_file_is_committed_piece_by_piece_and_comes_out_the_same(lake, tmp_path, monkeypatch):
    documents = [event(n, vehicleTokenId=4711 + n % 2) for n in range(40)]
    lake.bring(documents)
    whole = [[found.payload for found in lake.held(vehicle)] for vehicle in ("4711", "4712")]
    monkeypatch.setattr(module, "_BATCH_BYTES", 1_000)
    (tmp_path / "pieces").mkdir()
    pieces = Lake(tmp_path / "pieces")
    done = pieces.bring(documents)
    assert (done.new_events, done.repeated) == (40, 0)
    assert [[found.payload for found in pieces.held(vehicle)] for vehicle in ("4711", "4712")] == whole


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n\x00\x00", b"hello"])
def test_a_file_without_documents_is_refused(lake, content):
    with pytest.raises(InputError, match=r"given\.json holds no JSON documents; give history responses"):
        lake.bring(content)
    assert lake.digest() == {}


def test_a_large_file_without_documents_is_refused_before_it_is_read_to_its_end(lake, monkeypatch):
    monkeypatch.setattr(module, "_BATCH_BYTES", 1 << 20)
    with pytest.raises(InputError, match="holds no JSON documents"):
        lake.bring(b"a line of a log\n" * 400_000 + encoded(event(1)))
    assert lake.digest() == {}


def test_rubbish_after_documents_is_committed_piece_by_piece(lake, monkeypatch):
    monkeypatch.setattr(module, "_BATCH_BYTES", 200)
    done = lake.bring(encoded(event(1)) + b"".join(b"\nline %d of a log" % n for n in range(100)))
    assert done.new_events == 1
    assert len(lake.quarantine()) == sum(done.quarantined.values()) == 100
    assert len(list((lake.folder / "quarantine").rglob("*.parquet"))) > 5


def test_a_folder_stands_for_the_json_files_in_it(tmp_path):
    for name in ("b.json", "a.ndjson", "c.jsonl", "d.txt", "e.json.gz"):
        (tmp_path / name).write_bytes(b"{}")
    assert [path.name for path in paths_in([tmp_path])] == ["a.ndjson", "b.json", "c.jsonl"]


def test_a_file_that_is_not_there_and_a_folder_without_json_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"There is no file .*nowhere\.json"):
        list(paths_in([tmp_path / "nowhere.json"]))
    with pytest.raises(InputError, match="holds no"):
        list(paths_in([tmp_path]))


@pytest.fixture(scope="module")
def sandbox():
    with SandboxServer(port=0, today=date(2026, 1, 15)) as server:
        yield server


def fetch(lake, sandbox):
    settings = Settings.from_environment(sandbox.environ | {"DIMO_WAREHOUSE": str(lake.folder)})
    with Connection(settings) as connection:
        vehicles = [vehicle for vehicle in connection.vehicles() if vehicle.token_id == SMARTCAR]
        fetcher = Fetcher(lake.store, connection.source(), concurrency=2, now=lambda: NOW)
        (done,) = fetcher.fetch(vehicles, [DAY], refresh=True)
    return done.coverage


def test_imported_then_fetched_each_event_is_there_once(lake, sandbox):
    exported = sandbox.fleet.events(SMARTCAR, DAY)
    lake.bring({"userDeviceId": "x", "data": exported}, str(SMARTCAR))
    record = fetch(lake, sandbox)
    ids = [found.event_id for found in lake.held(str(SMARTCAR))]
    assert sorted(ids) == sorted({document["id"] for document in exported})
    assert (record.complete, record.origin) == (True, "device-data+import")
    assert record.fetched_events == len(sandbox.fleet.reachable(SMARTCAR, DAY))
    assert record.imported_events == len(exported) - record.fetched_events > 0


def test_a_proved_day_says_how_many_of_its_events_history_cannot_give(lake, sandbox):
    fetch(lake, sandbox)
    exported = sandbox.fleet.events(SMARTCAR, DAY)
    lake.bring({"userDeviceId": "x", "data": exported}, str(SMARTCAR))
    (record,) = write_day(lake.store, DAY).coverage
    beyond = [one for one in exported if not {"odometer", "latitude"} & one["data"].keys()]
    assert record.complete is True
    assert record.beyond_history_events == record.imported_events == len(beyond) > 0


def test_fetched_then_imported_each_event_is_there_once_and_the_proof_stays(lake, sandbox):
    fetched = fetch(lake, sandbox)
    exported = sandbox.fleet.events(SMARTCAR, DAY)
    done = lake.bring({"userDeviceId": "x", "data": exported}, str(SMARTCAR))
    record = lake.record(str(SMARTCAR))
    assert done.new_events == len(exported) - fetched.fetched_events > 0
    assert len(lake.held(str(SMARTCAR))) == len(exported)
    assert (record.complete, record.expected_events) == (True, fetched.expected_events)
    assert (record.fetched_events, record.imported_events) == (fetched.fetched_events, done.new_events)
