"""The vehicles ever seen, in one small file: a vehicle that is no longer shared keeps its history and its name.

Promise: nothing known is forgotten; only a listing that does not name a vehicle makes it no longer shared.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

import pyarrow as pa

from dimo_etl.lake import layout
from dimo_etl.lake.store import Store
from dimo_etl.lake.tables import read_table, reading, write_table
from dimo_etl.model import Vehicle
from dimo_etl.schema import INSTANT

_SCHEMA = pa.schema(
    [
        ("vehicle_id", pa.string()),
        ("token_id", pa.int64()),
        ("user_device_id", pa.string()),
        ("make", pa.string()),
        ("model", pa.string()),
        ("year", pa.int32()),
        # Named as Parquet names it, so that rows that were read are written as they were.
        ("permissions", pa.list_(pa.field("element", pa.int32()))),
        ("shared_now", pa.bool_()),
        ("first_shared", INSTANT),
        ("last_shared", INSTANT),
    ]
)


@dataclass(frozen=True, slots=True)
class Listing:
    """What the identity service listed as shared with the licence.

    Attributes:
        at: when it was asked.
        granted: the privileges each vehicle grants the licence, as the listing tells, by vehicle id.
    """

    at: datetime
    granted: Mapping[str, frozenset[int]]


@dataclass(frozen=True, slots=True)
class Sharing:
    """What is known of how a vehicle is shared; each None where no listing was ever seen.

    Attributes:
        permissions: the privileges the last listing that named it told; owned vehicles may grant none and still be
            readable.
        shared_now: whether the last listing named it.
        first_shared: when a listing first named it.
        last_shared: when one last did.
    """

    permissions: tuple[int, ...] | None = None
    shared_now: bool | None = None
    first_shared: datetime | None = None
    last_shared: datetime | None = None

    def after(self, listing: Listing, vehicle_id: str) -> Sharing:
        """What is known once a listing has been seen."""
        granted = listing.granted.get(vehicle_id)
        if granted is None:
            return dataclasses.replace(self, shared_now=False)
        return Sharing(tuple(sorted(granted)), True, self.first_shared or listing.at, listing.at)


@dataclass(frozen=True, slots=True)
class KnownVehicle:
    """A vehicle, and how it is shared."""

    vehicle: Vehicle
    sharing: Sharing = field(default_factory=Sharing)

    def after(self, listing: Listing) -> KnownVehicle:
        """What is known once a listing has been seen; it lists no vehicle without a token id."""
        if self.vehicle.token_id is None:
            return self
        return dataclasses.replace(self, sharing=self.sharing.after(listing, self.vehicle.vehicle_id))


def read_vehicles(store: Store) -> list[Vehicle]:
    """Every vehicle ever seen, by id.

    Raises:
        WarehouseError: the file is damaged.
    """
    return [known.vehicle for known in known_vehicles(store)]


def known_vehicles(store: Store) -> list[KnownVehicle]:
    """Every vehicle ever seen with how it is shared, by id.

    Raises:
        WarehouseError: the file is damaged.
    """
    if not store.exists(layout.VEHICLES):
        return []
    with reading(store, layout.VEHICLES):
        rows = read_table(store, layout.VEHICLES)
        # The file may have been written before there was more to know.
        whole = pa.concat_tables([_SCHEMA.empty_table(), rows], promote_options="default")
        return [_known(row) for row in whole.to_pylist()]


def add_vehicles(store: Store, seen: Iterable[Vehicle], listing: Listing | None = None) -> list[KnownVehicle]:
    """Remember vehicles; what is newly known of one replaces what was, and nothing known is forgotten.

    Args:
        store: the warehouse's files.
        seen: the vehicles to remember.
        listing: what was listed as shared; None where nobody was asked, and then sharing stays as it was.

    Returns:
        Every vehicle ever seen, by id.
    """
    with store.lock("vehicles"):
        before = known_vehicles(store)
        known = {one.vehicle.vehicle_id: one for one in before}
        for vehicle in seen:
            known[vehicle.vehicle_id] = _merged(known.get(vehicle.vehicle_id), vehicle)
        _unite(known)
        if listing is not None:
            known = {name: one.after(listing) for name, one in known.items()}
        after = [known[vehicle_id] for vehicle_id in sorted(known)]
        if after != before:
            rows = [dataclasses.asdict(one.vehicle) | dataclasses.asdict(one.sharing) for one in after]
            write_table(store, layout.VEHICLES, _SCHEMA, rows)
    return after


def _known(row: dict[str, object]) -> KnownVehicle:
    permissions = row["permissions"]
    row["permissions"] = tuple(permissions) if isinstance(permissions, list) else None
    names = [field.name for field in dataclasses.fields(Sharing)]
    sharing = Sharing(**{name: row.pop(name) for name in names})  # type: ignore[arg-type]
    return KnownVehicle(Vehicle(**row), sharing)  # type: ignore[arg-type]


def _unite(known: dict[str, KnownVehicle]) -> None:
    """Drop the row of a user device id whose token id has a row; what only it told goes to that."""
    for name, one in list(known.items()):
        device = one.vehicle.user_device_id
        if device is None or device == name or device not in known:
            continue
        old = known.pop(device).vehicle
        told = _merged(KnownVehicle(dataclasses.replace(old, vehicle_id=name)), one.vehicle)
        known[name] = dataclasses.replace(told, sharing=one.sharing)


def _merged(old: KnownVehicle | None, new: Vehicle) -> KnownVehicle:
    if old is None:
        return KnownVehicle(new)
    news = {name: value for name, value in dataclasses.asdict(new).items() if value is not None}
    return dataclasses.replace(old, vehicle=dataclasses.replace(old.vehicle, **news))
