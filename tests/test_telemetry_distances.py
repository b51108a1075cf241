"""DIMO's daily distances from the telemetry API, and ours beside them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from dimo_etl.api.exchange import SIGNALS, VehicleTokens
from dimo_etl.api.telemetry import Telemetry
from dimo_etl.api.telemetry_distances import TelemetryDistances
from dimo_etl.api.transport import Transport
from dimo_etl.batch import fetch_days
from dimo_etl.config import SANDBOX_LICENCE, Settings
from dimo_etl.distances import bring_distances
from dimo_etl.errors import ServiceError
from dimo_etl.model import Vehicle, days_between
from dimo_etl.sandbox.server import SandboxServer
from dimo_etl.warehouse import Warehouse
from dimo_etl.warehouse.publish import publish
from tests.api.routes import Developer
from tests.api.server import Server, ok
from tests.signals import write_signals

TODAY = date(2026, 1, 15)
NOW = datetime(2026, 1, 15, 23, 59, tzinfo=UTC)
LEXUS, HONDA, KIA = "5023", "7345", "8816"


@pytest.fixture(scope="module")
def sandbox():
    with SandboxServer(port=0, seed=1, today=TODAY, history_days=4) as sandbox:
        yield sandbox


@pytest.fixture
def settings(sandbox, tmp_path: Path) -> Settings:
    told = {"DIMO_WAREHOUSE": str(tmp_path), "DIMO_SOURCE": "telemetry", "DIMO_VEHICLES": f"{LEXUS},{HONDA}"}
    return Settings.from_environment({**sandbox.environ, **told})


def query(settings: Settings, sql: str) -> list[tuple[object, ...]]:
    publish(Path(settings.warehouse))
    with Warehouse.open(Path(settings.warehouse)) as warehouse:
        return warehouse.execute(sql).fetchall()


@pytest.mark.parametrize("zone", ["UTC", "America/Los_Angeles"])
def test_dimo_and_we_agree_on_each_day(settings, zone):
    days = days_between(date(2026, 1, 11), TODAY)
    here = replace(settings, time_zone=zone)
    fetch_days(here, days)
    for day in days:
        write_signals(here, day)

    brought = bring_distances(here, now=lambda: NOW)

    assert not brought.failed
    assert query(here, "SELECT DISTINCT agrees, said_by FROM reconciliation") == [(True, "telemetry")]
    assert query(here, "SELECT count(*) > 6, bool_or(dimo_km > 20), count(ours_km) > 6 FROM reconciliation") == [
        (True, True, True)
    ]
    # Every day there is was brought, so each row that the service counts is held.
    assert query(here, "SELECT DISTINCT verdict FROM telemetry_bounds") == [("all",)]
    assert query(here, "SELECT count(*) FROM dimo_distances WHERE drives IS NULL OR driving_s IS NULL") == [(0,)]


def test_a_day_that_is_not_held_is_told_of(settings):
    fetch_days(settings, [date(2026, 1, 13)])
    write_signals(settings, date(2026, 1, 13))

    bring_distances(settings, now=lambda: NOW)

    told = dict(query(settings, f"SELECT date, why FROM reconciliation WHERE vehicle_id = '{LEXUS}'"))
    assert told[date(2026, 1, 13)] == "agrees"
    assert told[date(2026, 1, 14)] == "newer_than_ours"
    assert told[date(2026, 1, 12)] == "before_our_first_day"


def test_a_vehicle_that_does_not_share_its_position_is_counted_and_is_no_failure(settings):
    here = replace(settings, vehicles=(LEXUS, KIA))

    brought = bring_distances(here, now=lambda: NOW)

    assert not brought.failed
    assert list(brought.not_shared) == [KIA]
    assert "missing required privilege(s) privilege:GetLocationHistory" in str(brought.not_shared[KIA])
    assert {said.vehicle_id for said in brought.said} == {LEXUS}


def test_what_a_vehicle_stores_and_does_not_share_is_told_from_what_is_missing(settings):
    here = replace(settings, vehicles=(KIA,))
    fetch_days(here, [date(2026, 1, 13)])
    write_signals(here, date(2026, 1, 13))

    verdicts = dict(query(here, "SELECT name, verdict FROM telemetry_bounds WHERE kind = 'signal'"))
    assert verdicts.pop("currentLocationCoordinates") == "not_shared"
    assert set(verdicts.values()) == {"not_reached"}


@pytest.fixture
def asked():
    """Asks a server of the test's own for the days before a moment, and says what it was asked."""
    server = Server()

    def ask(now: datetime, zone: str, records: int | None = None):
        windows = []

        def answer(request):
            if request.path == "/v1/tokens/exchange":
                return ok({"token": "vehicle"})
            told = request.json["variables"]
            windows.append((told["from"], told["to"]))
            first, last = (datetime.fromisoformat(told[end]) for end in ("from", "to"))
            days = (last - first) // timedelta(days=1) + 1 if records is None else records
            return ok({"data": {"dailyActivity": [{"segmentCount": 1, "duration": 60, "signals": []}] * days}})

        server.answer = answer
        names = ("TOKEN_EXCHANGE", "DEVICE_DATA", "TELEMETRY")
        urls = {f"DIMO_{name}_URL": server.url for name in names}
        settings = Settings.from_environment(SANDBOX_LICENCE | {"DIMO_ENVIRONMENT": "sandbox"} | urls)
        with Transport(concurrency=1, sleep=lambda _: None) as transport:
            tokens = VehicleTokens(transport, Developer(), settings, purpose=SIGNALS)
            source = TelemetryDistances(Telemetry(transport, tokens, settings), lambda: now)
            return source.daily(Vehicle("1", token_id=1), zone), windows

    yield ask
    server.close()


def test_a_day_on_which_the_clocks_change_is_left_out(asked):
    days, windows = asked(datetime(2026, 4, 2, 12, tzinfo=UTC), "Europe/Berlin")

    assert [day.day for day in days] == [
        day for day in days_between(date(2026, 3, 20), date(2026, 4, 2)) if day != date(2026, 3, 29)
    ]
    assert windows == [
        ("2026-03-19T23:00:00+00:00", "2026-03-27T23:00:01+00:00"),
        ("2026-03-29T22:00:00+00:00", "2026-04-01T22:00:01+00:00"),
    ]


def test_a_day_alone_is_not_asked_for_with_an_end_that_is_its_start(asked):
    _, windows = asked(datetime(2026, 3, 30, 12, tzinfo=UTC), "Europe/Berlin")

    assert windows[-1] == ("2026-03-29T22:00:00+00:00", "2026-03-29T22:00:01+00:00")


def test_days_that_are_too_few_are_not_taken_for_others(asked):
    with pytest.raises(ServiceError, match="it has 13 days where 14 were asked for"):
        asked(datetime(2026, 1, 20, 12, tzinfo=UTC), "UTC", records=13)
