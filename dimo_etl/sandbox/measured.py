"""The telemetry service's storage: a row for each value of each signal, from the same documents that history gives.

A vehicle, a name and a time make one row: of two values at the same microsecond one is kept.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

import orjson

from dimo_etl.model import day_of_us, days_between
from dimo_etl.sandbox.reported import reported
from dimo_etl.sandbox.vss import Measurement, Value, measurements

if TYPE_CHECKING:
    from dimo_etl.sandbox.document import Document
    from dimo_etl.sandbox.fleet import Fleet
    from dimo_etl.sandbox.vehicles import Kind

CONNECTIONS: dict[Kind, str] = {
    "autopi": "0x5e31bBc786D7bEd95216383787deA1ab0f1c1897",
    "v2": "0x5e31bBc786D7bEd95216383787deA1ab0f1c1897",
    "macaron": "0x4c674ddE8189aEF6e3b58F5a36d7438b2b1f6Bc2",
    "smartcar": "0xcd445F4c6bDAD32b68a2939b912150Fe3C88803E",
    "tesla": "0xc4035Fecb1cc906130423EF05f9C20977F643722",
    "ruptela": "0xF26421509Efe92861a587482100c6d728aBf1CD0",
    "fleet-api": "0xc4035Fecb1cc906130423EF05f9C20977F643722",
    "fleet-telemetry": "0xc4035Fecb1cc906130423EF05f9C20977F643722",
}
_KEPT_DAYS, _COUNTED_DAYS = 48, 4_096
_LATEST_DAYS_BACK = 7


@dataclass(slots=True)
class Rows:
    """The rows of one signal, ascending by time (microseconds since the epoch)."""

    times_us: list[int] = field(default_factory=list)
    values: list[Value] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Seen:
    """How many rows of a name there are, and the times of the first and the last."""

    rows: int
    first_us: int
    last_us: int


class Measured:
    """What is stored of a fleet."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._read = lru_cache(maxsize=_KEPT_DAYS)(self._arrived)

    def source(self, token_id: int) -> str:
        """The address of the connection that reports a vehicle."""
        vehicle = self._fleet.vehicle(token_id)
        return CONNECTIONS[vehicle.kind] if vehicle is not None else ""

    def between(self, token_id: int, from_us: int, to_us: int, names: Collection[str] | None = None) -> dict[str, Rows]:
        """The rows of some signals, of all where none are named, from `from_us` to before `to_us`."""
        found: dict[str, Rows] = {}
        # A signal of a document can be measured a little before the document, and so on the day before.
        for day in self._days(day_of_us(from_us), day_of_us(to_us) + timedelta(days=1)):
            for name, rows in self._day(token_id, day).items():
                if names is not None and name not in names:
                    continue
                low, high = bisect_left(rows.times_us, from_us), bisect_left(rows.times_us, to_us)
                if low < high:
                    kept = found.setdefault(name, Rows())
                    kept.times_us += rows.times_us[low:high]
                    kept.values += rows.values[low:high]
        return found

    def latest(self, token_id: int) -> dict[str, Measurement]:
        """The newest row of each signal of the last days."""
        found: dict[str, Measurement] = {}
        today = self._fleet.now().date()
        for day in reversed(self._days(today - timedelta(days=_LATEST_DAYS_BACK), today)):
            for name, rows in self._day(token_id, day).items():
                if name not in found:
                    found[name] = Measurement(rows.times_us[-1], name, rows.values[-1])
        return found

    def seen(self, token_id: int) -> dict[str, Seen]:
        """What is stored of each signal in all."""
        total: dict[str, Seen] = {}
        for day in self._days(self._fleet.first_day, self._fleet.now().date()):
            for name, seen in self._count(token_id, day).items():
                before = total.get(name, seen)
                rows = seen.rows if name not in total else before.rows + seen.rows
                first, last = min(before.first_us, seen.first_us), max(before.last_us, seen.last_us)
                total[name] = Seen(rows, first, last)
        return total

    def _days(self, first: date, last: date) -> list[date]:
        return days_between(max(first, self._fleet.first_day), min(last, self._fleet.now().date()))

    def _day(self, token_id: int, day: date) -> Mapping[str, Rows]:
        return self._read(token_id, day, len(self._fleet.documents(token_id, day)))

    def _arrived(self, token_id: int, day: date, _documents: int) -> Mapping[str, Rows]:
        return _rows(self._fleet.documents(token_id, day))

    def _count(self, token_id: int, day: date) -> Mapping[str, Seen]:
        if (self._fleet.now().date() - day).days <= 1:
            return _seen(self._day(token_id, day))
        return _counted(self._fleet.seed, token_id, day)


@lru_cache(maxsize=_COUNTED_DAYS)
def _counted(seed: int, token_id: int, day: date) -> Mapping[str, Seen]:
    """What is stored of a day that is long past; only so many days are remembered as documents."""
    return _seen(_rows(reported(seed, token_id, day)))


def _rows(documents: Iterable[Document]) -> Mapping[str, Rows]:
    values: dict[str, dict[int, Value]] = {}
    for document in documents:
        for us, name, value in measurements(orjson.loads(document.payload)["data"], document.received_ms * 1000):
            values.setdefault(name, {})[us] = value
    return {
        name: Rows(sorted(by_time), [by_time[us] for us in sorted(by_time)]) for name, by_time in sorted(values.items())
    }


def _seen(rows: Mapping[str, Rows]) -> Mapping[str, Seen]:
    return {name: Seen(len(one.times_us), one.times_us[0], one.times_us[-1]) for name, one in rows.items()}


def aggregated(agg: str, values: list[Value]) -> Value:
    """One value for those of a bucket, which come in the order of their times."""
    if agg in ("LAST", "FIRST") or len(values) == 1:
        return values[0 if agg == "FIRST" else -1]
    if isinstance(values[0], dict):
        places = [value for value in values if isinstance(value, dict)]
        if agg == "AVG":
            return {key: sum(place[key] for place in places) / len(places) for key in places[0]}
        return places[0]
    if isinstance(values[0], str):
        texts = [str(value) for value in values]
        return ",".join(sorted(set(texts))) if agg == "UNIQUE" else Counter(texts).most_common(1)[0][0]
    numbers = sorted(float(value) for value in values if isinstance(value, float))
    if agg == "AVG":
        return sum(numbers) / len(numbers)
    return {"MIN": numbers[0], "MAX": numbers[-1]}.get(agg, numbers[len(numbers) // 2])
