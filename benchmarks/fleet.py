"""A lake of a fleet as large as wanted, made in minutes: the product's own files, of rows made column by column.

Each vehicle sends some 120 documents a day, in two drives and while it is parked. One in five is electric. One vehicle
in ten reports upstream errors, one in twenty falls silent halfway, and the capacity of a battery is told on the first
day alone. One odometer reading in 500 is bad: a sentinel, a leap or a step back.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa

from dimo_etl.coverage import Coverage
from dimo_etl.flatten.table import ROWS
from dimo_etl.lake import layout
from dimo_etl.lake.day_file import Named, write_rows
from dimo_etl.model import day_window
from dimo_etl.schema import COVERAGE_KEY, INSTANT, VERSIONS_KEY
from dimo_etl.warehouse.publish import publish

FIRST = date(2025, 1, 1)
SOURCE = "dimo/integration/27qftVRWQYpVDcO5DltO5Ojbjxk"
DOCUMENTS = 122
_RUSH_S = (7.5 * 3600, 17 * 3600)
_DRIVE = 45
_ERRORS = (
    '[{"type":"tires/pressure","errorCode":"VEHICLE_NOT_CAPABLE","errorType":"COMPATIBILITY",'
    '"description":"The vehicle is incapable of performing your request.","resolution":{"type":null}}]'
)
_TEXTS = {"makeSlug": ("ford", "tesla", "toyota", "kia"), "modelSlug": ("focus",), "fuelType": ("Gasoline",)}
_BASE62 = np.frombuffer(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", np.uint8)


def build(root: Path, vehicles: int, days: int, *, first: int = 0) -> None:
    """Write the days from `first` on, and publish the views."""
    with ProcessPoolExecutor() as pool:
        list(
            pool.map(write_day, *zip(*((root, vehicles, number) for number in range(first, first + days)), strict=True))
        )
    publish(root)


def write_day(root: Path, vehicles: int, number: int) -> None:
    """Write the file of one day of the fleet."""
    day = FIRST + timedelta(days=number)
    path = root / layout.signals_file(day)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    present = np.array([vehicle for vehicle in range(vehicles) if number < 180 or vehicle % 20 != 7])
    records = [_record(1_000 + int(vehicle), day) for vehicle in present]
    metadata = {COVERAGE_KEY: msgspec.json.encode(records), VERSIONS_KEY: b"[]"}
    write_rows(path, _rows(present, day, number), metadata)


def _record(token_id: int, day: date) -> Coverage:
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return Coverage(
        vehicle_id=str(token_id),
        date=day,
        origin="device-data",
        by_origin={"device-data": DOCUMENTS},
        expected_events=DOCUMENTS,
        fetched_events=DOCUMENTS,
        received_events=DOCUMENTS,
        kept_events=DOCUMENTS,
        complete=True,
        requests=1,
        windows=1,
        privileges=(1, 4),
        sources=(SOURCE,),
        first_event_at=start + timedelta(seconds=60),
        last_event_at=start + timedelta(hours=23),
        fetched_at=start + timedelta(days=1, hours=6),
    )


def _rows(present: np.ndarray, day: date, number: int) -> Iterator[Named]:
    """The rows of a day by name, names in order, rows by vehicle and time."""
    random = np.random.default_rng([7, number])
    shape = (len(present), DOCUMENTS)
    seconds, driving = _moments(random, shape)
    order = np.argsort(seconds, axis=1)
    seconds, driving = (np.take_along_axis(one, order, 1) for one in (seconds, driving))
    times = day_window(day).start_ms * 1_000 + (seconds * 1_000).astype(np.int64) * 1_000
    columns = _Events(
        pa.array(np.repeat((present + 1_000).astype(str), DOCUMENTS)),
        pa.array(times.ravel()).cast(INSTANT),
        _ids(random, times.size),
        pa.array((times + 400_000).ravel()).cast(INSTANT),
    )
    is_electric = np.repeat(present % 5 == 4, DOCUMENTS)
    named = dict(_numbers(random, present, number, seconds, driving))
    for name in sorted([*named, *_TEXTS, "batteryCapacity", "charging", "errors", "isIgnitionOn", "timestamp"]):
        if name in named:
            only = {"soc": is_electric, "fuelPercentRemaining": ~is_electric}.get(name)
            yield name, columns.table(only, value_number=pa.array(named[name].ravel()))
        elif name in _TEXTS:
            texts = np.array(_TEXTS[name])[np.repeat(present, DOCUMENTS) % len(_TEXTS[name])]
            yield name, columns.table(None, value_string=pa.array(texts))
        elif name == "timestamp":
            stamps = np.datetime_as_string(times.ravel().astype("datetime64[us]"), unit="ms")
            yield name, columns.table(None, value_string=pa.compute.binary_join_element_wise(stamps, "Z", ""))
        elif name == "isIgnitionOn":
            yield name, columns.table(None, value_boolean=pa.array(driving.ravel()))
        elif name == "charging":
            at_night = ((seconds < 5 * 3600) & (number % 3 == 0)).ravel()
            yield name, columns.table(is_electric, value_boolean=pa.array(at_night))
        elif name == "errors":
            failing = np.repeat(present % 10 == 3, DOCUMENTS) & (random.random(times.size) < 0.2)
            yield name, columns.table(failing, value_json=pa.repeat(_ERRORS, times.size))
        elif number == 0:
            yield name, columns.table(is_electric, value_number=pa.repeat(60.0, times.size))


def _moments(random: np.random.Generator, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """When each document is of, in seconds of the day, and whether it is sent on a drive."""
    seconds = random.uniform(0, 86_000, shape)
    driving = np.zeros(shape, bool)
    for place, start in enumerate(_RUSH_S):
        part = slice(place * _DRIVE, (place + 1) * _DRIVE)
        seconds[:, part] = start + random.uniform(0, 3_600, (shape[0], 1)) + np.arange(_DRIVE) * 30.0
        driving[:, part] = True
    # One moment an event: milliseconds of its own.
    return np.floor(seconds) + np.argsort(random.random(shape), axis=1) / 1_000, driving


def _numbers(
    random: np.random.Generator, present: np.ndarray, number: int, seconds: np.ndarray, driving: np.ndarray
) -> Iterator[tuple[str, np.ndarray]]:
    shape = seconds.shape
    speed = np.where(driving, random.integers(5, 130, shape), 0).astype(float)
    share = np.cumsum(driving, axis=1) / driving.sum(axis=1, keepdims=True)
    km = np.round(20_000 + present[:, None] * 700 + 41.0 * (number + share), 2)
    bad = random.random(shape) < 0.002
    # Bad readings stand alone, among good ones.
    bad[:, 1:] &= ~bad[:, :-1]
    bad[:, :8] = bad[:, -8:] = False
    bad &= ~np.roll(bad, 2, axis=1) & ~np.roll(bad, 3, axis=1) & ~np.roll(bad, 4, axis=1) & ~np.roll(bad, 5, axis=1)
    kind = random.integers(0, 3, shape)
    wrong = np.where(kind == 0, 65_538.0, np.where(kind == 1, km + 50_000, km - 5_000))
    yield "odometer", np.where(bad, wrong, km)
    yield "speed", speed
    yield "engineSpeed", speed * 28 + np.where(driving, 800, 0)
    yield "latitude", np.round(52.5 + share / 10, 6)
    yield "longitude", np.round(13.4 + share / 5, 6)
    yield "altitude", np.round(34 + random.normal(0, 3, shape), 1)
    used = (41 * (number % 10) + 41 * share) / 410
    yield "fuelPercentRemaining", np.round(0.95 - 0.85 * used, 4)
    yield "soc", np.round(0.95 - 0.5 * ((number % 3) + share) / 3, 3)
    yield "rpiUptimeSecs", np.floor(seconds)
    for name, low, high in (
        ("engineLoad", 0, 100),
        ("throttlePosition", 0, 100),
        ("coolantTemp", 60, 100),
        ("intakeTemp", 15, 35),
        ("ambientTemp", 9, 12),
        ("nsat", 4, 14),
        ("runTime", 0, 7_200),
        ("maf", 2, 40),
        ("hdop", 1, 3),
    ):
        yield name, random.integers(low, high, shape).astype(float)
    yield "batteryVoltage", np.round(13.8 + random.normal(0, 0.2, shape), 2)


def _ids(random: np.random.Generator, count: int) -> pa.Array:
    """As many event ids of 27 characters."""
    texts = _BASE62[random.integers(0, 62, (count, 27))]
    return pa.array(np.ascontiguousarray(texts).view("S27").ravel().astype(str))


class _Events:
    """What the rows of one event have in common, for all events of a day."""

    def __init__(self, vehicle_id: pa.Array, timestamp: pa.Array, event_id: pa.Array, received_at: pa.Array) -> None:
        count = len(vehicle_id)
        self._columns = {field.name: pa.nulls(count, field.type) for field in ROWS} | {
            "vehicle_id": vehicle_id,
            "timestamp": timestamp,
            "source": pa.repeat(SOURCE, count),
            "event_id": event_id,
            "received_at": received_at,
        }

    def table(self, only: np.ndarray | None, **values: pa.Array) -> pa.Table:
        """The rows of one name; those of some events where a mask is given."""
        columns = self._columns | values
        table = pa.table([columns[field.name] for field in ROWS], schema=ROWS)
        return table if only is None else table.filter(pa.array(only))
