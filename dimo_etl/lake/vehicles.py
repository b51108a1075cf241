"""The vehicles ever seen, in one small file: a vehicle that is no longer shared keeps its history and its name."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

import pyarrow as pa
import pyarrow.parquet as pq

from dimo_etl.errors import WarehouseError
from dimo_etl.lake import layout
from dimo_etl.lake.store import Store
from dimo_etl.model import Vehicle

_SCHEMA = pa.schema(
    [
        ("vehicle_id", pa.string()),
        ("token_id", pa.int64()),
        ("user_device_id", pa.string()),
        ("make", pa.string()),
        ("model", pa.string()),
        ("year", pa.int32()),
    ]
)


def read_vehicles(store: Store) -> list[Vehicle]:
    """Every vehicle ever seen, by id.

    Raises:
        WarehouseError: the file is damaged.
    """
    if not store.exists(layout.VEHICLES):
        return []
    try:
        with store.open(layout.VEHICLES) as source:
            rows = pq.read_table(source, schema=_SCHEMA).to_pylist()
    except (OSError, pa.ArrowException) as error:
        raise WarehouseError(
            f"The file {store.root}/{layout.VEHICLES} is damaged; move it away, and the next sync writes it anew."
        ) from error
    return [Vehicle(**row) for row in rows]


def add_vehicles(store: Store, seen: Iterable[Vehicle]) -> list[Vehicle]:
    """Remember vehicles; what is newly known of one replaces what was, and nothing known is forgotten.

    Returns:
        Every vehicle ever seen, by id.
    """
    with store.lock("vehicles"):
        before = read_vehicles(store)
        known = {vehicle.vehicle_id: vehicle for vehicle in before}
        for vehicle in seen:
            known[vehicle.vehicle_id] = _merged(known.get(vehicle.vehicle_id), vehicle)
        vehicles = [known[vehicle_id] for vehicle_id in sorted(known)]
        if vehicles != before:
            staged = store.stage()
            rows = [dataclasses.asdict(vehicle) for vehicle in vehicles]
            with store.explained(f"write {layout.VEHICLES} in"):
                pq.write_table(pa.Table.from_pylist(rows, schema=_SCHEMA), staged, compression="zstd")
            store.publish(staged, layout.VEHICLES)
    return vehicles


def _merged(old: Vehicle | None, new: Vehicle) -> Vehicle:
    if old is None:
        return new
    news = {name: value for name, value in dataclasses.asdict(new).items() if value is not None}
    return dataclasses.replace(old, **news)
