"""Raw units: an event once, byte for byte, and a file that is not what was written is named."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest

from dimo_etl.errors import WarehouseError
from dimo_etl.events import read_event
from dimo_etl.lake import layout
from dimo_etl.lake.raw import FROM_FILE, RawWriter, days_held, events_of, find_unit, units_of
from dimo_etl.lake.store import Store
from tests.lake.make import DAY, DEVICE_DATA, event, events, fetched, held, ids, imported


@pytest.fixture
def store(tmp_path: Path):
    with Store(str(tmp_path / "lake")) as store:
        yield store


@pytest.fixture
def writer(store):
    writer = RawWriter(store)
    yield writer
    writer.discard()


def test_payloads_come_back_byte_for_byte(store):
    odd = b'{ "id" : "a",\n "data":{"timestamp":"2026-01-05T00:00:00.123456789Z", "x": 1.0, "y":1e400} }'
    fetched(store, [read_event(odd), read_event(b"\xff not text", index_id="b")])
    payloads = {one.payload for _, batch in events_of(store, find_unit(store, "4711", DAY)) for one in batch}
    assert payloads == {odd, b"\xff not text"}


def test_events_come_back_with_their_times_ids_and_origin(store):
    given = [event(1), event(2, own_id=False), read_event(b"{}", index_id="undated")]
    fetched(store, given)
    assert list(events_of(store, find_unit(store, "4711", DAY))) == [(DEVICE_DATA, given)]


def test_the_same_id_is_one_event(writer):
    assert writer.add([event(1), event(1), event(1, speed=9)], DEVICE_DATA) == 1
    assert (writer.received, writer.held[DEVICE_DATA]) == (3, 1)


def test_the_service_tells_documents_apart_by_its_ids_even_where_their_content_is_the_same(writer):
    assert writer.add([event(1, own_id=False, index_id="a"), event(1, own_id=False, index_id="b")], DEVICE_DATA) == 2


def test_a_document_from_a_file_is_recognised_by_its_content(writer):
    writer.add([event(1, own_id=False, index_id="a")], DEVICE_DATA)
    assert writer.add([event(1, own_id=False), event(2, own_id=False)], FROM_FILE) == 1


def test_what_is_taken_over_is_not_counted_as_received_twice(writer):
    writer.add(events(3), DEVICE_DATA)
    writer.keep(events(4), FROM_FILE)
    assert (writer.received, writer.held[DEVICE_DATA], writer.held[FROM_FILE]) == (4, 3, 1)


def test_a_unit_larger_than_the_buffer_is_whole(store):
    given = [event(number, text=f"{number:06}" * 200) for number in range(9_000)]
    fetched(store, given)
    assert held(store) == ids(given)


def digest(store, given, **known) -> str:
    fetched(store, given, **known)
    return find_unit(store, "4711", DAY).digest


def test_the_digest_changes_with_the_events_and_with_the_record_and_with_nothing_else(store):
    first = digest(store, events(3))
    assert digest(store, events(3)) == first
    others = [
        digest(store, events(2)),
        digest(store, [*events(2), event(2, speed=7)]),
        digest(store, events(3), requests=2),
    ]
    assert len({first, *others}) == 4


def test_units_of_a_day_come_in_the_order_of_vehicles(store):
    for vehicle in ("9", "10", "a:b", "10.5"):
        fetched(store, events(1), vehicle)
    assert [unit.coverage.vehicle_id for unit in units_of(store, DAY)] == ["10", "10.5", "9", "a:b"]


def test_an_id_cannot_leave_the_folder_of_its_day(store):
    fetched(store, events(1), "../../x")
    assert store.names(layout.raw_folder(DAY)) == ["%2E.%2F..%2Fx.parquet"]
    assert find_unit(store, "../../x", DAY).coverage.vehicle_id == "../../x"


def test_days_held_are_those_with_a_unit(store):
    assert days_held(store) == []
    imported(store, events(1))
    assert days_held(store) == [DAY]
    assert find_unit(store, "4711", DAY + timedelta(days=1)) is None


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda whole: b"", id="empty"),
        pytest.param(lambda whole: whole[: len(whole) // 2], id="cut"),
        pytest.param(lambda whole: b"not parquet at all", id="something else"),
        pytest.param(lambda whole: whole[:-200] + bytes(192) + whole[-8:], id="footer zeroed"),
    ],
)
def test_a_damaged_unit_is_named_and_what_to_do_is_said(store, damage):
    fetched(store, events(50))
    path = Path(store.root, layout.raw_file("4711", DAY))
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(WarehouseError, match=r"raw/date=2026-01-05/4711\.parquet is damaged .*verify --repair"):
        find_unit(store, "4711", DAY)


def test_a_bit_that_fell_over_in_the_events_is_found(store):
    fetched(store, [event(number, text="x" * number) for number in range(300)])
    path = Path(store.root, layout.raw_file("4711", DAY))
    whole = bytearray(path.read_bytes())
    whole[200] ^= 1
    path.write_bytes(whole)
    unit = find_unit(store, "4711", DAY)
    with pytest.raises(WarehouseError, match=r"4711\.parquet is damaged"):
        list(events_of(store, unit))


def test_the_numbers_of_a_unit_add_up(store):
    found = fetched(store, [*events(5), *events(2)])
    assert (found.received_events, found.kept_events, found.duplicate_events) == (7, 5, 2)
    assert find_unit(store, "4711", DAY).coverage == found


def test_collecting_and_dropping_leaves_nothing(store):
    writer = RawWriter(store)
    writer.add(events(3), DEVICE_DATA)
    writer.discard()
    assert held(store) == Counter()
