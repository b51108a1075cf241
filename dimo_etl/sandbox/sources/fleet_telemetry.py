"""Generation H as newer cars have it: a Tesla that streams protobuf messages of one to nine fields, many in a document.

While it drives, a document a minute: where and how fast it is every ten seconds, and its odometer. While it stands, one
an hour. The doors open before a drive, with which it tells its odometer, too. Numbers of the tyres come as texts, as
from older cars; one field is of a protocol newer than the published one, and what has no value says so.
"""

from __future__ import annotations

import struct
from base64 import b64encode
from typing import TYPE_CHECKING

from dimo_etl.sandbox.chance import ksuid
from dimo_etl.sandbox.document import Json, Report, envelope
from dimo_etl.sandbox.sources.battery import CAPACITY_KWH, CHARGER_KW, LIMIT, RANGE_KM, HomeCharging

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

    from dimo_etl.sandbox.drives import DayOfDriving, State
    from dimo_etl.sandbox.vehicles import SimVehicle

_KM = 1.609344
_DRIVING_S, _MINUTE_S, _HOUR_S = 10, 60, 3600
_DOOR_OPEN_S = 20
_VARINT, _BITS_64, _BYTES = 0, 1, 2
# Fields, members of `Value`, and words, by their numbers in the maker's schema.
_SPEED, _ODOMETER, _SOC, _LOCATION, _ENERGY_IN, _POWER, _LIMIT, _RANGE = 4, 5, 8, 21, 34, 37, 38, 40
_DOORS, _WINDOWS, _TYRES, _OUTSIDE, _ENERGY, _CHARGE_STATE, _NEWER = 58, range(60, 64), range(69, 73), 86, 158, 179, 300
_SHUT, _AJAR, _DISCONNECTED, _CHARGING = 1, 2, 1, 4


def reports(vehicle: SimVehicle, driving: DayOfDriving, random: Random) -> Iterator[Report]:
    """Every document of a day, in order of measuring."""
    home = HomeCharging(driving)
    first_s = random.randrange(_MINUTE_S, _HOUR_S - _MINUTE_S)
    parked = [driving.at(driving.start_ms + second * 1000) for second in range(first_s, 86_400, _HOUR_S)]
    found = [(state.ms, [_standing(state, home, random)]) for state in parked if not state.running_s]
    for drive in driving.drives:
        opened = drive[0]._replace(ms=drive[0].ms - _DOOR_OPEN_S * 1000)
        woken = [_message(opened, _door(is_open=True)), _message(drive[0], _door(is_open=False), _odometer(drive[0]))]
        found.append((drive[0].ms, woken))
        for first in range(0, len(drive), _MINUTE_S):
            minute = drive[first : first + _MINUTE_S]
            moving = [_moving(state) for state in minute[::_DRIVING_S]]
            found.append((minute[-1].ms, [*moving, _progress(minute[-1], home)]))
    for ms, messages in sorted(found, key=lambda one: one[0]):
        payloads: list[Json] = [b64encode(message + _member(3, vehicle.vin.encode())).decode() for message in messages]
        received_ms = ms + random.randint(200, 900)
        event = envelope(vehicle, ksuid(received_ms // 1000, random), vehicle.kind, received_ms, {"payloads": payloads})
        yield Report(ms, received_ms, event | {"dataversion": "fleet_telemetry/v1.0.0"})


def _moving(state: State) -> bytes:
    place = _member(1, round(state.latitude, 6)) + _member(2, round(state.longitude, 6))
    return _message(state, _datum(_LOCATION, 7, place), _datum(_SPEED, 5, round(state.speed_kmh / _KM, 1)))


def _progress(state: State, home: HomeCharging) -> bytes:
    soc = home.soc(state)
    return _message(
        state,
        _odometer(state),
        _datum(_SOC, 5, soc * 100),
        _datum(_RANGE, 5, soc * RANGE_KM / _KM),
        _datum(_ENERGY, 5, soc * CAPACITY_KWH),
        _datum(_NEWER, 5, 1.5),
    )


def _standing(state: State, home: HomeCharging, random: Random) -> bytes:
    is_charging, soc = home.is_charging(state.ms), home.soc(state)
    return _message(
        state,
        _datum(_SPEED, 10, True),
        _odometer(state),
        _datum(_SOC, 5, soc * 100),
        _datum(_OUTSIDE, 5, 11.0),
        _datum(_LIMIT, 2, round(LIMIT * 100)),
        _datum(_CHARGE_STATE, 32, _CHARGING if is_charging else _DISCONNECTED),
        _datum(_POWER, 5, float(CHARGER_KW if is_charging else 0)),
        _datum(_ENERGY_IN, 5, max(0.0, soc - home.arrival) * CAPACITY_KWH if is_charging else 0.0),
        *(_datum(window, 24, _AJAR if window == _WINDOWS[0] else _SHUT) for window in _WINDOWS),
        *(_datum(tyre, 1, f"{2.9 + random.gauss(0, 0.02):.9f}".encode()) for tyre in _TYRES),
    )


def _odometer(state: State) -> bytes:
    return _datum(_ODOMETER, 5, state.odometer_m / 1000 / _KM)


def _door(*, is_open: bool) -> bytes:
    return _datum(_DOORS, 21, _member(1, True) if is_open else b"")


def _message(state: State, *data: bytes) -> bytes:
    """A payload of some fields, made at the moment of a state."""
    created_at = _member(1, state.ms // 1000) + _member(2, state.ms % 1000 * 1_000_000)
    return b"".join(_member(1, one) for one in data) + _member(2, created_at)


def _datum(field: int, member: int, value: bytes | float) -> bytes:
    return _member(1, field) + _member(2, _member(member, value))


def _member(number: int, value: bytes | float) -> bytes:
    """A member of a message: a whole number or a truth as a varint, any other number as 64 bits."""
    if isinstance(value, bytes):
        return _varint(number << 3 | _BYTES) + _varint(len(value)) + value
    if isinstance(value, int):
        return _varint(number << 3 | _VARINT) + _varint(value)
    return _varint(number << 3 | _BITS_64) + struct.pack("<d", value)


def _varint(number: int) -> bytes:
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*found, number])
