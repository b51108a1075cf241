"""Where a simulated vehicle can drive: fixed roads from its home to a few places, as points and speed limits."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from dimo_etl.sandbox.chance import chance

STEP_M = 25
_METRES_PER_DEGREE = 111_320.0
Place = Literal["work", "shop", "sport", "friends", "countryside"]
# How far each place lies by road, in kilometres, and the share of it that is open road.
_REACH: dict[Place, tuple[float, float, float]] = {
    "work": (22.0, 32.0, 0.45),
    "shop": (2.5, 6.0, 0.0),
    "sport": (5.0, 11.0, 0.1),
    "friends": (14.0, 30.0, 0.5),
    "countryside": (70.0, 95.0, 0.75),
}


@dataclass(frozen=True, slots=True)
class Route:
    """A road from home to a place, with a point every `STEP_M` metres.

    Attributes:
        points: latitude and longitude.
        limits: the speed limit at each point, m/s, lower at corners.
        corners: the points where a drive may have to stop.
        headings: the direction at each point, degrees clockwise from north.
    """

    points: tuple[tuple[float, float], ...]
    limits: tuple[float, ...]
    corners: tuple[int, ...]
    headings: tuple[float, ...]

    @property
    def length_m(self) -> int:
        """The length in metres."""
        return (len(self.points) - 1) * STEP_M

    def backwards(self) -> Route:
        """The same road from the place to home."""
        last = len(self.points) - 1
        return Route(
            points=self.points[::-1],
            limits=self.limits[::-1],
            corners=tuple(last - corner for corner in reversed(self.corners)),
            headings=tuple((heading + 180.0) % 360.0 for heading in reversed(self.headings)),
        )


@lru_cache(maxsize=512)
def route(seed: int, token_id: int, home: tuple[float, float], place: Place, *, outbound: bool) -> Route:
    """The road between a vehicle's home and a place; the way back is the way there."""
    if not outbound:
        return route(seed, token_id, home, place, outbound=True).backwards()
    random = chance(seed, token_id, "route", place)
    shortest, longest, open_share = _REACH[place]
    steps = int(random.uniform(shortest, longest) * 1000 / STEP_M)
    bearing = random.uniform(0, 360)
    (latitude, longitude), heading = home, bearing
    points, limits, headings, corners = [home], [30 / 3.6], [heading], []
    while len(points) <= steps:
        open_road = steps * 0.25 < len(points) < steps * 0.85 and random.random() < open_share
        limit = random.choice((80, 100, 120) if open_road else (30, 50, 50, 60)) / 3.6
        bend = random.uniform(-0.4, 0.4)
        for _ in range(random.randint(60, 300) if open_road else random.randint(8, 45)):
            heading = (heading + bend) % 360
            latitude += STEP_M * math.cos(math.radians(heading)) / _METRES_PER_DEGREE
            longitude += (
                STEP_M * math.sin(math.radians(heading)) / (_METRES_PER_DEGREE * math.cos(math.radians(latitude)))
            )
            points.append((latitude, longitude))
            limits.append(limit)
            headings.append(heading)
        corners.append(len(points) - 1)
        limits[-1] = min(limit, random.uniform(4.5, 9.0)) if not open_road else limit * 0.8
        # A street grid turns by about a right angle; pulling back to the bearing keeps the road going somewhere.
        turn = random.choice((-85, -45, 0, 45, 85)) if not open_road else random.uniform(-15, 15)
        heading = (bearing + turn + random.uniform(-8, 8)) % 360
    end = steps + 1
    return Route(
        tuple(points[:end]),
        tuple(limits[:end]),
        tuple(corner for corner in corners if corner < steps),
        tuple(headings[:end]),
    )
