"""One vehicle under one name: what is held under a user device id moves to the token id once that is known.

Promise: a day moves whole, and its signals with it by one rename, so a reader meets each event under one name only. A
run that is killed leaves the day under the old name, and the next one moves it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import date

import msgspec

from dimo_etl.lake import layout
from dimo_etl.lake.commit import asked_of, counted
from dimo_etl.lake.raw import RawUnit, RawWriter, days_held, events_of, find_unit, units_of
from dimo_etl.lake.signals import write_units
from dimo_etl.lake.store import Store
from dimo_etl.lake.vehicles import Listing, add_vehicles, known_vehicles
from dimo_etl.model import Vehicle

_log = logging.getLogger("dimo_etl")


def remember(
    store: Store, vehicles: Iterable[Vehicle], *, listing: Listing | None = None, days: Sequence[date] = ()
) -> list[date]:
    """Remember vehicles, and move what is held of them under another name.

    Args:
        store: the warehouse's files.
        vehicles: as they are known now.
        listing: what was listed as shared; None where nobody was asked.
        days: UTC days to look at also for names that were known before; a newly known name is looked for in all.

    Returns:
        The days that changed.

    Raises:
        WarehouseError: a unit is damaged, or the warehouse cannot be written.
    """
    vehicles = list(vehicles)
    before = _names(one.vehicle for one in known_vehicles(store))
    names = before | _names(vehicles)
    moved = [day for day in (days_held(store) if names != before else days) if _move_day(store, day, names)]
    # Only now: were this run killed before, the next one would find the name new again and look everywhere.
    add_vehicles(store, vehicles, listing)
    if moved:
        _log.info("%d days were moved from user device ids to token ids", len(moved))
    return moved


def _names(vehicles: Iterable[Vehicle]) -> dict[str, str]:
    """The vehicle ids that user device ids stand for."""
    return {
        vehicle.user_device_id: vehicle.vehicle_id
        for vehicle in vehicles
        if vehicle.user_device_id is not None and vehicle.user_device_id != vehicle.vehicle_id
    }


def _move_day(store: Store, day: date, names: Mapping[str, str]) -> bool:
    """Move the units of a day; False where there are none to move."""
    held = set(store.names(layout.raw_folder(day)))
    if not any(layout.vehicle_file_name(name) in held for name in names):
        return False
    with store.lock(f"signals-{day}"), store.lock(f"raw-{day}"):
        old = [unit for name in names if (unit := find_unit(store, name, day)) is not None]
        for unit in old:
            _merge(store, unit, names[unit.coverage.vehicle_id], day)
        moved = {unit.name for unit in old}
        write_units(store, day, [unit for unit in units_of(store, day) if unit.name not in moved])
        for unit in old:
            store.remove(unit.name)
    return True


def _merge(store: Store, old: RawUnit, vehicle_id: str, day: date) -> None:
    """Publish a unit that holds what two hold, with the better record of the two."""
    new = find_unit(store, vehicle_id, day)
    units = [old] if new is None else sorted((new, old), key=_proof, reverse=True)
    best, *rest = units
    record = best.coverage
    asked = asked_of(record)
    writer = RawWriter(store)
    try:
        for origin, events in events_of(store, best):
            writer.keep(events, origin)
        received, requests = record.received_events, record.requests
        for unit in rest:
            received, requests = received + unit.coverage.received_events, requests + unit.coverage.requests
            for origin, events in events_of(store, unit):
                if origin == asked and record.complete:
                    # As with a proved fetch: what the service does not count any more gives way.
                    received -= len(events)
                else:
                    writer.keep(events, origin)
        writer.received = received
    except BaseException:
        writer.discard()
        raise
    fetched = None if asked is None else writer.held[asked]
    record = msgspec.structs.replace(record, vehicle_id=vehicle_id, requests=requests)
    writer.replace(counted(record, writer, fetched=fetched), record.fetched_at, earlier=old.versions)


def _proof(unit: RawUnit) -> tuple[bool, bool]:
    return bool(unit.coverage.complete), asked_of(unit.coverage) is not None
