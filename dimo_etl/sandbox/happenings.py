"""What the dongles notice of a drive: hard braking, hard acceleration, sharp corners. The documents do not tell."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

import orjson

from dimo_etl.model import day_of_us, days_between
from dimo_etl.sandbox.chance import chance
from dimo_etl.sandbox.reported import driver

if TYPE_CHECKING:
    from dimo_etl.sandbox.fleet import Fleet

NAMES = (
    "behavior.harshAcceleration",
    "behavior.harshBraking",
    "behavior.harshCornering",
    "behavior.extremeBraking",
)
_A_DRIVE = 0.6
_KEPT_DAYS = 4_096
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
    days = days_between(first, last) if first <= last else ()
    found = [one for day in days for one in _of_day(fleet.seed, token_id, vehicle.user_device_id, day)]
    end_us = min(to_us, int((now + timedelta(milliseconds=1)).timestamp() * 1_000_000))
    return sorted((one for one in found if from_us <= one.us < end_us), key=lambda one: one.us, reverse=True)


@lru_cache(maxsize=_KEPT_DAYS)
def _of_day(seed: int, token_id: int, user_device_id: str, day: date) -> tuple[Happening, ...]:
    """What happens on a day, in no order: to drive it again would take its time."""
    found: list[Happening] = []
    for number, drive in enumerate(driver(seed, token_id).day(day).drives):
        random = chance(user_device_id, day, number, "happenings")
        while random.random() < _A_DRIVE:
            state = random.choice(drive)
            metadata = orjson.dumps({"speed": round(state.speed_kmh), "counterValue": random.randint(1, 9)})
            us = state.ms * 1000 + random.randrange(1_000_000)
            found.append(Happening(us, random.choice(NAMES), random.randrange(3) * 500_000_000, metadata.decode()))
    return tuple(found)
