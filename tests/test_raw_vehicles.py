"""Vehicles that only the Fetch and Telemetry APIs know: raw Ruptela and Tesla documents, from service to views."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import orjson
import pytest

from dimo_etl.config import Settings
from dimo_etl.distances import bring_distances
from dimo_etl.model import days_between
from dimo_etl.sandbox.server import SandboxServer
from dimo_etl.warehouse.publish import publish
from tests.tesla import KEYS, Payload
from tests.test_sources import answer, bring

RUPTELA, TESLA, STREAMING = 9321, 9457, 9533
VEHICLES = tuple(map(str, (RUPTELA, TESLA, STREAMING)))
END_OF_DAY = datetime(2026, 1, 12, 23, 59, tzinfo=UTC)
NAMES = {key: name for name, key in KEYS.items()}
DAYS = days_between(date(2026, 1, 9), date(2026, 1, 11))
DISTANCES = "SELECT vehicle_id::INTEGER, date, distance_m FROM distance_daily ORDER BY ALL"
DAILY = """
    SELECT vehicle_id, date, first_km::DECIMAL(10, 3), last_km::DECIMAL(10, 3), readings
    FROM odometer_daily
    ORDER BY ALL
"""
# Tesla tells no precision of a position, and the Telemetry API says 0; it has no field for a Tesla's trunks.
LATEST = """
    SELECT vehicle_id, signal, round(value_number, 6), value_string
    FROM latest_canonical
    WHERE signal NOT LIKE 'bodyTrunk%' AND (signal NOT LIKE '%.hdop' OR value_number > 0)
    ORDER BY ALL
"""


@pytest.fixture(scope="module")
def sandbox():
    with SandboxServer(port=0, seed=1, today=date(2026, 1, 12), history_days=6, raw=True) as server:
        yield server


def bring_all(sandbox, root, *steps):
    return bring(sandbox, root, *steps, vehicles=",".join(VEHICLES))


@pytest.fixture(scope="module")
def by_fetch(sandbox, tmp_path_factory):
    return bring_all(sandbox, tmp_path_factory.mktemp("fetch"), ("fetch", DAYS))


@pytest.fixture(scope="module")
def by_telemetry(sandbox, tmp_path_factory):
    return bring_all(sandbox, tmp_path_factory.mktemp("telemetry"), ("telemetry", DAYS))


def test_raw_documents_tell_how_far_each_car_really_drove(sandbox, by_fetch):
    exact = {RUPTELA: 5, TESLA: 0.5, STREAMING: 0.01}
    truth = [(token, day, sandbox.fleet.driver(token).distance_m(day)) for token in exact for day in DAYS]
    for (token, day, metres), found in zip(truth, answer(by_fetch, DISTANCES), strict=True):
        # A Ruptela counts in steps of 5 m, a Tesla that is asked to the thousandth of a mile.
        assert found == (token, day, pytest.approx(metres, abs=exact[token]))
    assert answer(by_fetch, "SELECT DISTINCT complete, asked FROM coverage WHERE state <> 'never_asked'") == [
        (True, "fetch")
    ]


def test_every_reading_is_on_the_curve_and_what_a_device_has_no_reading_for_is_none(by_fetch):
    assert answer(by_fetch, "SELECT DISTINCT reason FROM odometer") == [(None,)]
    unsupported = "SELECT count(*), count(*) FILTER (value_string = 'FFFFFFFF') FROM signals WHERE name = 'signals.645'"
    [(sent, all_ones)] = answer(by_fetch, unsupported)
    assert sent == all_ones > 1000


def test_no_leaf_of_a_raw_document_is_dropped_whether_the_vocabulary_knows_it_or_not(sandbox, by_fetch):
    documents = [one for day in DAYS for one in sandbox.fleet.documents(RUPTELA, day)]
    expected = {}
    for document in documents:
        data = orjson.loads(document.payload)["data"]
        leaves = len(data["pos"]) + len(data["signals"]) + 2 if "pos" in data else 1
        expected[document.doc_id] = leaves
    held = f"SELECT event_id, count(*) FROM signals WHERE vehicle_id = '{RUPTELA}' GROUP BY ALL"
    assert dict(answer(by_fetch, held)) == expected
    unknown = "SELECT count(*) FROM signals WHERE name IN ('signals.1001', 'vehicle_state.locked', 'trigger')"
    assert answer(by_fetch, unknown)[0][0] > 2 * 1000


def test_every_value_of_every_message_of_a_streaming_car_is_held_with_the_time_of_its_message(sandbox, by_fetch):
    expected = set()
    for document in (one for day in DAYS for one in sandbox.fleet.documents(STREAMING, day)):
        for text in orjson.loads(document.payload)["data"]["payloads"]:
            payload = Payload.FromString(base64.b64decode(text))
            made_at = payload.created_at.ToDatetime(tzinfo=UTC)
            expected |= {
                (document.doc_id, made_at, NAMES.get(datum.key, f"Field{datum.key}")) for datum in payload.data
            }
    held = f"""
        SELECT DISTINCT event_id, timestamp, split_part(name, '.', 1) AS field
        FROM signals
        WHERE vehicle_id = '{STREAMING}' AND field NOT IN ('payloads', 'vin')
    """
    assert set(answer(by_fetch, held)) == expected
    assert len(expected) > 5000
    assert answer(by_fetch, "SELECT count(*) FROM signals WHERE name = 'Field300' AND value_number = 1.5")[0][0] > 100


def test_the_telemetry_of_these_cars_tells_the_same(by_fetch, by_telemetry):
    assert answer(by_telemetry, DAILY) == answer(by_fetch, DAILY)
    for ours, theirs in zip(answer(by_telemetry, DISTANCES), answer(by_fetch, DISTANCES), strict=True):
        assert ours == (*theirs[:2], pytest.approx(theirs[2], abs=0.01))
    latest = answer(by_telemetry, LATEST)
    assert latest == answer(by_fetch, LATEST)
    assert len(latest) == 14 + 15 + 25


def test_dimo_counts_their_days_as_we_do_by_its_rule(sandbox, by_fetch):
    settings = Settings.from_environment(
        sandbox.environ | {"DIMO_WAREHOUSE": str(by_fetch), "DIMO_SOURCE": "telemetry"}
    )
    brought = bring_distances(replace(settings, vehicles=VEHICLES), now=lambda: END_OF_DAY)
    assert not brought.failed
    publish(by_fetch)
    told = f"""
        SELECT vehicle_id, count(*), max(ours_km) > 20, bool_and(agrees)
        FROM reconciliation
        WHERE date BETWEEN '{DAYS[0]}' AND '{DAYS[-1]}'
        GROUP BY ALL
        ORDER BY ALL
    """
    assert answer(by_fetch, told) == [(vehicle, 3, True, True) for vehicle in VEHICLES]


def test_a_car_that_moved_to_raw_documents_has_one_curve_and_drove_no_kilometre_twice(sandbox, by_fetch, tmp_path):
    mixed = bring_all(sandbox, tmp_path, ("telemetry", DAYS[:2]), ("fetch", DAYS[1:]))
    assert answer(mixed, DISTANCES) == [
        (*row[:2], pytest.approx(row[2], abs=0.01)) for row in answer(by_fetch, DISTANCES)
    ]
    assert answer(mixed, "SELECT DISTINCT is_valid, cycle FROM odometer") == [(True, 1)]
    assert answer(mixed, LATEST) == answer(by_fetch, LATEST)
    moved = f"SELECT date, asked FROM coverage WHERE vehicle_id = '{TESLA}' ORDER BY date"
    assert answer(mixed, moved) == [(DAYS[0], "telemetry"), (DAYS[1], "fetch"), (DAYS[2], "fetch")]


def test_the_device_data_api_never_had_their_documents(sandbox, tmp_path):
    root = bring_all(sandbox, tmp_path, ("device-data", DAYS[:1]))
    assert answer(root, "SELECT DISTINCT expected_events, complete FROM coverage WHERE state <> 'never_asked'") == [
        (0, True)
    ]
    assert sandbox.fleet.documents(TESLA, DAYS[0] - timedelta(days=1))
