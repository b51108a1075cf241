"""Damaged files of the warehouse made whole: from what is held where that is enough, else from the service.

Promise: nothing is deleted. A damaged file that cannot be made again from others is moved to `damaged/`, and comes back
to its place where the service does not give its day. What a day's signals say stays to read until it can be replaced.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from dimo_etl.batch import fetch_days, remember_vehicles
from dimo_etl.config import Settings
from dimo_etl.coverage import Coverage
from dimo_etl.errors import DimoError, WarehouseError
from dimo_etl.history.fetch import Outcome
from dimo_etl.lake import layout, raw
from dimo_etl.lake.audit import recorded
from dimo_etl.lake.commit import commit_import, commit_snapshot
from dimo_etl.lake.signals import rewrite_day
from dimo_etl.lake.store import Store
from dimo_etl.lake.stores import open_store
from dimo_etl.lake.verify import Checked, Kind
from dimo_etl.model import Event


@dataclass(frozen=True, slots=True)
class Repaired:
    """What was done for a damaged file, in a sentence; `whole` where nothing is left to do."""

    name: str
    told: str
    whole: bool


def repair(settings: Settings, found: Iterable[Checked]) -> Iterator[Repaired]:
    """Make damaged files whole, raw units first, since days are made from them.

    Args:
        settings: the warehouse, and the account to ask again.
        found: what `verify` found wrong.
    """
    wrong = [one for one in found if one.wrong]
    units: dict[date, list[str]] = defaultdict(list)
    for one in wrong:
        if one.kind is Kind.RAW and one.day is not None:
            units[one.day].append(one.name)
    days = {one.day for one in wrong if one.day is not None}
    with open_store(settings.warehouse) as store:
        for day, names in sorted(units.items()):
            for name in names:
                done = _unit(settings, store, day, name)
                if not done.whole:
                    days.discard(day)
                yield done
        for one in wrong:
            if one.kind is Kind.DAY and one.day in days:
                yield _day(store, one)
            elif one.kind is Kind.DAY:
                yield Repaired(one.name, "it waits for the raw units of its day.", whole=False)
            elif one.kind is Kind.OTHER:
                yield _other(settings, store, one)
        for day in sorted(units.keys() & days):
            rewrite_day(store, day)


def _unit(settings: Settings, store: Store, day: date, name: str) -> Repaired:
    """Bring a vehicle-day again, and give it back what the damaged file still tells of files and snapshots."""
    vehicle_id = layout.vehicle_of_raw_file(Path(name).name)
    record = _recorded(store, vehicle_id, day)
    if record is not None and record.origin in (raw.FROM_FILE, raw.FROM_SNAPSHOT):
        return Repaired(name, "no source gave its events; move it away, and import their files again.", whole=False)
    saved = _readable(store, name)
    aside = store.set_aside(name)
    try:
        done = fetch_days(settings, [day], only=[vehicle_id], refresh=True).days[0]
        outcomes = [one.outcome for one in done.vehicle_days]
        why = None if done.error is None else str(done.error)
    except DimoError as error:
        outcomes, why = [], str(error)
    good = {Outcome.COMPLETE} if record is not None and record.complete else {Outcome.COMPLETE, Outcome.INCOMPLETE}
    if not good & set(outcomes):
        store.put_back(name)
        return Repaired(name, f"it cannot be brought again: {why or 'the service gives it no more'}", whole=False)
    lost = _give_back(store, vehicle_id, day, saved, record)
    told = f"it was brought again; the damaged file is now {aside}."
    if lost:
        told += f" Of its events {lost:,} came from files and cannot be read; import those again."
    return Repaired(name, told, whole=not lost)


def _recorded(store: Store, vehicle_id: str, day: date) -> Coverage | None:
    """The vehicle-day's record as the day's signals have it; None where they have none, or are damaged too."""
    try:
        return next((one for one in recorded(store, day) if one.vehicle_id == vehicle_id), None)
    except WarehouseError:
        return None


def _readable(store: Store, name: str) -> dict[str, list[Event]]:
    """What no source can give again of a damaged unit, as far as it can be read."""
    saved: dict[str, list[Event]] = defaultdict(list)
    try:
        for origin, events in raw.events_in(store, name):
            if origin in (raw.FROM_FILE, raw.FROM_SNAPSHOT):
                saved[origin] += events
    except WarehouseError:
        return saved  # what came before the damage is saved; what was lost is counted and told
    return saved


def _give_back(store: Store, vehicle_id: str, day: date, saved: dict[str, list[Event]], record: Coverage | None) -> int:
    """Add saved events to the new unit; returns how many that came from files are lost."""
    now = datetime.now(UTC)
    files, snapshots = saved[raw.FROM_FILE], saved[raw.FROM_SNAPSHOT]
    if files:
        claim = Coverage(
            vehicle_id=vehicle_id,
            date=day,
            origin=raw.FROM_FILE,
            expected_events=None,
            fetched_events=0,
            complete=None,
            fetched_at=now,
        )
        commit_import(store, vehicle_id, day, files, claim, now)
    if snapshots:
        commit_snapshot(store, vehicle_id, day, snapshots, now)
    return max(0, record.imported_events - len(files)) if record is not None else 0


def _day(store: Store, one: Checked) -> Repaired:
    if one.day is None or rewrite_day(store, one.day) is None:
        return Repaired(one.name, "nothing is left to make it from; bring its day with `dimo-etl sync`.", whole=False)
    return Repaired(one.name, "it was made again from its raw units.", whole=True)


def _other(settings: Settings, store: Store, one: Checked) -> Repaired:
    aside = store.set_aside(one.name)
    if one.name == layout.VEHICLES:
        try:
            remember_vehicles(settings)
        except DimoError as error:
            return Repaired(one.name, f"it is now {aside}, and cannot be made again: {error}", whole=False)
        return Repaired(one.name, f"it was asked for again; the damaged file is now {aside}.", whole=True)
    return Repaired(one.name, f"it is now {aside}; what is asked for next begins a new one.", whole=True)
