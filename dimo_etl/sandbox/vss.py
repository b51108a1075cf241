"""What a status document says in the telemetry service's own names and units (DIMO's conversion to VSS).

Ratios become percent, kilowatts watts, truths 0 or 1; an odometer of more than 999,999 is taken as metres. A name the
service does not know, and a null, is no signal. What it stores and has no field for, such as the number of satellites,
shows in its summary alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from dimo_etl.sandbox.document import Json, JsonObject
from dimo_etl.sandbox.vss_raw import (
    ODOMETER,
    POSITION,
    Measurement,
    Value,
    of_fleet_api,
    of_fleet_telemetry,
    of_ruptela,
)
from dimo_etl.timestamps import to_us

__all__ = ["ODOMETER", "POSITION", "Measurement", "Value", "measurements"]
_METRES_FROM = 999_999
_OIL_CLASSES = ((0.25, "CRITICALLY_LOW"), (0.5, "LOW"), (0.75, "NORMAL"), (0.99, "HIGH"))


def _same(value: float) -> Value:
    return float(value)


def _times(factor: float) -> Callable[[float], Value]:
    return lambda value: value * factor


def _kilometres(value: float) -> Value:
    return float(round(value / 1000)) if value > _METRES_FROM else float(value)


def _oil_class(ratio: float) -> Value:
    return next((name for bound, name in _OIL_CLASSES if ratio < bound), "CRITICALLY_HIGH")


_PERCENT = _times(100)
_SIGNALS: dict[str, tuple[tuple[str, Callable[[float], Value]], ...]] = {
    "altitude": (("currentLocationAltitude", _same),),
    "ambientTemp": (("exteriorAirTemperature", _same),),
    "batteryCapacity": (("powertrainTractionBatteryGrossCapacity", _same),),
    "batteryVoltage": (("lowVoltageBatteryCurrentVoltage", _same),),
    "charger.power": (("powertrainTractionBatteryCurrentPower", _times(1000)),),
    "chargeLimit": (("powertrainTractionBatteryChargingChargeLimit", _PERCENT),),
    "charging": (("powertrainTractionBatteryChargingIsCharging", _same),),
    "coolantTemp": (("powertrainCombustionEngineECT", _same),),
    "engineLoad": (("obdEngineLoad", _PERCENT),),
    "engineSpeed": (("powertrainCombustionEngineSpeed", _same),),
    "fuelPercentRemaining": (("powertrainFuelSystemRelativeLevel", _PERCENT),),
    "intakeTemp": (("obdIntakeTemp", _same),),
    "longTermFuelTrim1": (("obdLongTermFuelTrim1", _same),),
    "nsat": (("dimoAftermarketNSAT", _same),),
    "maf": (("powertrainCombustionEngineMAF", _same),),
    "odometer": ((ODOMETER, _kilometres),),
    "oil": (
        ("powertrainCombustionEngineEngineOilLevel", _oil_class),
        ("powertrainCombustionEngineEngineOilRelativeLevel", _PERCENT),
    ),
    "range": (("powertrainRange", _same),),
    "rpm": (("powertrainCombustionEngineSpeed", _same),),
    "runTime": (("obdRunTime", _same),),
    "soc": (("powertrainTractionBatteryStateOfChargeCurrent", _PERCENT),),
    "speed": (("speed", _same),),
    "throttlePosition": (("powertrainCombustionEngineTPS", _PERCENT),),
    "tires.backLeft": (("chassisAxleRow2WheelLeftTirePressure", _same),),
    "tires.backRight": (("chassisAxleRow2WheelRightTirePressure", _same),),
    "tires.frontLeft": (("chassisAxleRow1WheelLeftTirePressure", _same),),
    "tires.frontRight": (("chassisAxleRow1WheelRightTirePressure", _same),),
}
# A v2 device sends these in percent already.
_V2_SIGNALS = _SIGNALS | {
    name: tuple((signal, _same) for signal, _ in _SIGNALS[name])
    for name in ("engineLoad", "fuelPercentRemaining", "soc", "throttlePosition")
}


def measurements(data: JsonObject, sent_us: int) -> Iterator[Measurement]:
    """Every signal of a document's data, each with its own time where it has one.

    Args:
        data: the document's data.
        sent_us: when it was sent, microseconds since the epoch.
    """
    if "prt" in data or "location" in data:
        yield from of_ruptela(data, sent_us)
        return
    if "drive_state" in data:
        yield from of_fleet_api(data)
        return
    if "payloads" in data:
        yield from of_fleet_telemetry(data)
        return
    vehicle = data.get("vehicle")
    if isinstance(vehicle, dict):
        yield from _of_v2(vehicle.get("signals"))
        return
    us = to_us(data.get("timestamp"))
    if us is None:
        return
    yield from _position(us, data)
    # There are thousands of these documents a day, and most of what they hold is no signal.
    for name, value in data.items():
        if name in _SIGNALS:
            if isinstance(value, bool | int | float):
                for signal, convert in _SIGNALS[name]:
                    yield Measurement(us, signal, convert(value))
        elif name in ("tires", "charger") and isinstance(value, dict):
            for inner, leaf in value.items():
                yield from _converted(us, f"{name}.{inner}", leaf, _SIGNALS)


def _of_v2(signals: Json) -> Iterator[Measurement]:
    found = (
        {str(one["name"]): one for one in signals or () if isinstance(one, dict)} if isinstance(signals, list) else {}
    )
    values: JsonObject = {name: one["value"] for name, one in found.items()}
    if "latitude" in found and (us := to_us(found["latitude"]["timestamp"])) is not None:
        yield from _position(us, values)
    for name, one in found.items():
        if (us := to_us(one["timestamp"])) is not None:
            yield from _converted(us, name, one["value"], _V2_SIGNALS)


def _converted(
    us: int, name: str, value: Json, signals: dict[str, tuple[tuple[str, Callable[[float], Value]], ...]]
) -> Iterator[Measurement]:
    if name == "obdDTCList" and isinstance(value, str):
        yield Measurement(us, name, value)
    if isinstance(value, bool | int | float):
        for signal, convert in signals.get(name, ()):
            yield Measurement(us, signal, convert(value))


def _position(us: int, data: JsonObject) -> Iterator[Measurement]:
    latitude, longitude, hdop = data.get("latitude"), data.get("longitude"), data.get("hdop")
    if isinstance(latitude, int | float) and isinstance(longitude, int | float):
        dilution = float(hdop) if isinstance(hdop, int | float) else 0.0
        yield Measurement(us, POSITION, {"latitude": latitude, "longitude": longitude, "hdop": dilution})
