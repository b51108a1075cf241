"""Signals of snapshots in the lake: each value once, whichever way it came first, and the accounts in order."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import orjson
import pyarrow.parquet as pq
import pytest

from dimo_etl.api.status import Endpoint
from dimo_etl.coverage import Coverage
from dimo_etl.errors import WarehouseError
from dimo_etl.events import read_event
from dimo_etl.lake import layout
from dimo_etl.lake.audit import audit_day
from dimo_etl.lake.commit import commit_snapshot
from dimo_etl.lake.raw import find_unit
from dimo_etl.lake.signals import write_day
from dimo_etl.lake.snapshots import Sighting, add_sightings, read_sightings
from dimo_etl.lake.store import Store
from dimo_etl.model import Event
from dimo_etl.snapshots.read import read_answer
from tests.lake.make import DAY, LATER, NOW, fetched, imported

VEHICLE = "4711"
SOURCE = "dimo/integration/27qft"


@pytest.fixture
def store(tmp_path: Path):
    with Store(str(tmp_path / "lake")) as store:
        yield store


def at(clock: str, day: date = DAY) -> str:
    return f"{day}T{clock}Z"


def shown(*, time: str = "08:15:02", day: date = DAY, **values: object) -> list[Event]:
    """The signals of a raw status in which all values have one time."""
    stamp = at(time, day)
    body = {name: {"value": value, "source": SOURCE, "timestamp": stamp} for name, value in values.items()}
    return list(read_answer(VEHICLE, Endpoint.RAW, orjson.dumps(body)).events)


def sent(*, measured: str = "08:15:00.25", time: str = "08:15:02.75", **values: object) -> Event:
    """A document of history, measured and sent at two times."""
    head = {"id": f"document-{measured}", "source": SOURCE, "time": time if "T" in time else at(time)}
    return read_event(orjson.dumps({**head, "data": {"timestamp": at(measured), **values}}))


def snapshot(store: Store, signals: list[Event], day: date = DAY) -> int:
    return commit_snapshot(store, VEHICLE, day, signals, NOW)


def rows(store: Store, day: date = DAY) -> dict[str, list[object]]:
    """The values of each name that a query sees on a day, but for the documents' own times."""
    write_day(store, day)
    assert audit_day(store, day) == []
    found: dict[str, list[object]] = {}
    with store.open(layout.signals_file(day)) as file:
        for row in pq.read_table(file).to_pylist():
            values = [row[key] for key in ("value_number", "value_string", "value_boolean", "value_json")]
            found.setdefault(row["name"], []).extend(value for value in values if value is not None)
    found.pop("timestamp", None)
    return found


def record(store: Store, day: date = DAY) -> Coverage:
    written = write_day(store, day)
    assert written is not None
    (one,) = written.coverage
    assert one.received_events == one.kept_events + one.duplicate_events + one.quarantined_events
    assert one.duplicate_events >= 0
    return one


def test_each_signal_has_its_own_time_and_source(store):
    snapshot(store, shown(odometer=48210.4, tires={"frontLeft": 230}))
    write_day(store, DAY)
    with store.open(layout.signals_file(DAY)) as file:
        found = {row["name"]: row for row in pq.read_table(file).to_pylist()}
    assert set(found) == {"odometer", "tires.frontLeft"}
    assert found["odometer"]["timestamp"] == datetime(2026, 1, 5, 8, 15, 2, tzinfo=UTC)
    assert found["odometer"]["source"] == SOURCE


def test_a_repeated_snapshot_adds_only_what_is_new(store):
    assert snapshot(store, shown(odometer=48210.4, speed=50)) == 2
    before = find_unit(store, VEHICLE, DAY)
    assert snapshot(store, shown(odometer=48210.4, speed=50)) == 0
    assert find_unit(store, VEHICLE, DAY) == before
    assert snapshot(store, shown(odometer=48210.4) + shown(speed=51, time="08:15:03")) == 1
    assert rows(store) == {"odometer": [48210.4], "speed": [50.0, 51.0]}


def test_the_same_value_at_another_time_is_another_signal(store):
    snapshot(store, shown(speed=50))
    assert snapshot(store, shown(speed=50, time="08:15:03")) == 1


def test_a_snapshot_does_not_double_what_history_gave_before(store):
    fetched(store, [sent(odometer=48210.4, speed=50)])
    before = find_unit(store, VEHICLE, DAY)
    assert snapshot(store, shown(odometer=48210.4, speed=50)) == 0
    assert find_unit(store, VEHICLE, DAY) == before


def test_history_that_comes_later_takes_the_place_of_a_snapshots_signals(store):
    snapshot(store, shown(odometer=48210.4, engineSpeed=900))
    fetched(store, [sent(odometer=48210.4)])
    assert rows(store) == {"odometer": [48210.4], "engineSpeed": [900.0]}
    one = record(store)
    assert (one.origin, one.fetched_events, one.snapshot_events) == ("device-data+snapshot", 1, 1)
    assert (one.received_events, one.kept_events, one.duplicate_events) == (3, 2, 1)


def test_history_that_measured_the_value_in_that_second_gave_it_too(store):
    fetched(store, [sent(measured="08:15:02.9", time="08:15:04", speed=50)])
    assert snapshot(store, shown(speed=50)) == 0


def test_what_history_gave_twice_in_that_second_is_no_less_given(store):
    fetched(store, [sent(speed=50), sent(measured="08:15:00.75", speed=50), sent(measured="08:15:02", speed=50)])
    assert snapshot(store, shown(speed=50)) == 0


def test_another_value_or_another_second_is_not_what_history_gave(store):
    fetched(store, [sent(speed=50), sent(measured="09:00:00", time="09:00:01", soc=0.5)])
    assert snapshot(store, shown(speed=51, soc=0.5)) == 2
    assert rows(store) == {"speed": [50.0, 51.0], "soc": [0.5, 0.5]}


def test_a_true_is_not_a_one(store):
    fetched(store, [sent(charging=1)])
    assert snapshot(store, shown(charging=True)) == 1


def test_an_array_is_compared_by_content_and_not_by_the_order_of_keys(store):
    fetched(store, [sent(errors=[{"type": "tires", "errorCode": 502}])])
    assert snapshot(store, shown(errors=[{"errorCode": 502, "type": "tires"}])) == 0


def test_a_signal_of_several_leaves_is_given_only_when_all_of_them_are(store):
    fetched(store, [sent(tires={"frontLeft": 230})])
    assert snapshot(store, shown(tires={"frontLeft": 230, "frontRight": 231})) == 1


def test_what_history_hides_comes_by_snapshot(store):
    """History deletes an invalid odometer; a raw status keeps it."""
    fetched(store, [sent(speed=50)])
    assert snapshot(store, shown(speed=50, odometer=65538)) == 1
    assert rows(store) == {"speed": [50.0], "odometer": [65538.0]}


def test_a_document_measured_before_midnight_and_sent_after_it_is_not_doubled_on_the_next_day(store):
    tomorrow = DAY + timedelta(days=1)
    fetched(store, [sent(measured="23:59:59.5", time=at("00:00:01.2", tomorrow), speed=50)])
    assert snapshot(store, shown(speed=50, time="00:00:01", day=tomorrow), tomorrow) == 0


def test_yesterdays_history_that_comes_later_takes_the_place_of_a_signal_seen_after_midnight(store):
    tomorrow = DAY + timedelta(days=1)
    snapshot(store, shown(speed=50, soc=0.5, time="00:00:01", day=tomorrow), tomorrow)
    assert rows(store, tomorrow) == {"speed": [50.0], "soc": [0.5]}
    fetched(store, [sent(measured="23:59:59.5", time=at("00:00:01.2", tomorrow), speed=50)])
    assert rows(store, tomorrow) == {"soc": [0.5]}


def test_a_day_that_has_only_snapshots_is_unknown_with_a_reason(store):
    snapshot(store, shown(speed=50))
    one = record(store)
    assert (one.origin, one.complete, one.expected_events, one.fetched_events) == ("snapshot", None, None, 0)
    assert one.reason == "only snapshots are held; the history of the day was not asked for"


def test_a_proved_day_stays_proved_and_its_proof_untouched_when_a_snapshot_adds_to_it(store):
    proved = fetched(store, [sent(speed=50), sent(speed=50)])
    snapshot(store, shown(engineSpeed=900))
    one = record(store)
    assert (one.received_events, one.duplicate_events) == (3, 1)
    assert (one.complete, one.fetched_at, one.expected_events) == (True, proved.fetched_at, 1)
    assert (one.fetched_events, one.snapshot_events, one.kept_events) == (1, 1, 2)


def test_a_proved_fetch_and_a_refresh_keep_what_only_a_snapshot_gave(store):
    snapshot(store, shown(engineSpeed=900))
    for _ in range(2):
        fetched(store, [sent(speed=50)])
        assert rows(store) == {"speed": [50.0], "engineSpeed": [900.0]}


def test_a_fetch_that_fails_keeps_the_signals_and_says_why_the_day_is_open(store):
    snapshot(store, shown(engineSpeed=900))
    fetched(store, [], complete=False, reason="refused", expected_events=None)
    assert rows(store) == {"engineSpeed": [900.0]}
    assert (record(store).complete, record(store).reason) == (False, "refused")


def test_an_import_into_a_day_of_snapshots_is_an_import(store):
    snapshot(store, shown(speed=50, engineSpeed=900))
    imported(store, [sent(speed=50)], reason="from a file")
    one = record(store)
    assert (one.origin, one.imported_events, one.fetched_events) == ("import+snapshot", 1, 1)
    assert one.reason == "from a file"
    assert rows(store) == {"speed": [50.0], "engineSpeed": [900.0]}


def test_the_same_raw_units_give_the_same_bytes(store, tmp_path):
    def made(root: Path) -> bytes:
        with Store(str(root)) as other:
            snapshot(other, shown(speed=50, engineSpeed=900))
            fetched(other, [sent(speed=50)])
            write_day(other, DAY)
            return (root / layout.signals_file(DAY)).read_bytes()

    assert made(tmp_path / "a") == made(tmp_path / "b")


def sighting(payload: bytes | None, **known: object) -> Sighting:
    fields: dict = {"vehicle_id": VEHICLE, "seen_at": NOW, "endpoint": "v1/status-raw", "signals": 1, "new_signals": 1}
    return Sighting(**(fields | {"newest_at": NOW, "payload": payload} | known))


def test_an_answer_is_kept_byte_for_byte_beside_those_before_it(store):
    first, second = sighting(b'{"odo":  1.50}'), sighting(None, seen_at=LATER, newest_at=None)
    add_sightings(store, VEHICLE, DAY, [first])
    add_sightings(store, VEHICLE, DAY, [second])
    assert read_sightings(store, VEHICLE, DAY) == [first, second]


def test_an_answer_that_comes_again_and_again_takes_hardly_any_room(store, tmp_path):
    answer = orjson.dumps({f"signal{number}": number * 7919 % 104729 for number in range(2_000)})
    add_sightings(store, VEHICLE, DAY, [sighting(answer)])
    file = tmp_path / "lake" / layout.snapshots_file(VEHICLE, DAY)
    once = file.stat().st_size
    add_sightings(store, VEHICLE, DAY, [sighting(answer)] * 99)
    assert file.stat().st_size < once + 1_000


def test_a_damaged_file_is_named_with_what_to_do(store, tmp_path):
    add_sightings(store, VEHICLE, DAY, [sighting(b"{}")])
    (tmp_path / "lake" / layout.snapshots_file(VEHICLE, DAY)).write_bytes(b"PAR1 not really PAR1")
    with pytest.raises(WarehouseError, match=r"snapshots/date=2026-01-05/4711\.parquet is damaged .*verify --repair"):
        add_sightings(store, VEHICLE, DAY, [sighting(b"{}")])
