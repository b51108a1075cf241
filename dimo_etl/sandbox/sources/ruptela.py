"""Generation G: a Ruptela device; numbers by id, hexadecimal, and once a minute of driving a list of positions.

A message goes by the second at which the device made it. Its odometer counts 5 m under one id; the other id, which it
does not support, is all ones. An id that nobody knows comes with each message.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dimo_etl.sandbox.chance import ksuid
from dimo_etl.sandbox.document import Json, Report, envelope

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

    from dimo_etl.sandbox.document import JsonObject
    from dimo_etl.sandbox.drives import DayOfDriving, State
    from dimo_etl.sandbox.vehicles import SimVehicle

_TANK_M = 760_000
_DRIVING_S, _PARKED_S, _POSITIONS_EVERY_S, _POSITIONS = 10, 900, 60, 12
_UNKNOWN_ODOMETERS = 0.004


def reports(vehicle: SimVehicle, driving: DayOfDriving, random: Random) -> Iterator[Report]:
    """Every document of a day, in order of measuring."""
    moments = {driving.start_ms + second * 1000 for second in range(random.randrange(_PARKED_S), 86_400, _PARKED_S)}
    for drive in driving.drives:
        moments |= {state.ms for state in (*drive[::_DRIVING_S], drive[-1])}
    for ms in sorted(moments):
        yield _report(vehicle, ms, "r/v0/s", _status(driving.at(ms), random), random)
    for drive in driving.drives:
        for first in range(0, len(drive) - _POSITIONS, _POSITIONS_EVERY_S):
            listed = drive[first : first + _POSITIONS]
            places: list[Json] = [{**_place(state), "ts": state.ms // 1000} for state in listed]
            yield _report(vehicle, listed[-1].ms, "r/v0/loc", {"location": places}, random)


def _report(vehicle: SimVehicle, ms: int, version: str, data: JsonObject, random: Random) -> Report:
    event = envelope(vehicle, ksuid(ms // 1000, random), vehicle.kind, ms, data)
    return Report(ms, ms, event | {"dataversion": version})


def _status(state: State, random: Random) -> JsonObject:
    is_running = state.running_s > 0
    odometer = 0 if random.random() < _UNKNOWN_ODOMETERS else round(state.odometer_m / 5)
    fuel = round(255 * (1 - 0.9 * ((state.odometer_m % _TANK_M) / _TANK_M)))
    return {
        "pos": {**_place(state), "sat": random.randint(7, 16), "spd": round(state.speed_kmh)},
        "prt": 0,
        "signals": {
            "29": f"{round((14_100 if is_running else 12_500) + random.gauss(0, 50)):x}",
            "94": f"{round(4 * (800 + (state.speed_kmh * 37) % 1500)) if is_running else 0:x}",
            "95": f"{round(state.speed_kmh):x}",
            "96": f"{40 + round(15 + 74 * min(1.0, state.running_s / 480)):x}",
            "97": f"{40 + 11:x}",
            "98": f"{fuel:x}",
            "114": f"{odometer:08X}",
            "409": f"{is_running:x}",
            "645": "FFFFFFFF",
            "985": "0",
            "1001": f"{random.randrange(256):x}",
        },
        "trigger": 7 if is_running else 9,
    }


def _place(state: State) -> JsonObject:
    return {
        "alt": round(10 * (34 + 20 * (state.latitude % 0.05) / 0.05)),
        "dir": round(100 * (state.heading % 360)),
        "hdop": 8,
        "lat": round(state.latitude * 1e7),
        "lon": round(state.longitude * 1e7),
    }
