"""Generation A: a dense dongle; a document every few seconds while driving, one every quarter of an hour parked.

About two in three documents have both an odometer and a position, most others one of them, a few neither.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from dimo_etl.sandbox.chance import chance, ksuid
from dimo_etl.sandbox.document import Json, Report, delay_ms, envelope, odometer_reading, rfc3339

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

    from dimo_etl.sandbox.document import JsonObject
    from dimo_etl.sandbox.drives import DayOfDriving, State
    from dimo_etl.sandbox.vehicles import SimVehicle

INTEGRATION = "27qftVRWQYpVDcO5DltO5Ojbjxk"
_TANK_M = 640_000
_GLITCHES = 0.0004


def reports(vehicle: SimVehicle, driving: DayOfDriving, random: Random) -> Iterator[Report]:
    """Every document of a day, in order of measuring.

    Args:
        vehicle: who is reported.
        driving: how it moves on that day.
        random: the day's own random source.
    """
    device = _device(vehicle)
    for ms in _moments(driving, random):
        state = driving.at(ms)
        received_ms = ms + delay_ms(random)
        data = _data(vehicle, state, device, random)
        event = envelope(vehicle, ksuid(received_ms // 1000, random), INTEGRATION, received_ms, data)
        yield Report(ms, received_ms, event)


def _moments(driving: DayOfDriving, random: Random) -> Iterator[int]:
    end_ms = driving.start_ms + 86_400_000
    parked_from = driving.start_ms
    for drive in (*driving.drives, None):
        parked_until = drive[0].ms if drive else end_ms
        ms = parked_from + random.randint(1000, 900_000)
        while ms < parked_until:
            yield ms
            ms += random.randint(780_000, 1_020_000)
        if drive:
            ms = drive[0].ms
            while ms <= drive[-1].ms:
                yield ms
                ms += random.randint(1200, 2600)
            parked_from = drive[-1].ms + 1


def _device(vehicle: SimVehicle) -> JsonObject:
    random = chance(vehicle.user_device_id, "autopi")
    return {
        "schema_version": "v1.2.0",
        "hw_version": 5.2,
        "device_id": f"{random.getrandbits(128):032x}",
        "unit_id": f"{random.getrandbits(64):016x}",
        "imei": f"86{random.randrange(10**13):013d}",
        "sw_version": "1.22.8",
        "ethereum_address": f"0x{random.getrandbits(160):040x}",
    }


def _data(vehicle: SimVehicle, state: State, device: JsonObject, random: Random) -> JsonObject:
    driving = state.running_s > 0
    speed = state.speed_kmh
    share = random.random()
    data: JsonObject = {"timestamp": rfc3339(state.ms)}
    if share < 0.81:
        data |= {
            "latitude": round(state.latitude + random.gauss(0, 8e-6), 6),
            "longitude": round(state.longitude + random.gauss(0, 8e-6), 6),
            "altitude": round(34 + 20 * (state.latitude % 0.05) / 0.05 + random.gauss(0, 0.6), 1),
            "hdop": round(random.uniform(0.6, 1.4), 1),
            "nsat": random.randint(7, 18),
        }
    if share < 0.66 or 0.81 <= share < 0.985:
        data["odometer"] = odometer_reading(random, state.odometer_m, 0, _GLITCHES)
    if driving:
        warm = min(1.0, state.running_s / 480)
        rpm = 800 + (speed * 38) % 1400 + random.gauss(0, 15) if speed > 3 else 790 + random.gauss(0, 8)
        data |= {
            "speed": round(speed),
            "engineSpeed": round(rpm * 4) / 4,
            "engineLoad": round(min(0.98, 0.18 + speed / 200 + random.uniform(0, 0.15)), 4),
            "throttlePosition": round(min(0.9, 0.12 + speed / 400 + random.uniform(0, 0.08)), 4),
            "coolantTemp": round(15 + 74 * warm),
            "intakeTemp": round(16 + 9 * warm + random.uniform(0, 2)),
            "runTime": state.running_s,
            "longTermFuelTrim1": round(random.uniform(-2.4, 0.8), 1),
            "maf": None if random.random() < 0.01 else round(2.2 + speed / 4, 2),
        }
    data |= {
        "ambientTemp": round(9 + 6 * math.sin((state.ms / 3_600_000 % 24 - 9) / 12 * math.pi)),
        "batteryVoltage": round((14.1 if driving else 12.5) + random.gauss(0, 0.05), 2),
        "fuelPercentRemaining": round(1 - 0.9 * ((state.odometer_m % _TANK_M) / _TANK_M), 4),
        "make": vehicle.make,
        "model": vehicle.model,
        "year": vehicle.year,
        "makeSlug": vehicle.make.lower(),
        "modelSlug": vehicle.model.lower(),
        "region": "Europe",
        "deviceDefinitionId": "22N2y4kTnMEnwW3vJKrVpt4rBmX",
        "wifi": {"ssid": "" if driving else "home", "status": "SCANNING" if driving else "COMPLETED"},
        "cell": _cell(random),
        "device": {**device, "timestamp": state.ms},
    }
    return data


def _cell(random: Random) -> Json:
    return {
        "ip": f"10.64.{random.randrange(256)}.{random.randrange(1, 255)}",
        "details": {
            "global_cell_id": 29_408_000 + random.randrange(40),
            "plmn": 26201,
            "cell_[0]": {
                "rssi": f"{-60 - random.randrange(300) / 10} dBm",
                "rsrp": f"{-90 - random.randrange(200) / 10} dBm",
                "rsrq": f"{-9 - random.randrange(90) / 10} dB",
                "physical_cell_id": random.randrange(504),
            },
        },
    }
