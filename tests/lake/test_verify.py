"""A bit that flipped, or an end that is missing, is found wherever it is, and its file is named."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from random import Random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dimo_etl.lake import layout
from dimo_etl.lake.distances import Said, add_said
from dimo_etl.lake.signals import rewrite_day, write_day, write_quarantine
from dimo_etl.lake.snapshots import Sighting, add_sightings
from dimo_etl.lake.store import Store
from dimo_etl.lake.tables import WRITER_KEY
from dimo_etl.lake.vehicles import add_vehicles
from dimo_etl.lake.verify import verify
from dimo_etl.model import Event, Vehicle
from tests.lake.make import DAY, day_bytes, event, fetched, imported
from tests.long import cases

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
FLIPS = cases(40)


@pytest.fixture
def store(tmp_path):
    with Store(str(tmp_path / "lake")) as store:
        fetched(store, [event(n, text=f"text {n}") for n in range(30)])
        fetched(store, [*(event(n) for n in range(3)), Event("bad", None, b"no json")], "5023")
        imported(store, [event(100)])
        write_day(store, DAY)
        add_vehicles(store, [Vehicle("4711", token_id=4711, make="Ford")])
        add_said(store, [Said("4711", NOW, None, None, 12.5)])
        add_sightings(store, "4711", DAY, [Sighting("4711", NOW, "v1/status", 1, 1, NOW, b"{}")])
        write_quarantine(
            store,
            layout.undated_quarantine_file("cae66941d9efbd404e4d88758ea67670"),
            [{"vehicle_id": None, "event_id": None, "reason": "why", "origin": "import", "payload": b""}],
        )
        yield store


def wrong(store: Store) -> dict[str, str]:
    return {one.name: one.wrong for one in verify(store) if one.wrong}


def files(store: Store) -> list[str]:
    return sorted(str(path.relative_to(store.root)) for path in Path(store.root).rglob("*.parquet"))


def test_every_file_of_a_sound_warehouse_is_looked_at_and_is_sound(store):
    assert sorted(one.name for one in verify(store)) == files(store)
    assert len(files(store)) == 8
    assert wrong(store) == {}


def test_a_day_whose_footer_has_lost_what_it_says_is_not_what_its_raw_units_give(store):
    name = layout.signals_file(DAY)
    path = Path(store.root, name)
    rows = pq.read_table(path).replace_schema_metadata(None)
    pq.write_table(rows, path, store_schema=False)
    assert pq.read_metadata(path).metadata is None
    assert wrong(store) == {name: "it is not what its raw units give"}


def test_a_bit_that_flips_anywhere_is_found_and_its_file_is_named(store, figures):
    chance = Random(3)
    for name in files(store):
        path = Path(store.root, name)
        whole = path.read_bytes()
        for _ in range(FLIPS):
            place = chance.randrange(len(whole))
            flipped = bytearray(whole)
            flipped[place] ^= 1 << chance.randrange(8)
            path.write_bytes(flipped)
            found = wrong(store)
            figures["bits flipped"] += 1
            if name.startswith("raw/") and not found:
                # What the footer says beside record, digest and pages is Arrow's own, and nothing reads it here.
                assert rewrite_day(store, DAY)
            else:
                assert name in found, f"byte {place} of {name}"
        path.write_bytes(whole)
    assert wrong(store) == {}


def older(content: bytes) -> bytes:
    """A file as an earlier version of Arrow would have written it, which says so in two places."""
    major = pa.__version__.partition(".")[0]
    assert content.count(pa.__version__.encode()) >= 1
    return content.replace(pa.__version__.encode(), pa.__version__.replace(major, str(int(major) - 1), 1).encode())


def test_files_that_another_version_of_arrow_wrote_are_sound_where_they_hold_the_same(store):
    for name in files(store):
        path = Path(store.root, name)
        path.write_bytes(older(path.read_bytes()))
    assert wrong(store) == {}
    fetched(store, [event(n, text="other") for n in range(30)])
    assert wrong(store) == {layout.signals_file(DAY): "it is not what its raw units give"}


def test_a_day_in_another_layout_is_sound_where_it_holds_the_same(store):
    path = Path(store.root, layout.signals_file(DAY))
    with pq.ParquetFile(path) as file:
        table, said = file.read(), file.metadata.metadata

    def write(rows: pa.Table, writer: dict[bytes, bytes]) -> None:
        kept = {key: value for key, value in said.items() if key not in (b"ARROW:schema", WRITER_KEY)}
        pq.write_table(rows.replace_schema_metadata(kept | writer), path, compression="none", write_page_checksum=True)

    for writer in ({}, {WRITER_KEY: f"{pa.__version__} 0123 0123".encode()}):
        write(table, writer)
        assert wrong(store) == {}
        write(pa.concat_tables([table.slice(1), table.slice(0, 1)]), writer)
        assert wrong(store) == {layout.signals_file(DAY): "it is not what its raw units give"}
    write(table, {WRITER_KEY: f"{pa.__version__} 0123 0124".encode()})
    assert wrong(store) == {layout.signals_file(DAY): "it is not what its raw units give"}


def test_a_file_that_ends_too_early_is_found_at_any_length(store):
    for name in files(store):
        path = Path(store.root, name)
        whole = path.read_bytes()
        for length in (0, 4, len(whole) // 2, len(whole) - 1):
            path.write_bytes(whole[:length])
            assert name in wrong(store)
        path.write_bytes(whole)


def test_a_raw_unit_whose_columns_are_read_as_other_types_is_damaged(store):
    name = layout.raw_file("4711", DAY)
    path = Path(store.root, name)
    footer = {key: value for key, value in pq.read_metadata(path).metadata.items() if key != b"ARROW:schema"}
    table = pq.ParquetFile(path).read()
    ids = table.column("event_id").cast(pa.binary())
    other = table.set_column(0, pa.field("event_id", pa.binary(), nullable=False), ids)
    pq.write_table(other.replace_schema_metadata(footer), path)
    assert "columns" in wrong(store)[name]


def test_a_whole_file_of_another_vehicle_or_day_is_not_taken_for_the_right_one(store):
    raw = Path(store.root, layout.raw_file("4711", DAY))
    raw.with_name("5023.parquet").write_bytes(raw.read_bytes())
    assert wrong(store)[layout.raw_file("5023", DAY)] == f"it holds vehicle 4711 of {DAY}"


def test_signals_that_do_not_follow_from_their_raw_units_are_found_and_made_again(store):
    before = day_bytes(store)
    fetched(store, [event(n, text="other") for n in range(31)])
    assert wrong(store) == {layout.signals_file(DAY): "it is not what its raw units give"}
    rewrite_day(store, DAY)
    assert wrong(store) == {}
    assert day_bytes(store) != before


def test_signals_whose_raw_units_are_gone_are_named(store):
    for vehicle in ("4711", "5023"):
        store.remove(layout.raw_file(vehicle, DAY))
    assert wrong(store)[layout.signals_file(DAY)] == "the raw units it was made from are gone"
