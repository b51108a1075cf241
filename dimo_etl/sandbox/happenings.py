"""What the dongles notice of a drive: hard braking, hard acceleration, sharp corners. The documents do not tell."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import orjson

from dimo_etl.model import day_of_us, days_between
from dimo_etl.sandbox.chance import chance

if TYPE_CHECKING:
    from dimo_etl.sandbox.fleet import Fleet

NAMES = (
    "behavior.harshAcceleration",
    "behavior.harshBraking",
    "behavior.harshCornering",
    "behavior.extremeBraking",
)
_A_DRIVE = 0.6
_KINDS = ("autopi", "v2", "ruptela")


@dataclass(frozen=True, slots=True)
class Happening:
    """An event of a drive: when it began (microseconds since the epoch), what it was, and for how long."""

    us: int
    name: str
    duration_ns: int
    metadata: str


def happenings(fleet: Fleet, token_id: int, from_us: int, to_us: int) -> list[Happening]:
    """What happened from `from_us` to before `to_us`, newest first."""
    vehicle = fleet.vehicle(token_id)
    if vehicle is None or vehicle.kind not in _KINDS:
        return []
    now = fleet.now()
    first = max(day_of_us(from_us), fleet.first_day, vehicle.since)
    last = min(day_of_us(to_us), now.date())
    found: list[Happening] = []
    for day in days_between(first, last) if first <= last else ():
        for number, drive in enumerate(fleet.driver(token_id).day(day).drives):
            random = chance(vehicle.user_device_id, day, number, "happenings")
            while random.random() < _A_DRIVE:
                state = random.choice(drive)
                metadata = orjson.dumps({"speed": round(state.speed_kmh), "counterValue": random.randint(1, 9)})
                us = state.ms * 1000 + random.randrange(1_000_000)
                found.append(Happening(us, random.choice(NAMES), random.randrange(3) * 500_000_000, metadata.decode()))
    end_us = min(to_us, int((now + timedelta(milliseconds=1)).timestamp() * 1_000_000))
    return sorted((one for one in found if from_us <= one.us < end_us), key=lambda one: one.us, reverse=True)
