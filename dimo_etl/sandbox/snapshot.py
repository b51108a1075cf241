"""The newest value of each signal, in the three shapes of the status routes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import chain, islice
from typing import TYPE_CHECKING, NamedTuple

import orjson

from dimo_etl.sandbox.elasticsearch import is_valid_odometer
from dimo_etl.sandbox.privileges import CURRENT_LOCATION, LOCATION_HISTORY, NON_LOCATION_HISTORY

if TYPE_CHECKING:
    from dimo_etl.sandbox.document import Json, JsonObject
    from dimo_etl.sandbox.fleet import Fleet

# How far a status looks back; a day of driving has every signal in far fewer documents.
_DAYS_BACK = 7
_DOCUMENTS = 300
_STATUS = (
    "charging",
    "fuelPercentRemaining",
    "batteryCapacity",
    "oil",
    "odometer",
    "range",
    "soc",
    "chargeLimit",
    "batteryVoltage",
    "ambientTemp",
)
_POSITION = ("latitude", "longitude")
_UPDATED_BY = ("fuelPercentRemaining", "odometer", "batteryVoltage", "latitude")
_OBD = (
    "barometricPressure",
    "engineLoad",
    "engineSpeed",
    "fuelType",
    "intakeTemp",
    "runTime",
    "throttlePosition",
)


class Reading(NamedTuple):
    """The newest value of a signal, the `time` of its event (ms since the epoch), and its integration."""

    value: Json
    ms: int
    source: Json


def latest(fleet: Fleet, token_id: int) -> dict[str, Reading]:
    """The newest reading of each signal of the last days; empty for a vehicle that was silent."""
    readings: dict[str, Reading] = {}
    today = fleet.now().date()
    days = (today - timedelta(days=back) for back in range(_DAYS_BACK))
    newest = islice(chain.from_iterable(reversed(fleet.indexed(token_id, day)) for day in days), _DOCUMENTS)
    # As the service does it: an event is as new as its `time`, when it was sent, not when its values were measured.
    for document in sorted(newest, key=lambda document: document.received_ms, reverse=True):
        event = orjson.loads(document.payload)
        for name, value in _values(event["data"]).items():
            readings.setdefault(name, Reading(value, document.received_ms, event["source"]))
    return readings


def raw(readings: dict[str, Reading], privileges: frozenset[int]) -> JsonObject:
    """The `status-raw` route: value, source and time of each signal."""
    hidden = {*_STATUS, "tires"} if NON_LOCATION_HISTORY not in privileges else set()
    # As the service does it: a token with 3 and 4 is shown no position, one with 3 alone is.
    if CURRENT_LOCATION not in privileges or LOCATION_HISTORY in privileges:
        hidden |= {*_POSITION}
    return {
        name: {"value": reading.value, "source": reading.source, "timestamp": _second(reading.ms)}
        for name, reading in readings.items()
        if name not in hidden
    }


def v1(readings: dict[str, Reading], privileges: frozenset[int]) -> JsonObject:
    """The v1 `status` route: a flat object without the keys that have no value."""
    names = _STATUS if NON_LOCATION_HISTORY in privileges else ()
    if privileges & {CURRENT_LOCATION, LOCATION_HISTORY}:
        names = (*names, *_POSITION)
    status: JsonObject = {name: readings[name].value for name in names if name in readings}
    if not is_valid_odometer(status.get("odometer")):
        status.pop("odometer", None)
    if NON_LOCATION_HISTORY in privileges and "tires" in readings:
        status["tirePressure"] = readings["tires"].value
    times = [
        readings[n].ms for n in ("fuelPercentRemaining", "odometer", "batteryVoltage", "latitude") if n in readings
    ]
    if times:
        status["recordUpdatedAt"] = _second(max(times))
    return status


def v2(readings: dict[str, Reading], privileges: frozenset[int]) -> JsonObject:
    """The v2 `status` route: every key is there, null where it has no value."""
    flat = v1(readings, privileges)
    soc, limit, odometer = _percent(flat.get("soc")), _percent(flat.get("chargeLimit")), flat.get("odometer")
    tires = flat.get("tirePressure")
    pressure = tires if isinstance(tires, dict) else {}
    position = readings.get("latitude")
    return {
        "status": {
            "travelledDistance": odometer,
            "speed": None,
            "currentLocation": {
                "altitude": None,
                "latitude": flat.get("latitude"),
                "longitude": flat.get("longitude"),
                "timestamp": _second(position.ms) if position and "latitude" in flat else None,
            },
            "exterior": {"airTemperature": flat.get("ambientTemp")},
            "lowVoltageBattery": {"currentVoltage": flat.get("batteryVoltage")},
            "obd": dict.fromkeys(_OBD),
            "fuelSystem": {
                "tractionBattery": {
                    "grossCapacity": flat.get("batteryCapacity"),
                    "netCapacity": None,
                    "charging": {"chargeLimit": limit, "isCharging": flat.get("charging")},
                    "range": None,
                    "stateOfCharge": {"current": soc, "displayed": soc},
                },
                "combustionEngine": {
                    "ect": None,
                    "engineOilLevel": _oil_class(flat.get("oil")),
                    "speed": None,
                    "tps": None,
                },
                "transmission": {"travelledDistance": odometer},
                "type": None,
                "fuelSystem": {"level": flat.get("fuelPercentRemaining"), "range": flat.get("range")},
                "range": flat.get("range"),
            },
            "vehicleIdentification": dict.fromkeys(("brand", "model", "vin", "year")),
            "chassis": {"axle": {"row1": _row(pressure, "front"), "row2": _row(pressure, "back")}},
        },
        "recordUpdatedAt": flat.get("recordUpdatedAt"),
    }


def _values(data: JsonObject) -> JsonObject:
    vehicle = data.get("vehicle")
    if not isinstance(vehicle, dict):
        return {name: value for name, value in data.items() if name != "timestamp"}
    signals = vehicle.get("signals")
    return {
        str(signal["name"]): signal["value"]
        for signal in (signals if isinstance(signals, list) else [])
        if isinstance(signal, dict)
    }


def _row(pressure: JsonObject, end: str) -> JsonObject:
    # The doubled side is the service's own.
    return {
        "wheel": {
            "left": {"left": {"pressure": pressure.get(f"{end}Left")}},
            "right": {"right": {"pressure": pressure.get(f"{end}Right")}},
        }
    }


def _percent(ratio: Json) -> Json:
    return ratio * 100 if isinstance(ratio, int | float) else None


def _oil_class(level: Json) -> str | None:
    if not isinstance(level, int | float):
        return None
    if level > 0.75:
        return "CRITICALLY_HIGH"
    if level >= 0.5:
        return "NORMAL"
    return "LOW_NORMAL" if level > 0.25 else "CRITICALLY_LOW"


def _second(ms: int) -> str:
    return f"{datetime.fromtimestamp(ms // 1000, UTC):%Y-%m-%dT%H:%M:%SZ}"
