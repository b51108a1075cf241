"""The other views: values, errors, coverage, vehicles, status, quarantine; in any session and on empty lakes."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dimo_etl.lake.store import Store
from dimo_etl.lake.vehicles import Listing, add_vehicles
from dimo_etl.model import Vehicle
from dimo_etl.warehouse import View, views
from tests.warehouse.lake import START, ZONES, at

ERROR = {
    "type": "tires/pressure",
    "errorCode": 502,
    "errorType": "UPSTREAM",
    "description": "no answer",
    "resolution": {"type": "RETRY_LATER", "url": "https://example.com/502"},
}
PROMISED = {
    "signals": "vehicle_id timestamp name value_number value_string value_boolean value_json source event_id "
    "received_at date",
    "latest": "vehicle_id name timestamp value_number value_string value_boolean value_json source",
    "odometer": "vehicle_id timestamp odometer_km is_valid reason",
    "odometer_daily": "vehicle_id date first_km last_km min_km max_km readings",
    "distance_daily": "vehicle_id date distance_km",
    "distance_driven": "vehicle_id distance_km distance_robust_km",
    "errors": "vehicle_id timestamp type error_code error_type resolution description source",
    "errors_daily": "vehicle_id date type error_type error_code errors events error_rate",
    "coverage": "vehicle_id date expected_events fetched_events complete requests fetched_at",
    "vehicles": "vehicle_id token_id user_device_id make model year",
}


def columns(lake, name):
    return [row[0] for row in lake.query(f"DESCRIBE FROM {name}")]


def test_the_promised_columns_come_first_and_in_order(lake):
    lake.write()
    for name, promised in PROMISED.items():
        assert columns(lake, name)[: len(promised.split())] == promised.split()


def test_the_header_of_a_view_names_its_columns_and_no_others(lake):
    lake.write()
    for view in views():
        assert [column.name for column in view.columns] == [row[0] for row in lake.query(f"DESCRIBE {view.example}")]
        assert all(column.description for column in view.columns)


def test_a_view_has_the_same_columns_and_types_with_files_as_without(lake):
    lake.write()
    empty = {view.name: lake.query(f"DESCRIBE {view.example}") for view in views()}
    lake.odometer("1", [10_000])
    lake.see("1", START)
    lake.write()
    assert {view.name: lake.query(f"DESCRIBE {view.example}") for view in views()} == empty


def test_every_view_answers_alike_in_every_zone(lake):
    lake.odometer("1", [10_000, 10_001, 3, 90_000, 10_002], start=at("2026-03-28T22:30"), minutes=30)
    lake.add("1", at("2026-03-28T23:30"), "errors", json=json.dumps([ERROR]))
    lake.add("1", at("2026-03-28T23:30"), "events", json='[{"name": "x", "timestamp": "2026-03-28T23:30:01"}]')
    for second in range(0, 1200, 60):
        lake.add("1", at("2026-03-28T23:50") + timedelta(seconds=second), "speed", 50)
        lake.add("1", at("2026-03-28T23:50") + timedelta(minutes=second), "soc", 40 + second / 60)
        lake.add("1", at("2026-03-28T23:50") + timedelta(minutes=second), "fuelLevel", 90 if second > 600 else 20)
    lake.add("1", at("2026-03-28T23:30"), "location", json='[{"lat": 525163000, "ts": 1774740600}]')
    lake.add("1", at("2026-03-28T23:30"), "signals.95", "2a")
    lake.cover("1", "2026-03-28")
    lake.cover("1", "2026-03-29", complete=None, expected_events=None)
    lake.say("1", 2, at("2026-03-30T05:00"))
    lake.say("1", 4, at("2026-03-30T05:00"), "Europe/Berlin", "2026-03-31")
    lake.see("1", at("2026-03-28T22:30"))
    seen = {"name": "x", "numberOfEvents": 2, "firstSeen": "2026-03-28T23:30:01Z", "lastSeen": "2026-03-29T00:30:01Z"}
    summary = json.dumps({"eventDataSummary": [seen]}).encode()
    lake.see("1", at("2026-03-29T22:30"), summary, endpoint="telemetry/dataSummary")
    lake.write()

    def answer(view: View, zone: str) -> list:
        clocked = {"status": "age_seconds", "freshness": "silent_s"}
        what = f"* EXCLUDE ({clocked[view.name]})" if view.name in clocked else "*"
        rows = lake.query(f"SELECT {what} {view.example}", zone)
        utc = [[value.astimezone(UTC) if isinstance(value, datetime) else value for value in row] for row in rows]
        return sorted(map(repr, utc))

    for view in views():
        expected = answer(view, "UTC")
        assert expected or view.name == "quarantine"
        assert [answer(view, zone) for zone in ZONES[1:]] == [expected] * (len(ZONES) - 1)


def test_latest_is_the_newest_by_measurement_then_by_receipt_then_by_id(lake):
    late = START + timedelta(hours=5)
    lake.add("1", START, "speed", 1, received_at=late + timedelta(days=1))
    lake.add("1", late, "speed", 2, received_at=late, event_id="z")
    lake.add("1", late, "speed", 3, received_at=late + timedelta(seconds=1), event_id="a")
    lake.add("1", late, "speed", 4, received_at=late + timedelta(seconds=1), event_id="b")
    lake.add("1", START, "speed", "text", received_at=late)
    lake.add("2", START, "speed", 9)
    lake.write()
    assert lake.query("SELECT vehicle_id, value_number FROM latest ORDER BY 1") == [("1", 4), ("2", 9)]


def test_latest_is_a_value_seen_by_snapshot_where_that_is_the_newest(lake):
    lake.add("1", START, "speed", 1, received_at=START + timedelta(days=1))
    lake.add("1", START + timedelta(seconds=1), "speed", 2)
    lake.rows[-1]["received_at"] = None
    lake.write()
    assert lake.query("SELECT value_number, received_at FROM latest") == [(2, None)]


def test_snapshots_say_what_was_seen_when(lake):
    noon = at("2026-01-05T12:00")
    lake.see("1", noon, b'{"speed":1}', signals=3, new_signals=2, newest_at=START)
    lake.see("1", noon + timedelta(hours=1), None, endpoint="v1/status", signals=0, newest_at=None)
    lake.write()
    assert lake.query("SELECT * EXCLUDE (seen_at, newest_at, date) FROM snapshots ORDER BY seen_at") == [
        ("1", "v1/status-raw", 3, 2, '{"speed":1}'),
        ("1", "v1/status", 0, 0, None),
    ]
    assert lake.query("SELECT seen_at - newest_at, date FROM snapshots WHERE newest_at IS NOT NULL") == [
        (noon - START, noon.date())
    ]


def test_what_was_seen_under_a_device_id_stands_under_the_token_id_once_that_is_known(lake):
    device = "2" * 27
    lake.see(device, START)
    lake.see("4711", START + timedelta(hours=1))
    lake.write()
    with Store(str(lake.root)) as store:
        add_vehicles(store, [Vehicle("4711", 4711, device)])
    assert lake.query("SELECT vehicle_id FROM snapshots") == [("4711",), ("4711",)]


def test_what_only_a_snapshot_gave_is_no_document_of_the_error_rate(lake):
    lake.add("1", START, "errors", json=json.dumps([ERROR]))
    lake.cover("1", f"{START:%Y-%m-%d}", kept_events=5, snapshot_events=3)
    lake.write()
    assert lake.query("SELECT errors, events, error_rate FROM errors_daily") == [(1, 2, 0.5)]


def test_each_error_of_an_array_is_a_row_with_its_parts(lake):
    second = {"type": "charge", "errorCode": "VEHICLE_ASLEEP", "resolution": "WAIT"}
    lake.add("1", START, "errors", json=json.dumps([ERROR, second]), source="smartcar")
    lake.write()
    assert lake.query(
        "SELECT type, error_code, error_type, resolution, description, source FROM errors ORDER BY type DESC"
    ) == [
        ("tires/pressure", "502", "UPSTREAM", "RETRY_LATER", "no answer", "smartcar"),
        ("charge", "VEHICLE_ASLEEP", None, "WAIT", None, "smartcar"),
    ]


def test_an_error_outside_an_array_is_one_error_and_a_text_is_its_description(lake):
    lake.add("1", START, "errors", json=json.dumps(ERROR))
    lake.add("1", START, "errors", "engine light")
    lake.write()
    assert lake.query("SELECT error_code, description FROM errors ORDER BY 2") == [
        (None, "engine light"),
        ("502", "no answer"),
    ]


def test_shapes_that_hold_no_error_are_none_and_never_fail(lake):
    for shape in ("[]", "null", "[null, 3, [1], true]", "{broken", "", '{"a":', "12", "[[{}]]", "\x00"):
        lake.add("1", START, "errors", json=shape)
    lake.write()
    assert lake.query("FROM errors") == []


def test_odd_parts_of_an_error_do_not_fail(lake):
    odd = [{"type": {"a": [1]}}, {"resolution": [1]}, {"resolution": 5}, {"errorCode": None}]
    lake.add("1", START, "errors", json=json.dumps(odd))
    lake.write()
    assert lake.query("SELECT count(*), count(resolution) FROM errors") == [(4, 0)]


def test_the_error_rate_is_errors_for_each_event_of_the_day_and_a_day_without_errors_is_a_zero(lake):
    for minute in range(3):
        lake.add("1", START + timedelta(minutes=minute), "errors", json=json.dumps([ERROR]))
    lake.cover("1", "2026-01-05", kept_events=12)
    lake.cover("1", "2026-01-07", kept_events=4)
    lake.write()
    assert lake.query("FROM errors_daily ORDER BY date") == [
        ("1", date(2026, 1, 5), "tires/pressure", "UPSTREAM", "502", 3, 12, 0.25),
        ("1", date(2026, 1, 6), None, None, None, 0, 0, None),
        ("1", date(2026, 1, 7), None, None, None, 0, 4, 0),
    ]


def test_coverage_is_a_calendar_that_tells_complete_from_incomplete_from_unknown_from_never_asked(lake):
    made = at("2026-01-08T09:10:11")
    lake.cover("1", "2026-01-05", expected_events=7, fetched_events=7, requests=2, fetched_at=made, privileges=(1, 4))
    lake.cover("1", "2026-01-06", complete=False, reason="sampled", expected_events=1500, fetched_events=1000)
    lake.cover("2", "2026-01-08", complete=None, expected_events=None, origin="import")
    lake.write()
    with Store(str(lake.root)) as store:
        add_vehicles(store, [Vehicle("1", 1), Vehicle("3", 3)])
    never = (None, 0, None, "It was never asked for.", "never_asked")
    assert lake.query(
        "SELECT vehicle_id, day(date), expected_events, fetched_events, complete, reason, state "
        "FROM coverage ORDER BY vehicle_id, date"
    ) == [
        ("1", 5, 7, 7, True, None, "complete"),
        ("1", 6, 1500, 1000, False, "sampled", "incomplete"),
        ("1", 7, *never),
        ("1", 8, *never),
        ("2", 5, *never),
        ("2", 6, *never),
        ("2", 7, *never),
        ("2", 8, None, 1, None, None, "unknown"),
        ("3", 5, *never),
        ("3", 6, *never),
        ("3", 7, *never),
        ("3", 8, *never),
    ]
    assert lake.query("SELECT epoch(fetched_at), requests, privileges FROM coverage WHERE requests > 0") == [
        (made.timestamp(), 2, [1, 4])
    ]
    adds_up = "received_events = kept_events + duplicate_events + quarantined_events"
    assert lake.query(f"SELECT count(*) FROM coverage WHERE state = 'never_asked' AND {adds_up}") == [(9,)]


def test_vehicles_are_those_listed_and_those_with_a_day_described_by_the_listing_then_by_themselves(lake):
    listed = pa.table(
        {
            "vehicle_id": ["4711"],
            "token_id": pa.array([4711], pa.int64()),
            "user_device_id": pa.array([None], pa.string()),
            "make": ["Ford"],
            "model": pa.array([None], pa.string()),
            "year": pa.array([None], pa.int32()),
        }
    )
    device = "2" * 27
    lake.cover("4711", "2026-01-05")
    lake.cover(device, "2026-01-05")
    lake.add("4711", START, "make", "Opel")
    lake.add("4711", START, "model", "Fiesta")
    lake.add("4711", START + timedelta(hours=1), "model", "Focus")
    lake.add("4711", START, "year", 2018)
    lake.add(device, START, "year", "2020")
    lake.write()
    pq.write_table(listed, lake.root / "vehicles.parquet")
    assert lake.query(f"SELECT {PROMISED['vehicles'].replace(' ', ', ')} FROM vehicles ORDER BY token_id") == [
        ("4711", 4711, None, "Ford", "Focus", 2018),
        (device, None, device, None, None, 2020),
    ]


def test_a_vehicle_shows_whence_and_when_its_events_are_as_the_coverage_records_say(lake):
    lake.cover("1", "2026-01-05", sources=("b",), first_event_at=at("2026-01-05T08:00"), last_event_at=START)
    lake.cover("1", "2026-01-06", sources=())
    lake.cover("1", "2026-01-07", sources=("a", "b"), first_event_at=START, last_event_at=at("2026-01-07T09:00"))
    lake.write()
    assert lake.query("SELECT integrations, epoch(first_event), epoch(last_event), shared_now FROM vehicles") == [
        (["a", "b"], at("2026-01-05T08:00").timestamp(), at("2026-01-07T09:00").timestamp(), None)
    ]


def test_a_listing_shows_permissions_and_for_how_long_a_vehicle_was_shared(lake):
    lake.write()
    first, last = at("2026-01-05T06:00"), at("2026-01-06T06:00")
    with Store(str(lake.root)) as store:
        seen = [Vehicle("1", token_id=1), Vehicle("2", token_id=2)]
        add_vehicles(store, seen, Listing(first, {"1": frozenset({4, 1})}))
        add_vehicles(store, [], Listing(last, {"2": frozenset()}))
    shared = "SELECT vehicle_id, permissions, shared_now, epoch(first_shared), epoch(last_shared) FROM vehicles"
    assert lake.query(f"{shared} ORDER BY 1") == [
        ("1", [1, 4], False, first.timestamp(), first.timestamp()),
        ("2", [], True, last.timestamp(), last.timestamp()),
    ]


@pytest.mark.parametrize(
    ("privileges", "unread"),
    [
        (None, None),
        ((1, 3, 4), None),
        ((1, 4), None),
        ((1,), "location"),
        ((1, 3), "location"),
        ((4,), "everything but location"),
        ((), "everything"),
    ],
)
def test_coverage_says_what_could_not_be_read_for_want_of_a_privilege(lake, privileges, unread):
    lake.cover("1", "2026-01-05", privileges=privileges)
    lake.write()
    assert lake.query("SELECT unread FROM coverage") == [(unread,)]


def test_quarantine_shows_the_document_also_where_it_is_not_text(lake):
    for folder, payload in (("date=2026-01-05", b'{"a": 1}'), ("date=__HIVE_DEFAULT_PARTITION__", b"\xff{")):
        path = lake.root / "quarantine" / folder
        path.mkdir(parents=True)
        row = {"vehicle_id": None, "event_id": "e", "reason": "no time", "origin": "import", "payload": payload}
        fields = [("vehicle_id", pa.string()), *((name, pa.string()) for name in ("event_id", "reason", "origin"))]
        pq.write_table(
            pa.Table.from_pylist([row], pa.schema([*fields, ("payload", pa.binary())])), path / "quarantine.parquet"
        )
    lake.write()
    assert lake.query("SELECT date, payload FROM quarantine ORDER BY date") == [
        (date(2026, 1, 5), '{"a": 1}'),
        (None, "\\xFF{"),
    ]


def test_status_counts_the_days_of_each_kind(lake):
    lake.odometer("1", [10_000, 10_010])
    lake.cover("1", "2026-01-05", kept_events=2)
    lake.cover("1", "2026-01-06", complete=False)
    lake.cover("1", "2026-01-07", complete=None)
    lake.write()
    assert lake.query("SELECT days, complete_days, incomplete_days, unknown_days, events, odometer_km FROM status") == [
        (3, 1, 1, 1, 4, 10_010)
    ]


def test_a_filter_on_the_day_opens_only_that_days_file(lake):
    for day in range(5, 10):
        lake.add("1", at(f"2026-01-0{day}T10:00"), "speed", day)
    lake.write()
    plan = lake.query("EXPLAIN ANALYZE SELECT count(event_id) FROM signals WHERE date = '2026-01-07'")[0][1]
    assert "Scanning Files: 1/5" in plan or "Files: 1" in plan
