"""What a vehicle reported on a day, whatever has arrived of it: it depends on (seed, vehicle, day) alone.

So it is remembered for every fleet of the process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from functools import lru_cache
from random import Random
from threading import RLock

from dimo_etl.sandbox.chance import chance
from dimo_etl.sandbox.document import Document, Report
from dimo_etl.sandbox.drives import DayOfDriving, Driver
from dimo_etl.sandbox.odometers import OdometerColumn, odometer_column
from dimo_etl.sandbox.sources import autopi, fleet_api, fleet_telemetry, macaron, ruptela, smartcar, v2device
from dimo_etl.sandbox.vehicles import Kind, SimVehicle, simulated_vehicles

_SOURCES: dict[Kind, Callable[[SimVehicle, DayOfDriving, Random], Iterator[Report]]] = {
    "autopi": autopi.reports,
    "smartcar": smartcar.smartcar,
    "tesla": smartcar.tesla,
    "macaron": macaron.reports,
    "v2": v2device.reports,
    "ruptela": ruptela.reports,
    "fleet-api": fleet_api.reports,
    "fleet-telemetry": fleet_telemetry.reports,
}
# Vehicle-days kept in memory; the densest weighs about 5 MB, its odometers 60 kB.
_KEPT_DAYS, _KEPT_ODOMETERS = 120, 4_096
_lock = RLock()


def reported(seed: int, token_id: int, day: date) -> tuple[Document, ...]:
    """The documents of a UTC day from when the vehicle was connected, ascending by the time of measuring."""
    with _lock:
        return _kept(seed, token_id, day)


def odometers(seed: int, token_id: int, day: date) -> OdometerColumn:
    """Their odometers."""
    with _lock:
        return _kept_odometers(seed, token_id, day)


@lru_cache(maxsize=64)
def driver(seed: int, token_id: int) -> Driver:
    """How a vehicle moves."""
    return Driver(seed, _vehicle(seed, token_id))


def forget() -> None:
    """Forget everything, so that it is made anew."""
    for kept in (_kept, _kept_odometers, driver):
        kept.cache_clear()


def _made(seed: int, token_id: int, day: date) -> tuple[Document, ...]:
    vehicle = _vehicle(seed, token_id)
    if day < vehicle.since:
        return ()
    driving = driver(seed, token_id).day(day)
    reports = _SOURCES[vehicle.kind](vehicle, driving, chance(seed, token_id, day, "reports"))
    return tuple(sorted(map(Document.of, reports), key=lambda document: document.measured_ms))


@lru_cache(maxsize=_KEPT_DAYS)
def _kept(seed: int, token_id: int, day: date) -> tuple[Document, ...]:
    return _made(seed, token_id, day)


@lru_cache(maxsize=_KEPT_ODOMETERS)
def _kept_odometers(seed: int, token_id: int, day: date) -> OdometerColumn:
    # Not by way of the documents: those of all days would push out what is asked for again.
    return odometer_column(_made(seed, token_id, day))


@lru_cache(maxsize=64)
def _vehicle(seed: int, token_id: int) -> SimVehicle:
    return next(vehicle for vehicle in simulated_vehicles(seed, raw=True) if vehicle.token_id == token_id)
