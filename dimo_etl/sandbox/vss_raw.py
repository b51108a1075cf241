"""What the raw documents of Ruptela and of Tesla say in the telemetry service's own names and units.

Ruptela: hexadecimal numbers by id; all ones and, of most, a zero mean nothing; a zero of the speed means something
while the ignition is on. Tesla: miles, bar and kilowatts, each state with a time of its own; what it streams, also
atmospheres, words for states, and numbers as texts, each message with a time of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeAlias

from dimo_etl.flatten.tesla_stream import read_payload
from dimo_etl.sandbox.document import Json, JsonObject

Place: TypeAlias = dict[str, float]
Value: TypeAlias = float | str | Place
POSITION = "currentLocationCoordinates"
ODOMETER = "powertrainTransmissionTravelledDistance"
_KM = 1.609344


class Measurement(NamedTuple):
    """One value of one signal; `us` is when it was measured, microseconds since the epoch."""

    us: int
    name: str
    value: Value


class _Code(NamedTuple):
    """How a Ruptela number becomes a signal; `zero` says whether 0 is a value: never, while it runs, or always."""

    name: str
    most: int
    convert: Callable[[int], float]
    zero: str = "never"


_CODES = {
    "29": _Code("lowVoltageBatteryCurrentVoltage", 65_534, lambda raw: raw / 1000),
    "94": _Code("powertrainCombustionEngineSpeed", 65_534, lambda raw: raw / 4),
    "95": _Code("speed", 254, float, "running"),
    "96": _Code("powertrainCombustionEngineECT", 254, lambda raw: raw - 40.0, "always"),
    "97": _Code("exteriorAirTemperature", 254, lambda raw: raw - 40.0, "always"),
    "98": _Code("powertrainFuelSystemRelativeLevel", 254, lambda raw: raw * 100 / 255),
    "114": _Code(ODOMETER, 0xFAFF_FFFF, lambda raw: raw * 5 / 1000),
    "409": _Code("isIgnitionOn", 1, float, "always"),
    "645": _Code(ODOMETER, 0xFFFF_FFFE, float, "always"),
    "985": _Code("obdIsPluggedIn", 1, lambda raw: float(raw == 0), "always"),
}


def _same(value: float) -> float:
    return float(value)


def _from_miles(value: float) -> float:
    return value * _KM


def _from_bar(value: float) -> float:
    return value * 100


_STATES: dict[tuple[str, str], tuple[str, Callable[[float], float]]] = {
    ("charge_state", "battery_level"): ("powertrainTractionBatteryStateOfChargeCurrent", _same),
    ("charge_state", "battery_range"): ("powertrainRange", _from_miles),
    ("charge_state", "charge_energy_added"): ("powertrainTractionBatteryChargingAddedEnergy", _same),
    ("charge_state", "charge_limit_soc"): ("powertrainTractionBatteryChargingChargeLimit", _same),
    ("climate_state", "outside_temp"): ("exteriorAirTemperature", _same),
    ("drive_state", "power"): ("powertrainTractionBatteryCurrentPower", lambda value: value * -1000),
    ("drive_state", "speed"): ("speed", _from_miles),
    ("vehicle_state", "odometer"): (ODOMETER, _from_miles),
    ("vehicle_state", "tpms_pressure_fl"): ("chassisAxleRow1WheelLeftTirePressure", _from_bar),
    ("vehicle_state", "tpms_pressure_fr"): ("chassisAxleRow1WheelRightTirePressure", _from_bar),
    ("vehicle_state", "tpms_pressure_rl"): ("chassisAxleRow2WheelLeftTirePressure", _from_bar),
    ("vehicle_state", "tpms_pressure_rr"): ("chassisAxleRow2WheelRightTirePressure", _from_bar),
}


def _from_atmospheres(value: float) -> float:
    return value * 101.325


_STREAMED: dict[str, tuple[str, Callable[[float], float]]] = {
    "ACChargingPower": ("powertrainTractionBatteryCurrentPower", lambda value: value * 1000),
    "ChargeLimitSoc": ("powertrainTractionBatteryChargingChargeLimit", _same),
    "DCChargingEnergyIn": ("powertrainTractionBatteryChargingAddedEnergy", _same),
    "DoorState.DriverFront": ("cabinDoorRow1DriverSideIsOpen", _same),
    "DoorState.DriverRear": ("cabinDoorRow2DriverSideIsOpen", _same),
    "DoorState.PassengerFront": ("cabinDoorRow1PassengerSideIsOpen", _same),
    "DoorState.PassengerRear": ("cabinDoorRow2PassengerSideIsOpen", _same),
    "EnergyRemaining": ("powertrainTractionBatteryStateOfChargeCurrentEnergy", _same),
    "EstBatteryRange": ("powertrainRange", _from_miles),
    "Odometer": (ODOMETER, _from_miles),
    "OutsideTemp": ("exteriorAirTemperature", _same),
    "Soc": ("powertrainTractionBatteryStateOfChargeCurrent", _same),
    "TpmsPressureFl": ("chassisAxleRow1WheelLeftTirePressure", _from_atmospheres),
    "TpmsPressureFr": ("chassisAxleRow1WheelRightTirePressure", _from_atmospheres),
    "TpmsPressureRl": ("chassisAxleRow2WheelLeftTirePressure", _from_atmospheres),
    "TpmsPressureRr": ("chassisAxleRow2WheelRightTirePressure", _from_atmospheres),
    "VehicleSpeed": ("speed", _from_miles),
}
_STREAMED_STATES = {
    "DetailedChargeState": (
        ("powertrainTractionBatteryChargingIsCharging", "DetailedChargeStateCharging"),
        ("powertrainTractionBatteryChargingIsChargingCableConnected", "DetailedChargeStateCharging"),
    ),
    "FdWindow": (("cabinDoorRow1DriverSideWindowIsOpen", "WindowStatePartiallyOpen"),),
    "FpWindow": (("cabinDoorRow1PassengerSideWindowIsOpen", "WindowStatePartiallyOpen"),),
    "RdWindow": (("cabinDoorRow2DriverSideWindowIsOpen", "WindowStatePartiallyOpen"),),
    "RpWindow": (("cabinDoorRow2PassengerSideWindowIsOpen", "WindowStatePartiallyOpen"),),
}


def of_ruptela(data: JsonObject, sent_us: int) -> Iterator[Measurement]:
    """Every signal of a Ruptela document.

    Args:
        data: the document's data.
        sent_us: when the device made it, microseconds since the epoch.
    """
    position = data.get("pos")
    if isinstance(position, dict):
        yield from _place(sent_us, position)
    places = data.get("location")
    for place in places if isinstance(places, list) else ():
        if isinstance(place, dict) and isinstance(place.get("ts"), int):
            yield from _place(_number(place, "ts") * 1_000_000, place)
    signals = data.get("signals")
    values = {code: int(str(text), 16) for code, text in signals.items()} if isinstance(signals, dict) else {}
    is_running = values.get("409") != 0
    for code, raw in values.items():
        known = _CODES.get(code)
        if known is None or raw > known.most:
            continue
        if raw or known.zero == "always" or (known.zero == "running" and is_running):
            yield Measurement(sent_us, known.name, known.convert(raw))


def of_fleet_api(data: JsonObject) -> Iterator[Measurement]:
    """Every signal of an answer of Tesla's API, each with the time of its state."""
    for state, members in data.items():
        if not isinstance(members, dict) or not isinstance(members.get("timestamp"), int):
            continue
        us = _number(members, "timestamp") * 1000
        for member, value in members.items():
            known = _STATES.get((state, member))
            if known is not None and isinstance(value, int | float):
                yield Measurement(us, known[0], known[1](value))
        if "charging_state" in members:
            is_charging = members["charging_state"] in ("Starting", "Charging")
            yield Measurement(us, "powertrainTractionBatteryChargingIsCharging", float(is_charging))
        latitude, longitude = members.get("latitude"), members.get("longitude")
        if isinstance(latitude, float) and isinstance(longitude, float):
            yield Measurement(us, POSITION, {"latitude": latitude, "longitude": longitude, "hdop": 0.0})


def of_fleet_telemetry(data: JsonObject) -> Iterator[Measurement]:
    """Every signal that a Tesla streamed, each with the time of its message."""
    payloads = data["payloads"]
    for payload in payloads if isinstance(payloads, list) else ():
        message = read_payload(str(payload))
        us = message.time_us
        if us is None:
            continue
        leaves = dict(message.leaves)
        for name, value in leaves.items():
            if name in _STREAMED and value is not None:
                signal, convert = _STREAMED[name]
                yield Measurement(us, signal, convert(float(value)))
            for signal, word in _STREAMED_STATES.get(name, ()):
                yield Measurement(us, signal, float(value == word))
        latitude, longitude = leaves.get("Location.latitude"), leaves.get("Location.longitude")
        if isinstance(latitude, float) and isinstance(longitude, float):
            yield Measurement(us, POSITION, {"latitude": latitude, "longitude": longitude, "hdop": 0.0})


def _place(us: int, place: dict[str, Json]) -> Iterator[Measurement]:
    yield Measurement(us, "currentLocationAltitude", _number(place, "alt") / 10)
    yield Measurement(us, "currentLocationHeading", _number(place, "dir") / 100)
    coordinates = {"latitude": _number(place, "lat") / 1e7, "longitude": _number(place, "lon") / 1e7}
    yield Measurement(us, POSITION, {**coordinates, "hdop": _number(place, "hdop") / 10})


def _number(members: dict[str, Json], name: str) -> int:
    value = members[name]
    if not isinstance(value, int):
        raise TypeError(f"{name} of a simulated document is a whole number")
    return value
