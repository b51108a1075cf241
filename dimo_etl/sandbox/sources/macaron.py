"""Generation C: a LoRa device; a document a minute or so while driving, hardly any parked, and days without any."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dimo_etl.sandbox.chance import chance, ksuid
from dimo_etl.sandbox.document import Report, delay_ms, envelope, odometer_reading, rfc3339

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

    from dimo_etl.sandbox.document import JsonObject
    from dimo_etl.sandbox.drives import DayOfDriving, State
    from dimo_etl.sandbox.vehicles import SimVehicle

INTEGRATION = "2ULfuC8U9dOqRshZBAi0lMM1Rrx"
_TANK_M = 520_000
_SILENT_DAYS = 0.25
_GLITCHES = 0.004


def reports(vehicle: SimVehicle, driving: DayOfDriving, random: Random) -> Iterator[Report]:
    """Every document of a day, in order of measuring; none where no gateway was in reach."""
    if random.random() < _SILENT_DAYS:
        return
    device_eui = f"{chance(vehicle.user_device_id, 'lora').getrandbits(64):016X}"
    frame = random.randrange(20_000)
    boots = (driving.start_ms // 86_400_000) % 5000
    moments = [ms for drive in driving.drives for ms in range(drive[0].ms, drive[-1].ms, random.randint(45, 75) * 1000)]
    moments += [driving.start_ms + hour * 3_600_000 + random.randrange(3_600_000) for hour in (2, 11, 22)]
    for ms in sorted(set(moments)):
        frame += random.randint(1, 3)
        state = driving.at(ms - ms % 1000)
        received_ms = ms + delay_ms(random)
        data = _data(vehicle, state, random) | {
            "bootCounter": boots,
            "lora": {
                "app_eui": "0000000000000001",
                "devAddr": device_eui[-8:],
                "deveui": device_eui,
                "dr": str(random.randint(0, 5)),
                "fPort": "2",
                "fcnt": str(frame),
                "txFrequency": random.choice(("868100000", "868300000", "868500000")),
            },
        }
        event = envelope(vehicle, ksuid(received_ms // 1000, random), INTEGRATION, received_ms, data)
        yield Report(state.ms, received_ms, event)


def _data(vehicle: SimVehicle, state: State, random: Random) -> JsonObject:
    data: JsonObject = {
        "timestamp": rfc3339(state.ms),
        "deviceState": 3 if state.running_s else 1,
        "flashUsage": random.randint(11, 14),
        "fwVersion": "0.9.27",
        "protocol": 6,
        "vinLast8": vehicle.vin[-8:],
        "batteryVoltage": round((14.2 if state.running_s else 12.4) + random.gauss(0, 0.06), 2),
        "signals": {"rssi": {"value": random.randint(-118, -70)}, "snr": {"value": random.randint(-9, 10)}},
    }
    if random.random() < 0.8:
        data |= {
            "latitude": round(state.latitude + random.gauss(0, 2e-5), 5),
            "longitude": round(state.longitude + random.gauss(0, 2e-5), 5),
        }
    if random.random() < 0.7:
        data["odometer"] = odometer_reading(random, state.odometer_m, 0, _GLITCHES)
    if state.running_s:
        data |= {
            "speed": round(state.speed_kmh),
            "engineSpeed": round(800 + (state.speed_kmh * 41) % 1700),
            "coolantTemp": round(14 + 76 * min(1.0, state.running_s / 500)),
            "fuelPercentRemaining": round(1 - 0.9 * ((state.odometer_m % _TANK_M) / _TANK_M), 3),
            "dtc": {
                "distanceSinceClear": int(state.odometer_m / 1000) % 65_535,
                "distanceWithMil": 0,
                "warmupsSinceClear": 255,
            },
        }
    return data
