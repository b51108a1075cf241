"""Generation H: answers of Tesla's own API, polled every quarter of an hour: objects of states, in miles and bar."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dimo_etl.sandbox.chance import ksuid
from dimo_etl.sandbox.document import Report, envelope
from dimo_etl.sandbox.sources.battery import CAPACITY_KWH, CHARGER_KW, LIMIT, RANGE_KM, HomeCharging
from dimo_etl.sandbox.sources.smartcar import polls

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

    from dimo_etl.sandbox.document import JsonObject
    from dimo_etl.sandbox.drives import DayOfDriving, State
    from dimo_etl.sandbox.vehicles import SimVehicle

_KM = 1.609344


def reports(vehicle: SimVehicle, driving: DayOfDriving, random: Random) -> Iterator[Report]:
    """Every document of a day, in order of measuring."""
    home = HomeCharging(driving)
    for ms, _ in polls(driving, random, 96):
        state = driving.at(ms)
        data = _data(vehicle, state, home, random)
        for member in data.values():
            if isinstance(member, dict):
                member["timestamp"] = ms - random.randint(20, 900)
        event = envelope(vehicle, ksuid(ms // 1000, random), vehicle.kind, ms, data)
        yield Report(ms, ms, event | {"dataversion": "fleet_api/v1.0.0"})


def _data(vehicle: SimVehicle, state: State, home: HomeCharging, random: Random) -> JsonObject:
    is_running, is_charging, soc = state.running_s > 0, home.is_charging(state.ms), home.soc(state)
    power_kw = round(state.speed_kmh / 5) if is_running else -CHARGER_KW if is_charging else 0
    return {
        "vin": vehicle.vin,
        "state": "online",
        "charge_state": {
            "battery_level": round(soc * 100),
            "battery_range": round(soc * RANGE_KM / _KM, 2),
            "charge_energy_added": round(max(0.0, soc - home.arrival) * CAPACITY_KWH, 2) if is_charging else 0,
            "charge_limit_soc": round(LIMIT * 100),
            "charging_state": "Charging" if is_charging else "Disconnected",
        },
        "climate_state": {"inside_temp": 19.5, "outside_temp": 11.0},
        "drive_state": {
            "heading": round(state.heading) % 360,
            "latitude": round(state.latitude, 6),
            "longitude": round(state.longitude, 6),
            "power": power_kw,
            "shift_state": "D" if is_running else None,
            "speed": round(state.speed_kmh / _KM) if is_running else None,
        },
        "vehicle_state": {
            "df": 0,
            "locked": not is_running,
            "odometer": round(state.odometer_m / 1000 / _KM, 6),
            **{f"tpms_pressure_{wheel}": round(2.9 + random.gauss(0, 0.02), 3) for wheel in ("fl", "fr", "rl", "rr")},
        },
    }
