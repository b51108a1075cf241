"""The view `telemetry_bounds`: what the service counts in all, beside what is held."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from tests.warehouse.lake import START

LATER = START + timedelta(days=30)


def summary(**rows) -> bytes:
    """A summary by name: rows, and seconds after the start of the first and the last."""

    def at(seconds: float) -> str:
        return (START + timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")

    signals = [
        {"name": name, "numberOfSignals": count, "firstSeen": at(first), "lastSeen": at(last)}
        for name, (count, first, last) in rows.items()
    ]
    events = [{"name": "behavior.x", "numberOfEvents": 1, "firstSeen": at(0), "lastSeen": at(0)}]
    return json.dumps({"numberOfSignals": 9, "signalDataSummary": signals, "eventDataSummary": events}).encode()


@pytest.mark.parametrize(
    ("count", "first", "last", "verdict", "share"),
    [
        (3, 0.25, 20.5, "all", 1.0),
        (6, 0.25, 20.5, "fewer", 0.5),
        (6, -86_400, 20, "not_reached", 0.5),
        (6, 0, 30, "not_reached", 0.5),
        (2, 0, 20, "more", 1.5),
    ],
)
def test_what_is_held_is_judged_by_what_the_service_counts(lake, count, first, last, verdict, share):
    for second in (0, 10, 20):
        lake.add("1", START + timedelta(seconds=second), "speed", 5)
    lake.see("1", LATER, summary(speed=(count, first, last)), endpoint="telemetry/dataSummary")
    lake.write()

    query = "SELECT stored, held, share, verdict FROM telemetry_bounds WHERE kind = 'signal'"
    assert lake.query(query, "Asia/Kathmandu") == [(count, 3, share, verdict)]


def test_a_position_is_held_by_its_members_and_two_values_of_a_second_count_once(lake):
    for member in ("latitude", "longitude", "hdop"):
        for fraction in (0, 0.5):
            lake.add("1", START + timedelta(seconds=fraction), f"currentLocationCoordinates.{member}", 5)
    lake.see("1", LATER, summary(currentLocationCoordinates=(1, 0, 0)), endpoint="telemetry/dataSummary")
    lake.write()

    assert lake.query("SELECT held, verdict FROM telemetry_bounds WHERE kind = 'signal'") == [(1, "all")]


def test_the_last_summary_counts_and_what_came_after_it_does_not(lake):
    lake.add("1", START, "speed", 5)
    lake.add("1", LATER + timedelta(hours=1), "speed", 6)
    lake.see("1", START, summary(speed=(9, 0, 9)), endpoint="telemetry/dataSummary")
    lake.see("1", LATER, summary(speed=(1, 0, 0), rpm=(4, 0, 0)), endpoint="telemetry/dataSummary")
    lake.write()

    assert lake.query("SELECT name, stored, held, verdict FROM telemetry_bounds WHERE kind = 'signal' ORDER BY 1") == [
        ("rpm", 4, 0, "not_held"),
        ("speed", 1, 1, "all"),
    ]


def test_events_are_counted_too(lake):
    event = {"name": "behavior.x", "timestamp": START.isoformat()}
    lake.add("1", START, "events", json=json.dumps([event]))
    lake.see("1", LATER, summary(), endpoint="telemetry/dataSummary")
    lake.write()

    assert lake.query("SELECT name, kind, stored, held, verdict FROM telemetry_bounds") == [
        ("behavior.x", "event", 1, 1, "all")
    ]
