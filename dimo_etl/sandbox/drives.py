"""How a simulated vehicle moves: which drives a day has, and where it is at each second of them.

A day depends on (seed, vehicle, day) alone. It starts and ends at home, so that the track has no jumps, and
its length follows from its plan, so that the odometer of any day is a sum over plans and needs no drive.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from threading import Lock
from typing import NamedTuple

from dimo_etl.model import DAY_MS, day_window
from dimo_etl.sandbox.chance import chance
from dimo_etl.sandbox.routes import STEP_M, Place, Route, route
from dimo_etl.sandbox.vehicles import SimVehicle

_ACCELERATION = 1.6  # m/s²
_BRAKING = 1.9  # m/s²
_PAUSE_MS = 5 * 60_000


class Trip(NamedTuple):
    """A planned drive: the earliest second of the day it starts, and where it goes."""

    not_before_s: int
    place: Place
    outbound: bool


class State(NamedTuple):
    """Where the vehicle is and what it does at one moment; `running_s` is 0 while it is parked."""

    ms: int
    latitude: float
    longitude: float
    heading: float
    speed_kmh: float
    odometer_m: float
    running_s: int


def plan(seed: int, token_id: int, day: date) -> tuple[Trip, ...]:
    """The drives of a day: commutes on weekdays, longer ways on some Saturdays, quiet Sundays."""
    random = chance(seed, token_id, day, "plan")
    stays: list[tuple[Place, int, int]] = []

    def visit(place: Place, leave_h: tuple[float, float], stay_h: tuple[float, float]) -> None:
        leave_s = int(random.uniform(*leave_h) * 3600)
        stays.append((place, leave_s, leave_s + int(random.uniform(*stay_h) * 3600)))

    weekday = day.weekday()
    if weekday < 5:
        if random.random() < 0.9:
            visit("work", (5.8, 7.2), (8.2, 9.0))
        if random.random() < 0.6:
            visit(random.choice(("shop", "sport")), (17.8, 18.6), (0.7, 1.2))
    elif weekday == 5:
        if random.random() < 0.6:
            visit("countryside", (8.0, 9.0), (5.5, 7.0))
        else:
            visit("shop", (9.0, 11.0), (0.8, 1.2))
    elif random.random() < 0.3:
        visit("friends", (12.0, 14.0), (2.5, 4.0))
    return tuple(trip for place, leave, back in stays for trip in (Trip(leave, place, True), Trip(back, place, False)))


@dataclass(frozen=True)
class DayOfDriving:
    """One day of one vehicle: a state for each second of each drive, and the parked states between them."""

    start_ms: int
    home: State
    drives: tuple[tuple[State, ...], ...]

    @cached_property
    def _starts(self) -> list[int]:
        return [drive[0].ms for drive in self.drives]

    def at(self, ms: int) -> State:
        """The state at a moment of the day (milliseconds since the epoch)."""
        index = bisect_right(self._starts, ms) - 1
        if index < 0:
            return self.home._replace(ms=ms)
        drive = self.drives[index]
        if ms > drive[-1].ms:
            return drive[-1]._replace(ms=ms, speed_kmh=0.0, running_s=0)
        before = drive[(ms - drive[0].ms) // 1000]
        after = drive[min((ms - drive[0].ms) // 1000 + 1, len(drive) - 1)]
        part = (ms - before.ms) / 1000
        return State(
            ms,
            before.latitude + (after.latitude - before.latitude) * part,
            before.longitude + (after.longitude - before.longitude) * part,
            before.heading,
            before.speed_kmh + (after.speed_kmh - before.speed_kmh) * part,
            before.odometer_m + (after.odometer_m - before.odometer_m) * part,
            before.running_s,
        )


class Driver:
    """Drives one vehicle through its days; for any number of threads."""

    def __init__(self, seed: int, vehicle: SimVehicle) -> None:
        self._seed = seed
        self._vehicle = vehicle
        self._odometers = [vehicle.first_odometer_km * 1000]
        self._lock = Lock()

    def odometer_m(self, day: date) -> int:
        """The odometer at the start of a day, in metres."""
        days = max(0, (day - self._vehicle.since).days)
        with self._lock:
            while len(self._odometers) <= days:
                previous = self._vehicle.since + timedelta(days=len(self._odometers) - 1)
                self._odometers.append(self._odometers[-1] + self.distance_m(previous))
            return self._odometers[days]

    def distance_m(self, day: date) -> int:
        """How far the vehicle drives on a day, in metres."""
        return sum(self._route(trip).length_m for trip in plan(self._seed, self._vehicle.token_id, day))

    def day(self, day: date) -> DayOfDriving:
        """Drive a day."""
        start_ms = day_window(day).start_ms
        odometer_m, free_ms = self.odometer_m(day), start_ms
        latitude, longitude = self._vehicle.home
        drives = []
        for number, trip in enumerate(plan(self._seed, self._vehicle.token_id, day)):
            road = self._route(trip)
            depart_ms = max(free_ms, start_ms + trip.not_before_s * 1000)
            drive = _drive(self._seed, (self._vehicle.token_id, day, number), road, depart_ms, odometer_m)
            drives.append(drive)
            odometer_m += road.length_m
            free_ms = drive[-1].ms + _PAUSE_MS
        if free_ms >= start_ms + DAY_MS:
            raise AssertionError(f"the drives of {day} do not fit into the day")
        home = State(start_ms, latitude, longitude, 0.0, 0.0, float(self.odometer_m(day)), 0)
        return DayOfDriving(start_ms, home, tuple(drives))

    def _route(self, trip: Trip) -> Route:
        return route(self._seed, self._vehicle.token_id, self._vehicle.home, trip.place, outbound=trip.outbound)


def _drive(seed: int, key: tuple[int, date, int], road: Route, depart_ms: int, odometer_m: int) -> tuple[State, ...]:
    """One drive, a state a second: speed follows the limits, ahead of which the driver brakes."""
    random = chance(seed, *key, "drive")
    pace, wave = random.uniform(0.9, 1.05), random.uniform(0, math.tau)
    stops = {corner: random.randint(4, 40) for corner in road.corners if random.random() < 0.25}
    ceiling = [limit * pace for limit in road.limits]
    for corner in stops:
        ceiling[corner] = 1.0
    ceiling[0] = ceiling[-1] = 1.5
    for index in range(len(ceiling) - 2, -1, -1):
        ceiling[index] = min(ceiling[index], math.sqrt(ceiling[index + 1] ** 2 + 2 * _BRAKING * STEP_M))
    states: list[State] = []
    metres, speed, second = 0.0, 0.0, 0
    points, headings, last = road.points, road.headings, len(road.points) - 1

    def record(metres: float, speed: float) -> None:
        index = min(int(metres / STEP_M), last - 1)
        (south, west), (north, east) = points[index], points[index + 1]
        part = metres / STEP_M - index
        states.append(
            State(
                depart_ms + second * 1000,
                south + (north - south) * part,
                west + (east - west) * part,
                headings[index],
                speed * 3.6,
                odometer_m + metres,
                second + 1,
            )
        )

    while metres < road.length_m:
        record(metres, speed)
        second += 1
        ahead = int(metres / STEP_M) + 1
        # What the next two points allow, braking from where this second ends.
        allowed = min(
            math.sqrt(ceiling[point] ** 2 + 2 * _BRAKING * max(0.0, point * STEP_M - metres - speed))
            for point in (min(ahead, last), min(ahead + 1, last))
        )
        speed = max(1.0, min(speed + _ACCELERATION, allowed * (1 + 0.03 * math.sin(wave + second / 20))))
        metres += speed
        reached = min(int(metres / STEP_M), last)
        if reached in stops:
            for _ in range(stops.pop(reached)):
                record(metres, 0.0)
                second += 1
            speed = 0.0
    record(float(road.length_m), 0.0)
    return tuple(states)
