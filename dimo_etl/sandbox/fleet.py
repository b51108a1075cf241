"""The simulated fleet: the truth that the sandbox serves and that tests compare with.

What a vehicle reported on a day depends on (seed, vehicle, day) alone; only how much of it has arrived
depends on the fleet's clock.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import cast

import orjson

from dimo_etl.sandbox import reported
from dimo_etl.sandbox.document import Document, JsonObject
from dimo_etl.sandbox.drives import Driver
from dimo_etl.sandbox.odometers import OdometerColumn, odometer_column
from dimo_etl.sandbox.vehicles import RAW_KINDS, SimVehicle, simulated_vehicles

HISTORY_DAYS = 60


class Fleet:
    """Simulated vehicles and everything they ever reported.

    Attributes:
        vehicles: those shared with the sandbox licence, ascending by token id.
        everyone: `vehicles` and one that is not shared.
        unminted: a vehicle of the licence's account that has no NFT.
        first_day: the first UTC day with documents.
        seed: what chose the fleet.
    """

    def __init__(
        self, seed: int, now: Callable[[], datetime], *, history_days: int = HISTORY_DAYS, raw: bool = False
    ) -> None:
        """Make a fleet.

        Args:
            seed: chooses the fleet.
            now: the fleet's clock; what arrives after it does not exist yet.
            history_days: how many days before today the documents begin.
            raw: with the vehicles that only the Fetch and Telemetry APIs know.
        """
        *everyone, self.unminted = simulated_vehicles(seed, raw=raw)
        self.everyone = tuple(everyone)
        self.vehicles = tuple(vehicle for vehicle in self.everyone if vehicle.granted)
        self.first_day = now().date() - timedelta(days=history_days)
        self.seed = seed
        self._now = now
        self._by_token = {vehicle.token_id: vehicle for vehicle in (*self.everyone, self.unminted)}

    def now(self) -> datetime:
        """The time on the fleet's clock, UTC."""
        return self._now()

    def vehicle(self, token_id: int) -> SimVehicle | None:
        """The vehicle with a token id, shared or not."""
        return self._by_token.get(token_id)

    def vehicle_of_device(self, user_device_id: str) -> SimVehicle | None:
        """The vehicle with a user device id, shared or not."""
        return next((v for v in self._by_token.values() if v.user_device_id == user_device_id), None)

    def share(self, token_id: int, granted: frozenset[int]) -> None:
        """Grant the sandbox licence these privileges of a vehicle from now on, and no others; none ends sharing it."""
        changed = replace(self._by_token[token_id], granted=granted)
        self._by_token[token_id] = changed
        self.everyone = tuple(changed if vehicle.token_id == token_id else vehicle for vehicle in self.everyone)
        self.vehicles = tuple(vehicle for vehicle in self.everyone if vehicle.granted)

    def driver(self, token_id: int) -> Driver:
        """How the vehicle really moves, whatever its documents say."""
        return reported.driver(self.seed, token_id)

    def documents(self, token_id: int, day: date) -> tuple[Document, ...]:
        """The documents of a UTC day that have arrived by now, ascending by the time of measuring."""
        now = self._now()
        if not self.first_day <= day <= now.date():
            return ()
        documents = reported.reported(self.seed, token_id, day)
        if (now.date() - day).days > 1:
            return documents
        now_ms = int(now.timestamp() * 1000)
        return tuple(document for document in documents if document.received_ms <= now_ms)

    def indexed(self, token_id: int, day: date) -> tuple[Document, ...]:
        """Those of a day's documents that the Device Data API has: all, or none of a vehicle that came after it."""
        return () if self._by_token[token_id].kind in RAW_KINDS else self.documents(token_id, day)

    def events(self, token_id: int, day: date) -> list[JsonObject]:
        """The CloudEvents of a UTC day, also those that have neither odometer nor latitude, which history skips."""
        return [_event(document) for document in self.documents(token_id, day)]

    def reachable(self, token_id: int, day: date) -> list[JsonObject]:
        """The CloudEvents of a UTC day that history counts: `data.odometer` or `data.latitude` exists."""
        return [_event(document) for document in self.documents(token_id, day) if document.matches]

    def odometers(self, token_id: int, day: date) -> OdometerColumn:
        """The odometers of a UTC day's documents that have arrived by now; days long past are remembered."""
        now = self._now()
        if day < self.first_day or (now.date() - day).days <= 1:
            return odometer_column(self.documents(token_id, day))
        return reported.odometers(self.seed, token_id, day)


def _event(document: Document) -> JsonObject:
    return cast(JsonObject, orjson.loads(document.payload))


def end_of_day(day: date) -> datetime:
    """The last moment of a UTC day."""
    return datetime(day.year, day.month, day.day, 23, 59, 59, 999_000, tzinfo=UTC)
