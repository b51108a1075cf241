"""The day file: the same raw gives the same bytes, every event is accounted for, and what is up to date is left."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import msgspec
import orjson
import pyarrow.parquet as pq
import pytest

from dimo_etl.coverage import Coverage
from dimo_etl.errors import WarehouseError
from dimo_etl.events import read_event
from dimo_etl.lake import day_file, flatten_unit, layout
from dimo_etl.lake.signals import write_day
from dimo_etl.lake.store import Store
from dimo_etl.schema import COVERAGE_KEY, SIGNALS
from tests.lake.make import DAY, day_bytes, day_rows, document, event, events, fetched, imported, quarantined


@pytest.fixture
def store(tmp_path: Path):
    with Store(str(tmp_path / "lake")) as store:
        yield store


def mixed(count: int, first: int = 0) -> list:
    """Documents with several kinds of leaves, so that names come and go."""
    made = []
    for number in range(first, first + count):
        more = (
            {"odometer": number / 8}
            if number % 3 == 0
            else {"tires": {"frontLeft": number % 7, "soft": bool(number % 2)}}
        )
        made.append(event(number, **more, note=f"n{number % 5}", codes=[number % 4]))
    return made


def with_times_of_their_own(count: int) -> list:
    """Documents whose signals carry times in an order of their own."""
    made = []
    for number in range(count):
        values = [
            {"timestamp": f"2026-01-05T00:{(59 - number) % 60:02}:00Z", "name": "soc", "value": number},
            {"timestamp": f"2026-01-05T00:{number % 60:02}:30Z", "name": "speed", "value": number},
        ]
        made.append(event(40_000 + number, vehicle={"signals": values}))
        # At one time, of events whose own times go against their ids.
        at_once = {"timestamp": "2026-01-05T00:30:00Z", "name": "range", "value": number}
        earlier = f"2026-01-05T12:{(59 - number) % 60:02}:00Z"
        made.append(event(50_000 + number, timestamp=earlier, vehicle={"signals": [at_once]}))
    return made


def order(rows: list[dict]) -> list[tuple]:
    return [(row["name"], row["vehicle_id"], row["timestamp"], row["event_id"]) for row in rows]


def test_rows_are_sorted_by_name_vehicle_time_and_event(store):
    for vehicle in ("9", "10"):
        given = mixed(300) + with_times_of_their_own(100)
        Random(1).shuffle(given)
        fetched(store, given, vehicle)
    write_day(store, DAY)
    rows = order(day_rows(store))
    assert rows == sorted(rows)
    assert len({name for name, *_ in rows}) > 5


def test_rows_are_sorted_also_where_later_chunks_hold_earlier_events(store, monkeypatch):
    monkeypatch.setattr(flatten_unit, "_CHUNK_EVENTS", 1_000)
    given = events(9_000)
    Random(1).shuffle(given)
    fetched(store, given)
    write_day(store, DAY)
    rows = order(day_rows(store))
    assert rows == sorted(rows)
    assert len(rows) == 18_000


def test_the_file_has_the_promised_schema(store):
    fetched(store, mixed(10))
    write_day(store, DAY)
    with store.open(layout.signals_file(DAY)) as file:
        assert pq.read_schema(file).remove_metadata().equals(SIGNALS.remove_metadata())


def in_any_order(store, seed: int | None) -> bytes:
    """The bytes of a day of two vehicles whose events arrived in some order, in one file or from two origins."""
    for vehicle in ("9", "10"):
        given = mixed(500) + with_times_of_their_own(70)
        if seed is not None:
            Random(seed).shuffle(given)
        fetched(store, given, vehicle)
    write_day(store, DAY)
    return day_bytes(store)


def rows_and_records(store) -> tuple[list[dict], tuple[Coverage, ...]]:
    with store.open(layout.signals_file(DAY)) as file:
        footer = pq.read_metadata(file).metadata
    return day_rows(store), msgspec.json.decode(footer[COVERAGE_KEY], type=tuple[Coverage, ...])


def test_the_same_raw_gives_the_same_bytes(store, tmp_path):
    with Store(str(tmp_path / "other")) as other:
        assert in_any_order(store, None) == in_any_order(other, None)


def test_the_order_in_which_events_arrived_does_not_show(store, tmp_path):
    in_any_order(store, None)
    with Store(str(tmp_path / "other")) as other:
        in_any_order(other, 7)
        assert rows_and_records(other) == rows_and_records(store)


@pytest.mark.parametrize(("chunk", "spill"), [(50, 1), (10_000, 1), (64, 20_000)])
def test_a_day_that_spills_to_disk_gives_the_same_bytes_as_one_in_memory(store, tmp_path, monkeypatch, chunk, spill):
    in_memory = in_any_order(store, 3)
    monkeypatch.setattr(flatten_unit, "_CHUNK_EVENTS", chunk)
    monkeypatch.setattr(day_file, "_SPILL_BYTES", spill)
    with Store(str(tmp_path / "spilled")) as other:
        assert in_any_order(other, 3) == in_memory
        assert [path.name for path in Path(other.root, ".tmp").rglob("*") if path.is_file()] == ["lock"]


def test_a_file_that_is_up_to_date_is_left_alone(store):
    fetched(store, mixed(20))
    first = write_day(store, DAY)
    before = Path(store.root, layout.signals_file(DAY)).stat()
    second = write_day(store, DAY)
    after = Path(store.root, layout.signals_file(DAY)).stat()
    assert (first.rewritten, second.rewritten) == (True, False)
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert (second.rows, second.size_bytes, second.coverage) == (first.rows, first.size_bytes, first.coverage)


def test_a_day_is_rewritten_when_one_of_its_units_changed(store):
    fetched(store, events(3), "9")
    fetched(store, events(3), "10")
    write_day(store, DAY)
    fetched(store, events(4), "9")
    again = write_day(store, DAY)
    assert again.rewritten
    assert {(record.vehicle_id, record.kept_events) for record in again.coverage} == {("9", 4), ("10", 3)}


def several(store, *vehicles: str) -> None:
    for vehicle in vehicles:
        number = int(vehicle)
        given = mixed(150 + number) + with_times_of_their_own(20) + UNREADABLE[: number % 3]
        fetched(store, [*given, event(90_000, **{f"only{vehicle}": number})], vehicle)


@pytest.mark.parametrize("group", [100, 122_880])
@pytest.mark.parametrize("later", [("7",), ("10", "25"), ("5", "9"), ("7", "8", "9", "10", "25")])
def test_vehicles_that_come_later_give_the_same_bytes_as_all_at_once(store, tmp_path, monkeypatch, group, later):
    monkeypatch.setattr(day_file, "_ROW_GROUP", group)
    vehicles = ("10", "25", "3", "5", "7", "8", "9")
    several(store, *(vehicle for vehicle in vehicles if vehicle not in later))
    write_day(store, DAY)
    several(store, *later)
    written = write_day(store, DAY)
    with Store(str(tmp_path / "other")) as other:
        several(other, *vehicles)
        assert write_day(other, DAY) == written
        assert day_bytes(other) == day_bytes(store)
        assert quarantined(other) == quarantined(store)


def test_a_vehicle_that_changed_or_went_leaves_no_row_behind(store, tmp_path):
    several(store, "3", "7", "9")
    write_day(store, DAY)
    fetched(store, events(4), "7")
    Path(store.root, layout.raw_file("3", DAY)).unlink()
    write_day(store, DAY)
    with Store(str(tmp_path / "other")) as other:
        several(other, "7", "9")
        fetched(other, events(4), "7")
        write_day(other, DAY)
        assert day_bytes(other) == day_bytes(store)
        assert quarantined(other) == quarantined(store)


def spoil(path: Path) -> None:
    """Change a byte of the first page, which its checksum tells; the footer stays."""
    whole = bytearray(path.read_bytes())
    whole[120] ^= 1
    path.write_bytes(whole)


def test_the_neighbours_of_a_new_vehicle_are_not_read_again(store):
    several(store, "3", "7")
    write_day(store, DAY)
    before = len(day_rows(store))
    for vehicle in ("3", "7"):
        spoil(Path(store.root, layout.raw_file(vehicle, DAY)))
    fetched(store, events(4), "9")
    assert write_day(store, DAY).rows == before + 8


@pytest.mark.parametrize("lost", ["a page of the day", "the quarantine"])
def test_rows_that_cannot_be_taken_over_are_made_anew(store, tmp_path, lost):
    several(store, "5", "7")
    write_day(store, DAY)
    if lost == "the quarantine":
        Path(store.root, layout.quarantine_file(DAY)).unlink()
    else:
        spoil(Path(store.root, layout.signals_file(DAY)))
    several(store, "9")
    write_day(store, DAY)
    with Store(str(tmp_path / "other")) as other:
        several(other, "5", "7", "9")
        write_day(other, DAY)
        assert day_bytes(other) == day_bytes(store)
        assert quarantined(other) == quarantined(store)


def test_a_damaged_day_file_is_written_anew(store):
    fetched(store, mixed(20))
    write_day(store, DAY)
    whole = day_bytes(store)
    Path(store.root, layout.signals_file(DAY)).write_bytes(whole[:100])
    assert write_day(store, DAY).rewritten
    assert day_bytes(store) == whole


def test_a_damaged_raw_unit_is_told_and_the_day_file_stays_as_it_was(store):
    fetched(store, mixed(20))
    write_day(store, DAY)
    before = day_bytes(store)
    fetched(store, mixed(30))
    spoil(Path(store.root, layout.raw_file("4711", DAY)))
    with pytest.raises(WarehouseError, match=r"4711\.parquet is damaged"):
        write_day(store, DAY)
    assert day_bytes(store) == before


def test_a_day_of_which_nothing_is_held_has_no_file(store):
    assert write_day(store, DAY) is None
    assert not store.exists(layout.signals_file(DAY))


def test_a_day_proved_empty_has_a_file_with_its_proof_and_no_rows(store):
    fetched(store, [])
    written = write_day(store, DAY)
    assert written.rows == 0
    assert [(record.vehicle_id, record.complete) for record in written.coverage] == [("4711", True)]
    assert day_rows(store) == []


UNREADABLE = [
    read_event(b"{cut off", index_id="cut"),
    read_event(b'{"id":"no data"}'),
    read_event(b'{"id":"undated","data":{"speed":1}}'),
]


def test_what_cannot_be_read_goes_to_quarantine_whole_and_with_its_reason(store):
    fetched(store, events(3) + UNREADABLE)
    write_day(store, DAY)
    found = {row["event_id"]: row for row in quarantined(store)}
    assert set(found) == {"cut", "no data", "undated"}
    assert found["cut"]["payload"] == b"{cut off"
    assert all(row["reason"] and row["vehicle_id"] == "4711" for row in found.values())
    assert {row["event_id"] for row in day_rows(store)} == {"event-000000", "event-000001", "event-000002"}


def test_quarantine_says_where_each_document_came_from(store):
    fetched(store, events(1) + UNREADABLE[:1])
    imported(store, UNREADABLE[1:2])
    write_day(store, DAY)
    assert {(row["event_id"], row["origin"]) for row in quarantined(store)} == {
        ("cut", "device-data"),
        ("no data", "import"),
    }


def test_quarantine_is_emptied_when_the_day_has_become_readable(store):
    fetched(store, events(3) + UNREADABLE)
    write_day(store, DAY)
    fetched(store, events(3))
    write_day(store, DAY)
    assert not store.exists(layout.quarantine_file(DAY))


def test_events_received_are_kept_or_duplicates_or_quarantined(store):
    fetched(store, [*events(5), *events(2), *UNREADABLE])
    [record] = write_day(store, DAY).coverage
    assert (record.received_events, record.kept_events, record.duplicate_events, record.quarantined_events) == (
        10,
        5,
        2,
        3,
    )
    assert len({row["event_id"] for row in day_rows(store)}) == record.kept_events


def test_a_record_names_the_integrations_and_the_times_of_the_events_that_are_kept(store, monkeypatch):
    monkeypatch.setattr(flatten_unit, "_CHUNK_EVENTS", 2)
    fetched(store, [*(event(number) for number in (7, 3, 5)), *UNREADABLE])
    fetched(store, UNREADABLE, vehicle_id="9")
    record, empty = write_day(store, DAY).coverage
    assert record.sources == ("test",)
    assert record.first_event_at == datetime(2026, 1, 5, 0, 0, 3, tzinfo=UTC)
    assert record.last_event_at == datetime(2026, 1, 5, 0, 0, 7, tzinfo=UTC)
    assert (empty.sources, empty.first_event_at, empty.last_event_at) == ((), None, None)


def test_days_do_not_touch_each_other(store):
    fetched(store, events(3))
    write_day(store, DAY)
    assert write_day(store, DAY + timedelta(days=1)) is None
    assert store.names("signals") == [f"date={DAY}"]


def test_row_groups_have_one_size_whatever_the_pieces_the_rows_came_in(store, tmp_path, monkeypatch):
    monkeypatch.setattr(day_file, "_ROW_GROUP", 100)
    whole = in_any_order(store, 5)
    with store.open(layout.signals_file(DAY)) as file:
        footer = pq.read_metadata(file)
    sizes = [footer.row_group(number).num_rows for number in range(footer.num_row_groups)]
    assert set(sizes[:-1]) == {100}
    monkeypatch.setattr(flatten_unit, "_CHUNK_EVENTS", 30)
    monkeypatch.setattr(day_file, "_SPILL_BYTES", 5_000)
    with Store(str(tmp_path / "other")) as other:
        assert in_any_order(other, 5) == whole


def test_more_signals_of_the_same_events_hardly_take_more_ids_and_times(store):
    random = Random(1)
    given = []
    for number in range(2_000):
        made = document(40 * number + random.randrange(40), **{f"signal{name}": 1 for name in range(20)})
        given.append(read_event(orjson.dumps(made | {"id": random.randbytes(13).hex()})))
    fetched(store, given)
    write_day(store, DAY)
    with store.open(layout.signals_file(DAY)) as file:
        footer = pq.read_metadata(file)
    assert (footer.num_row_groups, footer.num_rows) == (1, 2_000 * 22)
    columns = [footer.row_group(0).column(number) for number in range(footer.num_columns)]
    taken = {column.path_in_schema: column.total_compressed_size for column in columns}
    # An id is 13 random bytes, and a time is not foreseen.
    assert taken["event_id"] < 2_000 * 13 * 1.5
    assert taken["timestamp"] < 2_000 * 8


def test_the_data_of_a_document_comes_back_from_its_rows(store):
    fetched(store, [event(7, odometer=12.5, door=True, vin="X", codes=[1, 2], nothing=None)])
    write_day(store, DAY)
    rows = {row["name"]: row for row in day_rows(store)}
    assert document(7)["data"]["timestamp"] == "2026-01-05T00:00:07Z"
    assert rows["odometer"]["value_number"] == 12.5
    assert rows["door"]["value_boolean"] is True
    assert rows["vin"]["value_string"] == "X"
    assert rows["codes"]["value_json"] == "[1,2]"
    assert rows["nothing"]["value_json"] == "null"
