"""Whatever glitches are put into a true curve, the valid readings are the true ones and the distance is the true one.

A reading with a reason of its own (a sentinel, no number, a wrong clock, too large) may come anywhere and any number of
times, one that is noise after any other. A spike comes alone or, amid the curve, with another, with five readings of
the curve between it and the next one. It is off the curve: above the three readings after it, or below all that the
five before it show. Nearer ones could be true, and so could two low ones after the first reading of all.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.warehouse.lake import START, Lake

JUNK = (
    0,
    6,
    -1,
    100,
    65_538,
    65_539,
    983_040,
    4_294_967_295,
    "0",
    "65538",
    "NaN",
    "n/a",
    "",
    *map(float, ("nan", "inf")),
)
NO_CLOCK = datetime(1970, 1, 1, tzinfo=UTC)
# Of a new car these could be true.
LOW = (6, 100)
# A single reading at either end of the data is out if no vehicle could drive there: 10 km and 250 km/h for a minute.
OFF = (15, 40, 400, 900)
FAR = (*OFF, 30_000, 300_000)


@dataclass(frozen=True)
class Stretch:
    """What follows a reading: how long and how fast it goes to the next, and what comes in between."""

    minutes: int
    kmh: int
    sent_as: str
    junk: list
    without_clock: bool
    up: int
    down: int
    twice: bool
    dip_m: int


STRETCHES = st.builds(
    Stretch,
    minutes=st.sampled_from((1, 10, 60, 600)),
    kmh=st.sampled_from((0, 0, 7, 50, 130, 240)),
    sent_as=st.sampled_from(("number", "number", "text", "metres", "metres as text")),
    junk=st.lists(st.sampled_from(JUNK), max_size=2),
    without_clock=st.sampled_from((False, False, False, False, True)),
    up=st.sampled_from((0, 0, *FAR)),
    down=st.sampled_from((0, 0, *OFF)),
    twice=st.booleans(),
    dip_m=st.sampled_from((0, 0, 0, 4, 400, 990)),
)
# The first stretch leads to the first reading, and the last one from the last.
STARTS_M = st.one_of(st.integers(1_100_000, 300_000_000), st.integers(1_000, 90_000))
VEHICLES = st.tuples(STARTS_M, st.lists(STRETCHES, min_size=9, max_size=30))


def sent(metres: int, form: str) -> float | str:
    """A reading as it may be sent: in km or in metres, as a number or as a text."""
    value = metres if form.startswith("metres") else metres / 1000
    return str(value) if form.endswith("text") else value


def drive(lake: Lake, vehicle: str, start_m: int, stretches: list[Stretch]) -> tuple[set[str], float]:
    """Add the readings of a vehicle; returns the ids of the true ones, and how far it was driven in km."""
    is_new = start_m < 100_000
    steps = [round(stretch.kmh * stretch.minutes / 60 * 1000) for stretch in stretches[1:-1]]
    curve = list(accumulate((min(step, 60_000) if is_new else step for step in steps), initial=start_m))
    # What is true and looks like a sentinel is one for DIMO.
    curve = [metres + (metres in (65_538_000, 65_539_000, 983_040_000)) for metres in curve]
    true, since_spike, moment = set(), 5, START
    for n, stretch in enumerate(stretches):
        if n:
            event_id = f"{vehicle}-{n}"
            # Metres of a car that has driven less than 1,000 km are another rule's.
            form = "number" if curve[n - 1] < 1_000_000 and stretch.sent_as != "text" else stretch.sent_as
            lake.add(vehicle, moment, "odometer", sent(curve[n - 1], form), event_id=event_id)
            true.add(event_id)
            since_spike += 1
            if stretch.dip_m and curve[n - 1] > stretch.dip_m:
                noise = (curve[n - 1] - stretch.dip_m) / 1000
                lake.add(vehicle, moment + timedelta(milliseconds=500), "odometer", noise)
        between: list[float | str] = [one for one in stretch.junk if not (is_new and one in LOW)]
        if since_spike >= 5 and (stretch.up or stretch.down):
            if stretch.up:
                # Of a new car, one of 30,000 could be metres.
                spike = max(curve[n : n + 3], default=curve[-1]) / 1000 + (
                    min(stretch.up, 900) if is_new else stretch.up
                )
            else:
                spike = min(curve[max(0, n - 5) : max(1, n)]) / 1000 - stretch.down
            pair = stretch.twice and n >= 2 and len(curve[n:]) >= 5
            between[len(between) // 2 : len(between) // 2] = [spike, spike + 7] if pair else [spike]
            since_spike = 0
        for second, reading in enumerate(between, 1):
            lake.add(vehicle, moment + timedelta(seconds=second), "odometer", reading)
        if stretch.without_clock:
            lake.add(vehicle, NO_CLOCK, "odometer", curve[0] / 1000, day=moment.date())
        moment += timedelta(minutes=stretch.minutes if n else 1)
    return true, (curve[-1] - curve[0]) / 1000


@settings(max_examples=5, deadline=None, derandomize=True)
@given(st.lists(VEHICLES, min_size=6, max_size=10))
def test_the_valid_readings_are_the_true_ones_and_the_robust_distance_is_what_was_driven(vehicles):
    with TemporaryDirectory() as folder:
        lake = Lake(Path(folder) / "lake")
        truth = {str(n): drive(lake, str(n), *vehicle) for n, vehicle in enumerate(vehicles)}
        lake.write()
        valid = lake.query("SELECT vehicle_id, event_id FROM odometer WHERE is_valid")
        assert lake.query("SELECT count(*) FROM odometer") == [(len(lake.rows),)]
        driven = lake.query("SELECT vehicle_id, distance_robust_km, resets FROM distance_driven")
    assert len(driven) == len(truth)
    for vehicle, distance, resets in driven:
        true, km = truth[vehicle]
        assert {event for of, event in valid if of == vehicle} == true
        # A hundredth is promised; with the very readings it is the truth to the metre.
        assert distance == pytest.approx(km, abs=0.001)
        assert resets == 0
