"""A sandbox for all tests, and for each test a warehouse of its own and whoever takes its snapshots."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from dimo_etl.api.retry import RetryPolicy
from dimo_etl.batch import fetch_days
from dimo_etl.config import Settings
from dimo_etl.connection import Connection
from dimo_etl.lake.store import Store
from dimo_etl.sandbox.server import SandboxServer
from dimo_etl.snapshots.take import VehicleSnapshot, take_snapshots
from dimo_etl.warehouse import Warehouse
from tests.signals import write_signals

TODAY = date(2026, 1, 14)
LEXUS, HONDA, TESLA = "5023", "7345", "8102"
AT_ONCE = RetryPolicy(first_seconds=0.0)
ROUTES = "/device-data-api/v{}/vehicle/{}/{}"


@dataclass
class Household:
    """A licence with three vehicles and its warehouse; what fails is tried again at once."""

    sandbox: SandboxServer
    root: Path
    named: tuple[str, ...] = (LEXUS, HONDA, TESLA)
    clock: datetime = datetime(2026, 1, 15, 0, 5, tzinfo=UTC)
    done: list[VehicleSnapshot] = field(default_factory=list)
    source: str = "device-data"

    @property
    def settings(self) -> Settings:
        here = {"DIMO_WAREHOUSE": str(self.root), "DIMO_VEHICLES": ",".join(self.named), "DIMO_SOURCE": self.source}
        return Settings.from_environment({**self.sandbox.environ, **here})

    def look(self) -> dict[str, VehicleSnapshot]:
        """Take a snapshot of each vehicle, an hour after the one before."""
        self.clock += timedelta(hours=1)
        settings = self.settings
        with Store(settings.warehouse) as store, Connection(settings, policy=AT_ONCE) as connection:
            taken = take_snapshots(
                store,
                connection.status_source(),
                connection.vehicles(),
                concurrency=2,
                now=lambda: self.clock,
                progress=self.done.append,
            )
        return {one.vehicle_id: one for one in taken}

    def bring(self, *days: date) -> None:
        """Bring days of history."""
        fetch_days(self.settings, days)
        for day in days:
            write_signals(self.settings, day)

    def query(self, sql: str) -> list[tuple[object, ...]]:
        with Warehouse.open(self.root) as warehouse:
            return warehouse.execute(sql).fetchall()

    def beside(self, root: Path) -> Household:
        """The same licence with another warehouse."""
        return replace(self, root=root, done=[])


@pytest.fixture(scope="session")
def _running() -> Iterator[SandboxServer]:
    with SandboxServer(port=0, seed=1, today=TODAY) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(_running: SandboxServer) -> Iterator[SandboxServer]:
    granted = {vehicle.token_id: vehicle.granted for vehicle in _running.fleet.everyone}
    yield _running
    _running.faults.clear()
    _running.today = TODAY
    for token_id, privileges in granted.items():
        _running.fleet.share(token_id, privileges)


@pytest.fixture
def household(sandbox: SandboxServer, tmp_path: Path) -> Household:
    return Household(sandbox, tmp_path / "warehouse")
