"""Generation B: a connected-car service that polls the maker's cloud; the legacy Tesla integration is the same shape.

20 to 100 documents a day, nanosecond timestamps, nested tires, and upstream errors, which take values with them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dimo_etl.model import DAY_MS
from dimo_etl.sandbox.chance import ksuid
from dimo_etl.sandbox.document import Json, Report, delay_ms, envelope, odometer_reading, rfc3339
from dimo_etl.sandbox.sources.battery import CAPACITY_KWH, CHARGER_KW, LIMIT, RANGE_KM, HomeCharging

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

    from dimo_etl.sandbox.document import JsonObject
    from dimo_etl.sandbox.drives import DayOfDriving, State
    from dimo_etl.sandbox.vehicles import SimVehicle

SMARTCAR = "22N2xaPOq2WW2gAHBHd0Ikn4Zob"
TESLA = "26A5Dk3vvvQutjSyF0Jka2DP5lg"
_TANK_M = 700_000
_GLITCHES = 0.008
_UPSTREAM = "Smartcar received an error from an upstream source. Please retry your request at a later time."
_ASLEEP = "The vehicle is in a sleep state and temporarily unable to perform your request."
_INCAPABLE = "The vehicle is incapable of performing your request."
_TYPES = ("odometer", "fuel", "tires/pressure", "location", "engine/oil")
_FIELDS = {
    "odometer": ("odometer",),
    "fuel": ("fuelPercentRemaining", "range"),
    "tires/pressure": ("tires",),
    "location": ("latitude", "longitude"),
    "engine/oil": ("oil",),
}


def smartcar(vehicle: SimVehicle, driving: DayOfDriving, random: Random) -> Iterator[Report]:
    """Every document of a day, in order of measuring."""
    for ms, nanoseconds in polls(driving, random, random.randint(20, 100)):
        state = driving.at(ms)
        data = _common(vehicle, state, nanoseconds, random)
        data |= {
            "odometer": odometer_reading(random, state.odometer_m, 3, _GLITCHES),
            "fuelPercentRemaining": round(1 - 0.9 * ((state.odometer_m % _TANK_M) / _TANK_M), 2),
            "range": round(620 * (1 - 0.9 * ((state.odometer_m % _TANK_M) / _TANK_M)), 1),
            "oil": round(0.8 - (state.odometer_m % 12_000_000) / 24_000_000, 2),
            "tires": {
                wheel: round(231 + random.gauss(0, 1.5), 2)
                for wheel in ("frontLeft", "frontRight", "backLeft", "backRight")
            },
        }
        _fail(data, random)
        yield _report(vehicle, SMARTCAR, ms, data, random)


def tesla(vehicle: SimVehicle, driving: DayOfDriving, random: Random) -> Iterator[Report]:
    """Every document of a day of an electric car that charges at home each evening."""
    home = HomeCharging(driving)
    for ms, nanoseconds in polls(driving, random, 96):
        state = driving.at(ms)
        charging, soc = home.is_charging(ms), home.soc(state)
        data = _common(vehicle, state, nanoseconds, random)
        data |= {
            "odometer": odometer_reading(random, state.odometer_m, 3, _GLITCHES),
            "soc": round(soc, 3),
            "range": round(soc * RANGE_KM, 1),
            "charging": charging,
            "charger": {"power": CHARGER_KW if charging else 0},
            "chargeLimit": LIMIT,
            "batteryCapacity": CAPACITY_KWH,
            "speed": round(state.speed_kmh),
            "ambientTemp": 12,
        }
        yield _report(vehicle, TESLA, ms, data, random)


def polls(driving: DayOfDriving, random: Random, number: int) -> Iterator[tuple[int, int]]:
    """So many moments of a day, evenly spread: milliseconds since the epoch, and the nanoseconds beyond."""
    pause = DAY_MS // number
    for poll in range(number):
        # The first half of each pause stays free, so that two polls never fall on one moment.
        yield driving.start_ms + poll * pause + random.randrange(pause // 2, pause), random.randrange(1_000_000)


def _common(vehicle: SimVehicle, state: State, nanoseconds: int, random: Random) -> JsonObject:
    return {
        "vehicleId": vehicle.user_device_id.lower(),
        "vin": vehicle.vin,
        "make": vehicle.make.upper(),
        "model": vehicle.model,
        "year": vehicle.year,
        "timestamp": rfc3339(state.ms, nanoseconds=nanoseconds),
        "latitude": round(state.latitude + random.gauss(0, 1e-5), 6),
        "longitude": round(state.longitude + random.gauss(0, 1e-5), 6),
    }


def _fail(data: JsonObject, random: Random) -> None:
    share = random.random()
    if share > 0.12:
        data["hasErrors"] = False
        return
    # One failure in six takes everything: such a document has neither odometer nor position.
    failing = _TYPES if share < 0.02 else random.sample(_TYPES, random.randint(1, 3))
    errors: list[Json] = []
    for kind in failing:
        for field in _FIELDS[kind]:
            data.pop(field, None)
        errors.append(_error(kind, random))
    data |= {"hasErrors": True, "errors": errors}


def _error(kind: str, random: Random) -> JsonObject:
    code, error_type, resolution, description = random.choices(
        (
            (502, "UPSTREAM", "RETRY_LATER", _UPSTREAM),
            (409, "VEHICLE_STATE", "RETRY_LATER", _ASLEEP),
            (501, "COMPATIBILITY", None, _INCAPABLE),
        ),
        weights=(8, 2, 1),
    )[0]
    page = error_type.lower().replace("_", "-")
    return {
        "type": kind,
        "errorCode": code,
        "errorType": error_type,
        "description": description,
        "resolution": {"type": resolution, "url": f"https://smartcar.com/docs/errors/{page}"},
    }


def _report(vehicle: SimVehicle, integration: str, ms: int, data: JsonObject, random: Random) -> Report:
    received_ms = ms + delay_ms(random)
    return Report(
        ms,
        received_ms,
        envelope(vehicle, ksuid(received_ms // 1000, random), integration, received_ms, data),
    )
