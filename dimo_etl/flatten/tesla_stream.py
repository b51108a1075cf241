"""What a Tesla streams: payloads of a few fields each, in the protobuf messages of its maker's Fleet Telemetry.

A document of theirs says so by its `dataversion`, and has them as base64 texts in the list `payloads`. Each value is a
leaf of its own with the time of its payload, under the name of its field; the list stays beside them as it came.

    a field            `Odometer`; one without a name here `Field300`
    a compound         a leaf for each of its members: `Location.latitude`, `DoorState.DriverFront`
    one of a list      its word: `WindowStateOpened`; one without a word here its number
    a member unknown   by its number: `Odometer.99`; bytes as base64
    no value           `VehicleSpeed.invalid`, a truth, where the car says that it has none; null where it says nothing
    of the payload     `vin`, `is_resend`

Rules: Tesla's `vehicle_data.proto`, and DIMO's converter for it (model-garage, pkg/tesla/telemetry).
"""

from __future__ import annotations

import binascii
import math
import struct
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from dimo_etl.flatten.tesla_names import FIELDS, WORDS
from dimo_etl.flatten.wire import BITS_32, BITS_64, BYTES, VARINT, Member, WireError, read_members, signed
from dimo_etl.timestamps import to_us

_VERSION = "fleet_telemetry/"
_DATA, _CREATED_AT, _VIN, _IS_RESEND = 1, 2, 3, 4
_KEY, _VALUE = 1, 2
_SECONDS, _NANOS = 1, 2
Value = str | int | float | bool | None
Leaf = tuple[str, Value]


@dataclass(frozen=True, slots=True)
class Streamed:
    """The values of one payload, and when it was made, microseconds since the epoch; None where it does not say."""

    time_us: int | None
    leaves: list[Leaf]


def is_streamed(dataversion: object, payloads: object) -> bool:
    """Whether a document is of this kind: by the version of its data, and because it has a list of payloads."""
    return isinstance(dataversion, str) and dataversion.startswith(_VERSION) and bool(payloads) and _is_texts(payloads)


def read_payload(text: str) -> Streamed:
    """The values of a payload.

    Args:
        text: base64.

    Raises:
        WireError: it cannot be read.
    """
    try:
        message = b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise WireError("not base64") from error
    time_us: int | None = None
    leaves: list[Leaf] = []
    for number, kind, value in read_members(message):
        if (number, kind) == (_DATA, BYTES):
            leaves += _datum(_bytes(value))
        elif (number, kind) == (_CREATED_AT, BYTES):
            time_us = _moment(_bytes(value))
        elif (number, kind) == (_VIN, BYTES):
            leaves.append(("vin", _text(value)))
        elif (number, kind) == (_IS_RESEND, VARINT):
            leaves.append(("is_resend", value != 0))
        else:
            leaves.append((f"payloads.{number}", _unknown(value)))
    return Streamed(time_us, leaves)


def _datum(message: bytes) -> Iterator[Leaf]:
    """The leaves of one field and its value."""
    key, parts, others = 0, [], []
    for number, kind, value in read_members(message):
        if (number, kind) == (_KEY, VARINT):
            key = signed(int(value))
        elif (number, kind) == (_VALUE, BYTES):
            parts.append(_bytes(value))
        else:
            others.append((number, value))
    name = FIELDS[key] if 0 <= key < len(FIELDS) else f"Field{key}"
    # A message that comes in parts is the sum of them.
    members = read_members(b"".join(parts))
    yield from _value(name, members[-1]) if members else [(name, None)]
    # Of several values the last counts; the others, which no car sends, are kept by their numbers as well.
    yield from ((f"{name}.{number}", _unknown(value)) for number, _, value in members[:-1])
    yield from ((f"{name}.datum.{number}", _unknown(value)) for number, value in others)


def _value(name: str, member: Member) -> Iterator[Leaf]:
    """The leaves of a value, which is one member of many."""
    number, kind, value = member
    if kind == VARINT and number in WORDS:
        place, words = signed(int(value)), WORDS[number]
        yield name, words[place] if 0 <= place < len(words) else place
    elif number in _COMPOUNDS and kind == BYTES:
        yield from _compound(name, number, _bytes(value))
    elif number in _SCALARS and kind == _SCALARS[number][0]:
        yield name, _SCALARS[number][1](value)
    elif (number, kind) == (_INVALID, VARINT):
        yield f"{name}.invalid", value != 0
    else:
        yield f"{name}.{number}", _unknown(value)


def _compound(name: str, number: int, message: bytes) -> Iterator[Leaf]:
    """A leaf for each member there is; one that is not sent has the value that stands for nothing."""
    kind, members = _COMPOUNDS[number]
    found: dict[int, Value] = {}
    for place, wire_type, value in read_members(message):
        if place in members and wire_type == kind.wire_type:
            found[place] = kind.read(value)
        else:
            yield f"{name}.{place}", _unknown(value)
    for place, member in members.items():
        yield f"{name}.{member}", found.get(place, kind.nothing)


def _moment(message: bytes) -> int | None:
    found = {number: signed(int(value)) for number, kind, value in read_members(message) if kind == VARINT}
    seconds = found.get(_SECONDS, 0)
    # Seconds alone: by its size `to_us` would take a number for one of milliseconds.
    time_us = to_us(seconds) if abs(seconds) < 10**11 else None
    return None if time_us is None else time_us + found.get(_NANOS, 0) // 1000


def _text(value: int | bytes) -> str:
    try:
        return _bytes(value).decode()
    except UnicodeDecodeError as error:
        raise WireError("a text that is not UTF-8") from error


def _float(value: int | bytes) -> float | str:
    """A number; what is none by its word, as protobuf's own JSON has it."""
    number: float = struct.unpack("<f" if len(_bytes(value)) == 4 else "<d", _bytes(value))[0]
    if math.isfinite(number):
        return number
    return "NaN" if math.isnan(number) else "Infinity" if number > 0 else "-Infinity"


def _integer(value: int | bytes) -> int:
    return signed(int(value))


def _truth(value: int | bytes) -> bool:
    return value != 0


def _unknown(value: int | bytes) -> Value:
    return signed(value) if isinstance(value, int) else b64encode(value).decode()


def _bytes(value: int | bytes) -> bytes:
    if isinstance(value, int):
        raise WireError("a number where bytes belong")
    return value


def _is_texts(found: object) -> bool:
    return isinstance(found, list) and all(isinstance(one, str) for one in found)


@dataclass(frozen=True, slots=True)
class _Kind:
    """How the members of a compound are read, and what stands for one that is not sent."""

    wire_type: int
    read: Callable[[int | bytes], Value]
    nothing: Value


_DEGREES, _TRUTHS, _COUNTS = _Kind(BITS_64, _float, 0.0), _Kind(VARINT, _truth, False), _Kind(VARINT, _integer, 0)
_INVALID = 10
_SCALARS: dict[int, tuple[int, Callable[[int | bytes], Value]]] = {
    1: (BYTES, _text),
    2: (VARINT, _integer),
    3: (VARINT, _integer),
    4: (BITS_32, _float),
    5: (BITS_64, _float),
    6: (VARINT, _truth),
}
_DOORS = "DriverFront DriverRear PassengerFront PassengerRear TrunkFront TrunkRear"
_TYRES = (
    "front_left front_right rear_left rear_right semi_middle_axle_left_2 semi_middle_axle_right_2 "
    "semi_rear_axle_left semi_rear_axle_right semi_rear_axle_left_2 semi_rear_axle_right_2"
)
_COMPOUNDS = {
    7: (_DEGREES, dict(enumerate(["latitude", "longitude"], 1))),
    21: (_TRUTHS, dict(enumerate(_DOORS.split(), 1))),
    31: (_COUNTS, dict(enumerate(["hour", "minute", "second"], 1))),
    39: (_TRUTHS, dict(enumerate(_TYRES.split(), 1))),
}
