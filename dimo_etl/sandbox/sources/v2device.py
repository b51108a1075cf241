"""Generation D: a v2 device; signals with times of their own in `data.vehicle.signals`, epoch milliseconds.

The position also stands at the top of `data`, where the index looks for it, except in device-only documents.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dimo_etl.sandbox.chance import ksuid
from dimo_etl.sandbox.document import Report, delay_ms, odometer_reading, rfc3339
from dimo_etl.sandbox.sources import autopi

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

    from dimo_etl.sandbox.document import Json, JsonObject
    from dimo_etl.sandbox.drives import DayOfDriving, State
    from dimo_etl.sandbox.vehicles import SimVehicle

_TANK_M = 580_000
_GLITCHES = 0.002


def reports(vehicle: SimVehicle, driving: DayOfDriving, random: Random) -> Iterator[Report]:
    """Every document of a day, in order of measuring: every 15 s while driving, hourly while parked."""
    moments = {ms for drive in driving.drives for ms in range(drive[0].ms + 700, drive[-1].ms, 15_000)}
    moments |= {driving.start_ms + hour * 3_600_000 + random.randrange(3_500_000) for hour in range(24)}
    for ms in sorted(moments):
        state = driving.at(ms)
        received_ms = ms + delay_ms(random)
        event: JsonObject = {
            "id": ksuid(received_ms // 1000, random),
            "source": f"dimo/integration/{autopi.INTEGRATION}",
            "specversion": "1.0",
            "subject": vehicle.user_device_id,
            "time": rfc3339(received_ms),
            "type": "com.dimo.device.status.v2",
            "dataschema": "dimo.zone.status/v2.0",
            "vehicleTokenId": vehicle.token_id,
            "data": _data(vehicle, state, random),
        }
        yield Report(ms, received_ms, event)


def _data(vehicle: SimVehicle, state: State, random: Random) -> JsonObject:
    data: JsonObject = {
        "timestamp": state.ms,
        "device": {
            "rpiUptimeSecs": state.ms // 1000 % 600_000,
            "batteryVoltage": round((14.0 if state.running_s else 12.6) + random.gauss(0, 0.05), 2),
        },
    }
    if random.random() < 0.04:
        return data | {"vehicle": {"signals": None}}
    values: dict[str, int | float | str | bool] = {
        "latitude": round(state.latitude + random.gauss(0, 8e-6), 6),
        "longitude": round(state.longitude + random.gauss(0, 8e-6), 6),
        "odometer": odometer_reading(random, state.odometer_m, 1, _GLITCHES),
        "fuelPercentRemaining": round(100 - 90 * ((state.odometer_m % _TANK_M) / _TANK_M), 1),
        "isRedacted": False,
        "wpa_state": "SCANNING" if state.running_s else "COMPLETED",
        "vin": vehicle.vin,
    }
    if state.running_s:
        values |= {
            "speed": round(state.speed_kmh, 1),
            "rpm": round(820 + (state.speed_kmh * 36) % 1500),
            "coolantTemp": round(16 + 73 * min(1.0, state.running_s / 420)),
            "throttlePosition": round(min(90.0, 12 + state.speed_kmh / 4), 1),
            "obdDTCList": "P0420,P0171" if random.random() < 0.02 else "",
        }
    signals: list[Json] = [
        {"timestamp": state.ms - random.randint(20, 900), "name": name, "value": value}
        for name, value in values.items()
    ]
    return data | {
        "latitude": values["latitude"],
        "longitude": values["longitude"],
        "vehicle": {"signals": signals},
    }
