"""The vehicles ever seen: nothing known is forgotten, and only a listing says that one is no longer shared."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dimo_etl.errors import WarehouseError
from dimo_etl.lake import layout
from dimo_etl.lake.store import Store
from dimo_etl.lake.vehicles import KnownVehicle, Listing, Sharing, add_vehicles, known_vehicles
from dimo_etl.model import Vehicle

MONDAY = datetime(2026, 1, 5, 6, tzinfo=UTC)
TUESDAY = datetime(2026, 1, 6, 6, tzinfo=UTC)
FORD = Vehicle("4711", token_id=4711, make="Ford")
KIA = Vehicle("8816", token_id=8816)


@pytest.fixture
def store(tmp_path: Path):
    with Store(str(tmp_path / "lake")) as store:
        yield store


def sharing(store: Store) -> dict[str, Sharing]:
    return {one.vehicle.vehicle_id: one.sharing for one in known_vehicles(store)}


def test_what_is_newly_known_is_added_and_nothing_is_forgotten(store):
    add_vehicles(store, [FORD])
    add_vehicles(store, [Vehicle("4711", user_device_id="2" * 27), KIA])
    [ford, kia] = known_vehicles(store)
    assert ford.vehicle == Vehicle("4711", token_id=4711, user_device_id="2" * 27, make="Ford")
    assert kia == KnownVehicle(KIA)


def test_a_vehicle_a_listing_no_longer_names_stays_with_the_time_it_was_last_shared(store):
    add_vehicles(store, [FORD, KIA], Listing(MONDAY, {"4711": frozenset({4, 1}), "8816": frozenset({1})}))
    add_vehicles(store, [KIA], Listing(TUESDAY, {"8816": frozenset({1, 4})}))
    assert sharing(store) == {
        "4711": Sharing((1, 4), False, MONDAY, MONDAY),
        "8816": Sharing((1, 4), True, MONDAY, TUESDAY),
    }


def test_a_vehicle_that_comes_back_was_first_shared_when_it_first_was(store):
    for at, granted in ((MONDAY, {"4711": frozenset({1})}), (TUESDAY, {}), (TUESDAY, {"4711": frozenset()})):
        add_vehicles(store, [FORD], Listing(at, granted))
    assert sharing(store)["4711"] == Sharing((), True, MONDAY, TUESDAY)


def test_where_nobody_was_asked_sharing_stays_as_it_was(store):
    add_vehicles(store, [FORD], Listing(MONDAY, {"4711": frozenset({1})}))
    add_vehicles(store, [FORD, KIA])
    assert sharing(store) == {"4711": Sharing((1,), True, MONDAY, MONDAY), "8816": Sharing()}


def test_a_file_from_before_sharing_was_known_is_read(store):
    staged = store.stage()
    pq.write_table(pa.table({"vehicle_id": ["4711"], "token_id": [4711], "make": ["Ford"]}), staged)
    store.publish(staged, layout.VEHICLES)
    assert known_vehicles(store) == [KnownVehicle(FORD)]


def test_a_damaged_file_is_told_in_a_sentence(store):
    staged = store.stage()
    staged.write_bytes(b"rubbish")
    store.publish(staged, layout.VEHICLES)
    with pytest.raises(WarehouseError, match=r"vehicles\.parquet is damaged .*verify --repair"):
        known_vehicles(store)
