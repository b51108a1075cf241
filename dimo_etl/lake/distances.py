"""What DIMO said of distances, and when: each answer is kept, in one file for each UTC day of asking."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import pyarrow as pa

from dimo_etl.lake import layout
from dimo_etl.lake.store import Store
from dimo_etl.lake.tables import read_table, reading, write_table
from dimo_etl.schema import INSTANT

_SCHEMA = pa.schema(
    [
        ("vehicle_id", pa.string()),
        ("asked_at", INSTANT),
        ("time_zone", pa.string()),
        ("date", pa.date32()),
        ("dimo_km", pa.float64()),
        ("said_by", pa.string()),
        ("drives", pa.int32()),
        ("driving_s", pa.int64()),
    ]
)


@dataclass(frozen=True, slots=True)
class Said:
    """A distance as DIMO said it.

    Attributes:
        vehicle_id: token id in decimal, or user device id.
        asked_at: when it was asked, UTC.
        time_zone: the IANA zone of `date`; None for the total.
        date: the day in that zone; None for the total.
        dimo_km: km; None where DIMO has no distance for the day.
        said_by: the service, as sources are named; None in what was kept before there were two.
        drives: how many drives began that day; None where the service does not tell.
        driving_s: for how long it drove that day, seconds; likewise.
    """

    vehicle_id: str
    asked_at: datetime
    time_zone: str | None
    date: date | None
    dimo_km: float | None
    said_by: str | None = "device-data"
    drives: int | None = None
    driving_s: int | None = None


def add_said(store: Store, answers: Iterable[Said]) -> None:
    """Keep answers beside those that came before.

    Raises:
        WarehouseError: the warehouse cannot be written, or a file of it is damaged.
    """
    by_day: dict[date, list[Said]] = {}
    for answer in answers:
        by_day.setdefault(answer.asked_at.astimezone(UTC).date(), []).append(answer)
    for day, new in sorted(by_day.items()):
        name = layout.distances_file(day)
        with store.lock("distances"):
            kept = sorted({*_read(store, name), *new}, key=_order)
            write_table(store, name, _SCHEMA, map(dataclasses.asdict, kept))


def said_between(store: Store, first: datetime, last: datetime) -> list[Said]:
    """The answers to what was asked from `first` to `last`, both included, oldest first.

    Raises:
        WarehouseError: a file is damaged.
    """
    day, end = first.astimezone(UTC).date(), last.astimezone(UTC).date()
    found: list[Said] = []
    while day <= end:
        found += _read(store, layout.distances_file(day))
        day += timedelta(days=1)
    return sorted((answer for answer in found if first <= answer.asked_at <= last), key=lambda said: said.asked_at)


def _read(store: Store, name: str) -> Sequence[Said]:
    if not store.exists(name):
        return []
    with reading(store, name):
        return [Said(**row) for row in read_table(store, name).to_pylist()]


def _order(said: Said) -> tuple[str, datetime, str, date]:
    return said.vehicle_id, said.asked_at, said.time_zone or "", said.date or date.min
