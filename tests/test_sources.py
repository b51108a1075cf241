"""One fleet through several sources: the same odometer and the same distances, and no day doubled by a change."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

from dimo_etl.batch import fetch_days
from dimo_etl.config import Settings, source_named
from dimo_etl.errors import ConfigError
from dimo_etl.history.sources import SOURCES
from dimo_etl.model import day_window
from dimo_etl.sandbox.server import SandboxServer
from dimo_etl.warehouse import Warehouse
from tests.signals import write_signals

FIRST = date(2026, 1, 8)
DAYS = [FIRST + timedelta(days=n) for n in range(4)]
# One of each kind, those that say much left out.
VEHICLES = "5023,6120,7345,8102"
# What no late document, nor the first moment of the span, can blur.
INNER = f"date BETWEEN '{DAYS[1]}' AND '{DAYS[-2]}'"
DISTANCES = f"SELECT vehicle_id, date, distance_m, readings FROM distance_daily WHERE {INNER} ORDER BY ALL"
ODOMETER = f"SELECT vehicle_id, date, first_km, last_km, min_km, max_km FROM odometer_daily WHERE {INNER} ORDER BY ALL"
METRES = f"SELECT vehicle_id, date, distance_m FROM distance_daily WHERE {INNER} ORDER BY ALL"
VALUES = f"""
    SELECT vehicle_id, timestamp, name, value_number, value_string, value_boolean, value_json
    FROM signals WHERE timestamp::DATE BETWEEN '{DAYS[1]}' AND '{DAYS[-2]}' ORDER BY ALL
"""


@pytest.fixture(scope="module")
def sandbox():
    with SandboxServer(port=0, seed=1, today=date(2026, 1, 15), history_days=20) as server:
        yield server


def bring(sandbox, root: Path, *steps: tuple[str, list[date]], vehicles: str = VEHICLES) -> Path:
    """A warehouse into which days were brought from one source after the other."""
    for source, days in steps:
        given = {"DIMO_WAREHOUSE": str(root), "DIMO_SOURCE": source, "DIMO_VEHICLES": vehicles}
        settings = Settings.from_environment(sandbox.environ | given)
        for day in fetch_days(settings, days).days:
            assert day.error is None
            write_signals(settings, day.day)
    return root


@pytest.fixture(scope="module")
def by_device_data(sandbox, tmp_path_factory):
    return bring(sandbox, tmp_path_factory.mktemp("device-data"), ("device-data", DAYS))


@pytest.fixture(scope="module")
def by_fetch(sandbox, tmp_path_factory):
    return bring(sandbox, tmp_path_factory.mktemp("fetch"), ("fetch", DAYS))


def answer(root: Path, query: str) -> list[tuple]:
    with Warehouse.open(root) as warehouse:
        return warehouse.execute(query).fetchall()


def test_raw_events_give_the_same_odometer_and_the_same_daily_distance_as_history(by_device_data, by_fetch):
    expected = answer(by_device_data, ODOMETER)
    assert len(expected) == 4 * 2
    assert answer(by_fetch, ODOMETER) == expected
    assert answer(by_fetch, DISTANCES) == answer(by_device_data, DISTANCES)


def test_raw_events_hold_every_value_that_history_gives_and_no_day_is_open(by_device_data, by_fetch):
    expected = set(answer(by_device_data, VALUES))
    assert len(expected) > 1000
    assert expected <= set(answer(by_fetch, VALUES))
    assert answer(by_fetch, "SELECT DISTINCT complete, asked FROM coverage WHERE state <> 'never_asked'") == [
        (True, "fetch")
    ]


def test_an_event_that_came_after_midnight_is_held_once_by_a_warehouse_that_two_sources_filled(sandbox, tmp_path):
    day, next_day = date(2026, 1, 11), date(2026, 1, 12)
    midnight_ms = day_window(next_day).start_ms
    [late] = [one.doc_id for one in sandbox.fleet.documents(8102, day) if one.received_ms >= midnight_ms]
    for order in ([("device-data", [day]), ("fetch", [next_day])], [("fetch", [next_day]), ("device-data", [day])]):
        root = bring(sandbox, tmp_path / order[0][0], *order)
        found = answer(root, f"SELECT DISTINCT date, timestamp::DATE FROM signals WHERE event_id = '{late}'")
        assert found == [(day, day)]
        assert answer(root, "SELECT DISTINCT complete FROM coverage WHERE asked IS NOT NULL") == [(True,)]


def test_a_vehicle_that_moved_from_one_source_to_the_other_drove_no_kilometre_twice(sandbox, by_device_data, tmp_path):
    mixed = bring(sandbox, tmp_path, ("device-data", DAYS[:2]), ("fetch", DAYS))
    assert answer(mixed, "SELECT date, asked FROM coverage WHERE vehicle_id = '5023' ORDER BY date") == [
        (day, "device-data" if day in DAYS[:2] else "fetch") for day in DAYS
    ]
    assert answer(mixed, ODOMETER) == answer(by_device_data, ODOMETER)
    assert answer(mixed, METRES) == answer(by_device_data, METRES)


@pytest.fixture(scope="module")
def by_telemetry(sandbox, tmp_path_factory):
    return bring(sandbox, tmp_path_factory.mktemp("telemetry"), ("telemetry", DAYS))


def test_seconds_of_telemetry_give_the_same_odometer_and_the_same_daily_distance_as_history(
    by_device_data, by_telemetry
):
    assert answer(by_telemetry, ODOMETER) == answer(by_device_data, ODOMETER)
    assert answer(by_telemetry, METRES) == answer(by_device_data, METRES)
    assert answer(by_telemetry, "SELECT DISTINCT complete, asked FROM coverage WHERE state <> 'never_asked'") == [
        (True, "telemetry")
    ]


def test_what_telemetry_loses_of_the_odometer_is_less_than_a_second_and_the_metres_of_a_reading_in_metres(
    by_device_data, by_telemetry
):
    # History deletes what is no reading at all; telemetry does not.
    readings = "SELECT vehicle_id, timestamp, odometer_km, reading > 999999 AS in_metres FROM odometer"
    between = f"reason IS DISTINCT FROM 'sentinel' AND timestamp::DATE BETWEEN '{DAYS[1]}' AND '{DAYS[-2]}'"
    inner = f"{readings} WHERE {between} ORDER BY vehicle_id, timestamp"
    raw, seconds = answer(by_device_data, inner), answer(by_telemetry, inner)
    assert len(seconds) == len(raw) > 300
    for (vehicle, read_at, km, in_metres), (same, second, same_km, _) in zip(raw, seconds, strict=True):
        assert (same, timedelta(0) <= read_at - second < timedelta(seconds=1)) == (vehicle, True)
        assert abs(same_km - km) <= (0.5 if in_metres else 1e-9)


def test_a_vehicle_that_moved_to_telemetry_and_on_to_raw_events_drove_no_kilometre_twice(
    sandbox, by_device_data, tmp_path
):
    mixed = bring(sandbox, tmp_path, ("device-data", DAYS[:2]), ("telemetry", DAYS[2:3]), ("fetch", DAYS[3:]))
    assert answer(mixed, METRES) == answer(by_device_data, METRES)
    assert answer(mixed, "SELECT asked FROM coverage WHERE vehicle_id = '5023' ORDER BY date") == [
        ("device-data",),
        ("device-data",),
        ("telemetry",),
        ("fetch",),
    ]


def test_a_day_that_telemetry_and_history_both_gave_is_not_driven_twice(sandbox, by_device_data, tmp_path):
    both = bring(sandbox, tmp_path, ("telemetry", DAYS), ("device-data", DAYS))
    assert answer(both, "SELECT DISTINCT asked, origin FROM coverage WHERE vehicle_id = '5023'") == [
        ("device-data", "device-data+telemetry")
    ]
    assert answer(both, METRES) == answer(by_device_data, METRES)


def test_what_is_noticed_of_a_drive_is_one_event_whichever_source_tells_of_it(sandbox, tmp_path):
    told = "SELECT timestamp, name, source, duration_s, metadata FROM events WHERE name LIKE 'behavior.%' ORDER BY ALL"
    sandbox_with_events = dict(sandbox.environ, DIMO_EVENT_TYPES="dimo.status,dimo.events,dimo.fingerprint")
    seen = {}
    for name, sources in {"telemetry": ["telemetry"], "fetch": ["fetch"], "both": ["telemetry", "fetch"]}.items():
        root = tmp_path / name
        for source in sources:
            given = {"DIMO_WAREHOUSE": str(root), "DIMO_SOURCE": source, "DIMO_VEHICLES": "6120"}
            settings = Settings.from_environment(sandbox_with_events | given)
            fetch_days(settings, DAYS, refresh=True)
            for day in DAYS:
                write_signals(settings, day)
        seen[name] = answer(root, told)
    assert len(seen["telemetry"]) > 3
    assert seen["telemetry"] == seen["fetch"] == seen["both"]
    # Only the Fetch API tells of these.
    taken = answer(tmp_path / "both", "SELECT date, metadata FROM events WHERE name = 'dimo.fingerprint' ORDER BY ALL")
    assert taken == [(day, f'{{"vin":"{sandbox.fleet.vehicle(6120).vin}"}}') for day in DAYS]


def test_a_source_is_one_module_and_a_line_that_names_it(sandbox, tmp_path, monkeypatch):
    monkeypatch.setitem(SOURCES, "another", "tests.history.another_source")
    root = bring(sandbox, tmp_path, ("telemetry", DAYS[:1]), ("another", DAYS), vehicles="5023")
    assert answer(root, "SELECT date, asked, complete FROM coverage WHERE state <> 'never_asked' ORDER BY date") == [
        (day, "another", True) for day in DAYS
    ]
    assert answer(root, "SELECT DISTINCT map_keys(by_origin) FROM coverage WHERE map_contains(by_origin, 'telemetry')")
    assert answer(root, "SELECT count(*) FROM odometer WHERE event_id LIKE 'another-%'") == [(len(DAYS),)]
    with pytest.raises(ConfigError, match="give one of device-data, fetch, telemetry, another"):
        source_named("none", "--source")
