"""One vehicle under one name: what is held under a user device id moves to the token id, whatever ends the move."""

from __future__ import annotations

import shutil
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

from dimo_etl.errors import WarehouseError
from dimo_etl.lake import layout
from dimo_etl.lake.raw import find_unit
from dimo_etl.lake.signals import write_day
from dimo_etl.lake.store import Store
from dimo_etl.lake.unite import remember
from dimo_etl.lake.vehicles import add_vehicles, read_vehicles
from dimo_etl.model import Vehicle
from tests.lake.make import DAY, events, fetched, imported

DEVICE, TOKEN = "2ULfuC8U9dOqRshZBAi0lMM1Rrx", "4711"
MAPPED = Vehicle(TOKEN, token_id=4711, user_device_id=DEVICE)


@pytest.fixture
def store(tmp_path: Path):
    with Store(str(tmp_path / "lake")) as store:
        yield store


def names_in_signals(store: Store) -> dict[str, int]:
    """The events of the day in `signals`, by vehicle."""
    path = f"{store.root}/{layout.signals_file(DAY)}"
    query = "SELECT vehicle_id, count(DISTINCT event_id) FROM read_parquet($path) GROUP BY ALL"
    return dict(duckdb.connect().execute(query, {"path": path}).fetchall())


def test_what_was_imported_under_the_device_id_stands_under_the_token_id(store):
    imported(store, events(5), DEVICE)
    write_day(store, DAY)

    assert remember(store, [MAPPED]) == [DAY]

    assert find_unit(store, DEVICE, DAY) is None
    record = find_unit(store, TOKEN, DAY).coverage
    assert (record.vehicle_id, record.origin, record.imported_events, record.complete) == (TOKEN, "import", 5, None)
    assert names_in_signals(store) == {TOKEN: 5}


def test_a_day_held_under_both_names_is_held_once_and_stays_proved(store):
    fetched(store, events(5))
    imported(store, events(5, first=3), DEVICE)

    remember(store, [MAPPED])

    record = find_unit(store, TOKEN, DAY).coverage
    assert (record.complete, record.expected_events, record.fetched_events) == (True, 5, 5)
    assert (record.origin, record.imported_events, record.kept_events) == ("device-data+import", 3, 8)
    assert record.received_events == record.kept_events + record.duplicate_events == 10
    assert names_in_signals(store) == {TOKEN: 8}


def test_the_better_proof_of_the_two_is_kept(store):
    fetched(store, events(3), TOKEN, complete=False, expected_events=5, reason="three of five")
    fetched(store, events(5), DEVICE)

    remember(store, [MAPPED])

    record = find_unit(store, TOKEN, DAY).coverage
    assert (record.complete, record.fetched_events, record.kept_events, record.reason) == (True, 5, 5, None)


def test_two_unproved_days_add_up(store):
    fetched(store, events(3), TOKEN, complete=False, expected_events=9, reason="three of nine")
    fetched(store, events(3, first=3), DEVICE, complete=False, expected_events=9, reason="three of nine")

    remember(store, [MAPPED])

    record = find_unit(store, TOKEN, DAY).coverage
    assert (record.complete, record.expected_events, record.fetched_events) == (False, 9, 6)


def test_what_the_service_gave_the_device_gives_way_to_a_proof(store):
    fetched(store, events(5))
    fetched(store, events(2, first=50), DEVICE, complete=False, expected_events=9, reason="two of nine")

    remember(store, [MAPPED])

    record = find_unit(store, TOKEN, DAY).coverage
    assert (record.complete, record.fetched_events, record.kept_events, record.received_events) == (True, 5, 5, 5)


def test_moving_again_changes_nothing(store):
    imported(store, events(5), DEVICE)
    remember(store, [MAPPED])
    before = find_unit(store, TOKEN, DAY)

    assert remember(store, [MAPPED], days=[DAY]) == []
    assert find_unit(store, TOKEN, DAY) == before


def test_a_name_already_known_is_looked_for_in_the_days_at_hand(store):
    remember(store, [MAPPED])
    imported(store, events(5), DEVICE)

    assert remember(store, [MAPPED]) == []
    assert remember(store, [], days=[DAY]) == [DAY]
    assert names_in_signals(store) == {TOKEN: 5}


def test_another_vehicle_of_the_day_is_left_as_it_is(store):
    imported(store, events(5), DEVICE)
    fetched(store, events(2, first=70), "5023")
    other = find_unit(store, "5023", DAY)

    remember(store, [MAPPED])

    assert find_unit(store, "5023", DAY) == other
    assert names_in_signals(store) == {TOKEN: 5, "5023": 2}


def test_the_row_of_the_device_becomes_the_row_of_the_vehicle(store):
    add_vehicles(store, [Vehicle(DEVICE, user_device_id=DEVICE, make="Ford")])

    remember(store, [MAPPED])

    assert read_vehicles(store) == [Vehicle(TOKEN, token_id=4711, user_device_id=DEVICE, make="Ford")]


@pytest.mark.parametrize("done", range(4))
def test_a_move_that_was_cut_short_anywhere_is_finished_by_the_next(tmp_path, done):
    """The four steps are, in order: the new unit, the signals, the old unit's removal, and the known name."""
    before, after = tmp_path / "before", tmp_path / "after"
    with Store(str(before)) as store:
        fetched(store, events(5))
        imported(store, events(5, first=3), DEVICE)
        write_day(store, DAY)
    shutil.copytree(before, after)
    with Store(str(after)) as store:
        remember(store, [MAPPED])
        wanted = find_unit(store, TOKEN, DAY).coverage
    steps = [layout.raw_file(TOKEN, DAY), layout.signals_file(DAY), layout.raw_file(DEVICE, DAY), layout.VEHICLES]
    for name in steps[:done]:
        if (after / name).exists():
            shutil.copy(after / name, before / name)
        else:
            (before / name).unlink()

    with Store(str(before)) as store:
        remember(store, [MAPPED])

        found = find_unit(store, TOKEN, DAY).coverage
        assert find_unit(store, DEVICE, DAY) is None
        assert (found.kept_events, found.imported_events, found.complete) == (wanted.kept_events, 3, True)
        assert names_in_signals(store) == {TOKEN: 8}


def test_a_damaged_unit_stops_the_move_and_loses_nothing(store):
    imported(store, events(5), DEVICE)
    path = Path(store.root, layout.raw_file(DEVICE, DAY))
    path.write_bytes(path.read_bytes()[:-20])

    with pytest.raises(WarehouseError, match="damaged"):
        remember(store, [MAPPED])

    assert path.exists()
    assert read_vehicles(store) == []


def test_the_coverage_in_the_signals_file_tells_of_one_vehicle(store):
    imported(store, events(5), DEVICE)
    remember(store, [MAPPED])

    footer = pq.read_metadata(f"{store.root}/{layout.signals_file(DAY)}").metadata
    assert DEVICE.encode() not in footer[b"dimo_etl.coverage"]
