"""DIMO's distances, from the sandbox into the warehouse, beside those of a fleet whose whole history is held."""

from __future__ import annotations

import dataclasses
import logging
import re
import shutil
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from dimo_etl.batch import fetch_days
from dimo_etl.config import Settings
from dimo_etl.distances import bring_distances
from dimo_etl.model import days_between
from dimo_etl.sandbox.server import SandboxServer
from dimo_etl.warehouse import Warehouse
from tests.signals import write_signals

TODAY = date(2025, 6, 20)
LEXUS, HONDA, TACOMA = 5023, 7345, 6120
BERLIN = ZoneInfo("Europe/Berlin")
ANALYTICS = "/device-data-api/v2"
NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def _running() -> Iterator[SandboxServer]:
    with SandboxServer(port=0, seed=1, today=TODAY, history_days=30) as server:
        yield server


@pytest.fixture
def sandbox(_running: SandboxServer) -> Iterator[SandboxServer]:
    yield _running
    _running.faults.clear()


def settings_of(sandbox: SandboxServer, root: Path, *vehicles: object) -> Settings:
    return Settings.from_environment(
        {
            **sandbox.environ,
            "DIMO_WAREHOUSE": str(root),
            "DIMO_TIME_ZONE": BERLIN.key,
            "DIMO_VEHICLES": ",".join(map(str, vehicles)),
        }
    )


@pytest.fixture
def settings(sandbox: SandboxServer, tmp_path: Path) -> Settings:
    return settings_of(sandbox, tmp_path / "lake", LEXUS, HONDA)


def rows(settings: Settings, query: str) -> list[tuple]:
    with Warehouse.open(Path(settings.warehouse)) as warehouse:
        return warehouse.execute(query).fetchall()


def sync(settings: Settings, days: list[date]) -> None:
    fetch_days(settings, days)
    for day in days:
        write_signals(settings, day)


@pytest.fixture(scope="module")
def synced(_running: SandboxServer, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A warehouse with everything two vehicles ever sent, and what DIMO says of them."""
    settings = settings_of(_running, tmp_path_factory.mktemp("synced") / "lake", LEXUS, HONDA)
    sync(settings, days_between(_running.fleet.first_day, TODAY))
    bring_distances(settings)
    return settings


def invalid_readings(sandbox: SandboxServer, vehicle: int, day: date | None) -> list[float]:
    """The invalid odometers among all that a vehicle sent, on a day in Berlin or ever."""
    invalid = []
    for utc_day in days_between(sandbox.fleet.first_day, TODAY):
        column = sandbox.fleet.odometers(vehicle, utc_day)
        for ms, km in zip(column.times_ms, column.kilometres, strict=True):
            if (km <= 100 or km in (65538, 65539, 983040)) and (
                day is None or datetime.fromtimestamp(ms / 1000, BERLIN).date() == day
            ):
                invalid.append(km)
    return invalid


def test_every_distance_of_a_fleet_whose_history_is_held_agrees_or_names_the_bad_reading(sandbox, synced):
    found = rows(synced, "SELECT vehicle_id::BIGINT, date, agrees, why, detail FROM reconciliation")
    assert len(found) == 2 * (1 + 14)
    for vehicle, day, agrees, why, detail in found:
        invalid = invalid_readings(sandbox, vehicle, day)
        assert agrees == (not invalid), (vehicle, day, why)
        if not agrees:
            assert why == "bad_reading"
            numbers = {round(float(text), 1) for text in re.findall(r"\d+(?:\.\d+)?", detail)}
            assert numbers & {round(km, 1) for km in invalid}
    assert 3 <= sum(not agrees for _, _, agrees, _, _ in found) < 15


def test_a_day_that_is_not_held_is_why_its_distance_differs_and_no_other_day_minds(synced, tmp_path):
    root = shutil.copytree(synced.warehouse, tmp_path / "lake")
    shutil.rmtree(root / "signals/date=2025-06-12")
    why = "SELECT DISTINCT date, missing_days FROM reconciliation WHERE why = 'days_missing' AND date IS NOT NULL"
    assert rows(dataclasses.replace(synced, warehouse=str(root)), why) == [(date(2025, 6, 12), 1)]


def test_two_requests_a_vehicle_bring_the_total_and_the_days(sandbox, settings):
    before = len(sandbox.requests.below(ANALYTICS))
    brought = bring_distances(settings, now=lambda: NOON)
    assert len(sandbox.requests.below(ANALYTICS)) - before == 4
    kept = rows(
        settings, "SELECT vehicle_id, asked_at, time_zone, date IS NULL, count(*) FROM dimo_distances GROUP BY ALL"
    )
    assert sorted(kept, key=str) == [
        (str(vehicle), NOON, zone, zone is None, count)
        for vehicle in (LEXUS, HONDA)
        for zone, count in ((BERLIN.key, 14), (None, 1))
    ]
    assert not brought.failed


def test_a_vehicle_is_asked_about_at_most_once_an_hour(sandbox, settings):
    def asked(**options) -> int:
        before = len(sandbox.requests)
        bring_distances(settings, **options)
        return len(sandbox.requests) - before

    assert asked(now=lambda: NOON) > 0
    assert asked(now=lambda: NOON + timedelta(minutes=59)) == 0
    assert asked(now=lambda: NOON + timedelta(minutes=59), refresh=True) > 0
    assert asked(now=lambda: NOON + timedelta(minutes=130)) > 0


def test_only_the_vehicles_asked_for_are_asked_about(settings):
    brought = bring_distances(settings, only=[str(HONDA)])
    assert {said.vehicle_id for said in brought.said} == {str(HONDA)}


def test_another_zone_is_asked_for_at_once(sandbox, settings, tmp_path):
    bring_distances(settings, now=lambda: NOON)
    elsewhere = Settings.from_environment(
        {**sandbox.environ, "DIMO_WAREHOUSE": settings.warehouse, "DIMO_VEHICLES": str(LEXUS), "DIMO_TIME_ZONE": "UTC"}
    )
    assert bring_distances(elsewhere, now=lambda: NOON + timedelta(minutes=5)).said


def test_a_vehicle_that_is_refused_is_told_of_and_stops_no_other(sandbox, settings):
    sandbox.faults.answer(403, at=f"{ANALYTICS}/vehicle/{LEXUS}")
    brought = bring_distances(settings)
    assert list(brought.failed) == [str(LEXUS)]
    assert {said.vehicle_id for said in brought.said} == {str(HONDA)}


def test_what_came_before_a_failure_is_kept(sandbox, settings):
    sandbox.faults.answer(403, at=f"{ANALYTICS}/vehicle/{LEXUS}/analytics/daily")
    brought = bring_distances(settings, only=[str(LEXUS)])
    assert list(brought.failed) == [str(LEXUS)]
    assert rows(settings, "SELECT vehicle_id, date FROM dimo_distances") == [(str(LEXUS), None)]


def test_a_service_without_these_routes_costs_a_line_in_the_log(sandbox, settings, caplog):
    sandbox.faults.answer(404, times=4, at=ANALYTICS)
    with caplog.at_level(logging.INFO, "dimo_etl"):
        brought = bring_distances(settings)
    assert (brought.said, brought.failed) == ([], {})
    assert [line.levelname for line in caplog.records] == ["INFO", "INFO"]


def test_a_vehicle_without_a_token_id_is_asked_for_by_its_user_device_id(sandbox, tmp_path):
    device = sandbox.fleet.unminted.user_device_id
    settings = settings_of(sandbox, tmp_path / "lake", device)
    bring_distances(settings)
    ((vehicle_id, km),) = rows(settings, "SELECT vehicle_id, dimo_km FROM dimo_distances WHERE date IS NULL")
    assert vehicle_id == device
    assert km > 0


def test_a_v2_device_has_readings_that_dimo_does_not_count(sandbox, tmp_path):
    settings = settings_of(sandbox, tmp_path / "lake", TACOMA)
    sync(settings, days_between(TODAY - timedelta(days=1), TODAY))
    bring_distances(settings)
    (total,) = rows(settings, "SELECT dimo_km, agrees, why FROM reconciliation WHERE date IS NULL")
    assert total == (0, False, "not_counted")
