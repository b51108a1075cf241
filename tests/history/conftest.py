"""A fetcher over real HTTP to a sandbox, whose retries do not really wait."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from dimo_etl.api.auth import access_tokens
from dimo_etl.api.device_data import DeviceData
from dimo_etl.api.exchange import VehicleTokens
from dimo_etl.api.transport import Transport
from dimo_etl.api.user_devices import UserDevices
from dimo_etl.config import Settings
from dimo_etl.history.device_data import DeviceDataSource
from dimo_etl.history.fetch import Fetcher, VehicleDay
from dimo_etl.history.routes import ByTokenId, ByUserDeviceId
from dimo_etl.lake.raw import events_of, find_unit
from dimo_etl.lake.store import Store
from dimo_etl.model import Vehicle
from dimo_etl.sandbox.server import SandboxServer

TODAY = date(2026, 1, 15)
DAYS = [date(2026, 1, 12) + timedelta(days=n) for n in range(2)]
NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)


@dataclass
class Bench:
    """A sandbox, a warehouse, and what brings the one into the other."""

    sandbox: SandboxServer
    store: Store

    @property
    def vehicles(self) -> list[Vehicle]:
        return [Vehicle(str(one.token_id), token_id=one.token_id) for one in self.sandbox.fleet.vehicles]

    def fetch(
        self,
        vehicles: Sequence[Vehicle] | None = None,
        days: Sequence[date] = DAYS,
        *,
        refresh: bool = False,
        progress=lambda _: None,
        now: datetime = NOW,
    ) -> dict[tuple[str, date], VehicleDay]:
        """Fetch, by vehicle and day."""
        settings = Settings.from_environment(self.sandbox.environ)
        with Transport(concurrency=4, sleep=lambda _: None) as transport:
            access = access_tokens(transport, settings)
            tokens = VehicleTokens(transport, access, settings, granted={})
            routes = [
                ByTokenId(DeviceData(transport, tokens, settings)),
                ByUserDeviceId(UserDevices(transport, access, settings)),
            ]
            fetcher = Fetcher(self.store, DeviceDataSource(routes), concurrency=4, now=lambda: now)
            done = fetcher.fetch(vehicles or self.vehicles, days, refresh=refresh, progress=progress)
        return {(one.coverage.vehicle_id, one.coverage.date): one for one in done}

    def held(self, vehicle_id: str, day: date) -> Counter[str]:
        """The event ids of a raw unit, with how often each is there."""
        unit = find_unit(self.store, vehicle_id, day)
        if unit is None:
            return Counter()
        return Counter(event.event_id for _, events in events_of(self.store, unit) for event in events)

    def truth(self, vehicle_id: str, day: date) -> Counter[str]:
        """The event ids of a vehicle-day that history can reach."""
        return Counter(str(event["id"]) for event in self.sandbox.fleet.reachable(int(vehicle_id), day))

    def assert_complete(self, vehicles: Sequence[Vehicle] | None = None, days: Sequence[date] = DAYS) -> None:
        for vehicle in vehicles or self.vehicles:
            for day in days:
                assert self.held(vehicle.vehicle_id, day) == self.truth(vehicle.vehicle_id, day)


@pytest.fixture(scope="session")
def _running():
    with SandboxServer(port=0, seed=1, today=TODAY) as sandbox:
        yield sandbox


@pytest.fixture
def bench(_running, tmp_path: Path):
    with Store(str(tmp_path / "lake")) as store:
        yield Bench(_running, store)
    _running.faults.clear()


@pytest.fixture
def fresh_bench(tmp_path: Path):
    """A sandbox that nobody has asked anything yet, so that its draws are the same each time."""
    with SandboxServer(port=0, seed=1, today=TODAY) as sandbox, Store(str(tmp_path / "lake")) as store:
        yield Bench(sandbox, store)
