"""The simulated fleet: the truth that the sandbox serves and that tests compare with.

What a vehicle reported on a day depends on (seed, vehicle, day) alone; only how much of it has arrived
depends on the fleet's clock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from functools import lru_cache
from random import Random
from threading import RLock
from typing import cast

import orjson

from dimo_etl.sandbox.chance import chance
from dimo_etl.sandbox.document import Document, JsonObject, Report
from dimo_etl.sandbox.drives import DayOfDriving, Driver
from dimo_etl.sandbox.sources import autopi, macaron, smartcar, v2device
from dimo_etl.sandbox.vehicles import Kind, SimVehicle, simulated_vehicles

_SOURCES: dict[Kind, Callable[[SimVehicle, DayOfDriving, Random], Iterator[Report]]] = {
    "autopi": autopi.reports,
    "smartcar": smartcar.smartcar,
    "tesla": smartcar.tesla,
    "macaron": macaron.reports,
    "v2": v2device.reports,
}
# Vehicle-days kept in memory; the densest weighs about 5 MB.
_KEPT_DAYS = 120


class Fleet:
    """Simulated vehicles and everything they ever reported.

    Attributes:
        vehicles: those shared with the sandbox licence, ascending by token id.
        everyone: `vehicles` and one that is not shared.
    """

    def __init__(self, seed: int, now: Callable[[], datetime]) -> None:
        """Make a fleet.

        Args:
            seed: chooses the fleet.
            now: the fleet's clock; what arrives after it does not exist yet.
        """
        self.everyone = simulated_vehicles(seed)
        self.vehicles = tuple(vehicle for vehicle in self.everyone if vehicle.granted)
        self._seed = seed
        self._now = now
        self._by_token = {vehicle.token_id: vehicle for vehicle in self.everyone}
        self._drivers = {vehicle.token_id: Driver(seed, vehicle) for vehicle in self.everyone}
        self._lock = RLock()
        self._generated = lru_cache(maxsize=_KEPT_DAYS)(self._generate)

    def now(self) -> datetime:
        """The time on the fleet's clock, UTC."""
        return self._now()

    def vehicle(self, token_id: int) -> SimVehicle | None:
        """The vehicle with a token id, shared or not."""
        return self._by_token.get(token_id)

    def vehicle_of_device(self, user_device_id: str) -> SimVehicle | None:
        """The vehicle with a user device id, shared or not."""
        return next((v for v in self.everyone if v.user_device_id == user_device_id), None)

    def driver(self, token_id: int) -> Driver:
        """How the vehicle really moves, whatever its documents say."""
        return self._drivers[token_id]

    def documents(self, token_id: int, day: date) -> tuple[Document, ...]:
        """The documents of a UTC day that have arrived by now, ascending by the time of measuring."""
        now = self._now()
        if day > now.date():
            return ()
        with self._lock:
            documents = self._generated(token_id, day)
        if (now.date() - day).days > 1:
            return documents
        now_ms = int(now.timestamp() * 1000)
        return tuple(document for document in documents if document.received_ms <= now_ms)

    def events(self, token_id: int, day: date) -> list[JsonObject]:
        """The CloudEvents of a UTC day, also those that have neither odometer nor latitude, which history skips."""
        return [_event(document) for document in self.documents(token_id, day)]

    def reachable(self, token_id: int, day: date) -> list[JsonObject]:
        """The CloudEvents of a UTC day that history counts: `data.odometer` or `data.latitude` exists."""
        return [_event(document) for document in self.documents(token_id, day) if document.matches]

    def _generate(self, token_id: int, day: date) -> tuple[Document, ...]:
        vehicle = self._by_token[token_id]
        if day < vehicle.since:
            return ()
        driving = self._drivers[token_id].day(day)
        random = chance(self._seed, token_id, day, "reports")
        reports = _SOURCES[vehicle.kind](vehicle, driving, random)
        return tuple(sorted(map(Document.of, reports), key=lambda document: document.measured_ms))


def _event(document: Document) -> JsonObject:
    return cast(JsonObject, orjson.loads(document.payload))


def end_of_day(day: date) -> datetime:
    """The last moment of a UTC day."""
    return datetime(day.year, day.month, day.day, 23, 59, 59, 999_000, tzinfo=UTC)
