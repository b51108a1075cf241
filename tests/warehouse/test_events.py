"""The view `events`: whatever was noticed of a vehicle, once, from whichever source it came."""

from __future__ import annotations

import json

from tests.warehouse.lake import START, at

BRAKING = {"name": "behavior.harshBraking", "timestamp": "2026-01-05T10:00:00.25Z", "durationNs": 1_500_000_000}


def add(lake, *events, event_id="a", **changes):
    lake.add("1", START, "events", json=json.dumps(events), event_id=event_id, **changes)


def test_an_event_has_its_own_time_and_its_duration_in_seconds(lake):
    add(lake, BRAKING | {"metadata": '{"speed":42}', "source": "0xA"})
    lake.write()

    assert lake.query("SELECT vehicle_id, name, source, duration_s, metadata, event_id FROM events") == [
        ("1", "behavior.harshBraking", "0xA", 1.5, '{"speed":42}', "a")
    ]
    assert lake.query("SELECT timestamp FROM events", "Asia/Kathmandu")[0][0] == at("2026-01-05T10:00:00.250")


def test_nanoseconds_are_cut_and_a_lacking_time_is_that_of_the_document(lake):
    add(lake, BRAKING | {"timestamp": "2026-01-05T10:00:00.123456789Z"}, {"name": "security.engineBlock"})
    lake.write()

    assert lake.query("SELECT name, timestamp FROM events ORDER BY 1") == [
        ("behavior.harshBraking", at("2026-01-05T10:00:00.123456")),
        ("security.engineBlock", START),
    ]


def test_the_same_event_from_two_sources_is_one(lake):
    add(lake, BRAKING, event_id="content-1")
    add(lake, BRAKING | {"tags": []}, event_id="message/dimo.events")
    lake.write()

    assert lake.query("SELECT event_id FROM events") == [("message/dimo.events",)]


def test_two_events_at_one_moment_are_two(lake):
    add(lake, BRAKING, BRAKING | {"name": "behavior.extremeBraking"})
    lake.write()

    assert lake.query("SELECT count(*) FROM events") == [(2,)]


def test_a_cloud_event_that_lists_no_events_is_one_itself(lake):
    lake.add("1", START, "vin", "WVW123", event_id="m1/dimo.fingerprint", source="0xB")
    lake.add("1", START, "protocol", 6, event_id="m1/dimo.fingerprint", source="0xB")
    lake.add("1", START, "speed", 5, event_id="m2")
    lake.write()

    [(name, source, metadata)] = lake.query("SELECT name, source, metadata FROM events")
    assert (name, source, json.loads(metadata)) == ("dimo.fingerprint", "0xB", {"vin": "WVW123", "protocol": 6.0})


def test_what_is_no_list_of_events_is_none(lake):
    add(lake, "braking", 5, None, {"name": 7}, {"timestamp": "2026-01-05T10:00:00Z"})
    lake.add("1", START, "events", "text")
    lake.add("1", START, "events", json="{broken")
    lake.add("1", START, "events", json="{}")
    lake.write()

    assert lake.query("FROM events") == []
