"""A small fleet with everything a report shows, hostile names among it; and a browser to open pages with."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta

import orjson
import pytest

from dimo_etl.report.page import render
from dimo_etl.report.scope import scope_of
from dimo_etl.warehouse import Warehouse
from tests.warehouse.lake import Lake, at

NOW = datetime(2026, 2, 1, 12, tzinfo=UTC)
HOSTILE = "</script><img src=x onerror=\"document.title='owned'\">'\u2028{{7*7}}"
BROWSER, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")


@pytest.fixture
def lake(tmp_path):
    return Lake(tmp_path / "lake")


@pytest.fixture(scope="session")
def fleet(tmp_path_factory):
    lake = Lake(tmp_path_factory.mktemp("report") / "lake")
    lake.odometer("1", [10_000, 10_010, 65_538, 10_020, 10_030])
    for minute in range(0, 40, 2):
        moment = at("2026-01-06T08:00") + timedelta(minutes=minute)
        event = f"drive-{minute}"
        lake.add("1", moment, "isIgnitionOn", minute < 36, event_id=event)
        lake.add("1", moment, "speed", 60 if minute < 36 else 0, event_id=event)
        lake.add("1", moment, "odometer", 10_032 + minute, event_id=event)
        lake.add("1", moment, "latitude", 52.5 + minute / 1000, event_id=event)
        lake.add("1", moment, "longitude", 13.4 + minute / 500, event_id=event)
    error = f'[{{"type":{_json(HOSTILE)},"errorCode":502,"errorType":"UPSTREAM","description":{_json(HOSTILE)}}}]'
    lake.add("1", at("2026-01-06T09:00"), "errors", json=error)
    lake.odometer(HOSTILE, [500, 520], start=at("2026-01-07T10:00"))
    for name in ("make", "model"):
        lake.add(HOSTILE, at("2026-01-07T10:00"), name, HOSTILE)
    lake.add("3", at("2026-01-06T09:00"), "odometer", "far")
    for day in ("2026-01-05", "2026-01-06", "2026-01-07"):
        lake.cover("3", day)
    for day in ("2026-01-05", "2026-01-06"):
        lake.cover("1", day, expected_events=20, fetched_events=20, kept_events=20)
    lake.cover(
        HOSTILE, "2026-01-07", complete=False, reason=HOSTILE, expected_events=9, fetched_events=2, kept_events=2
    )
    lake.write()
    return lake


@pytest.fixture(scope="session")
def warehouse(fleet):
    with Warehouse.open(fleet.root) as opened:
        yield opened


@pytest.fixture(scope="session")
def page(warehouse, tmp_path_factory):
    """The report as a file, as its user has it."""
    file = tmp_path_factory.mktemp("page") / "report.html"
    file.write_text(render(warehouse, scope_of(warehouse), now=NOW), encoding="utf-8")
    return file


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    if BROWSER is None or DRIVER is None:
        pytest.skip("no chromium and chromedriver here; Debian has them as chromium and chromium-driver")
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    for flag in (
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--disable-dev-shm-usage",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--window-size=1280,900",
        f"--user-data-dir={tmp_path_factory.mktemp('browser')}",
    ):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    yield driver
    driver.quit()


def _json(text: str) -> str:
    return orjson.dumps(text).decode()
