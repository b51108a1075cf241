"""The reader: answers in UTC, reads the views and nothing else, writes nothing, and says what went wrong."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime

import pytest

from dimo_etl.errors import QueryError, WarehouseError
from dimo_etl.warehouse import Warehouse
from dimo_etl.warehouse.publish import publish
from tests.warehouse.lake import START, Lake


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    lake = Lake(tmp_path_factory.mktemp("reader") / "lake")
    lake.odometer("1", [10_000, 10_010])
    lake.cover("1", "2026-01-05")
    return lake.write()


@pytest.fixture(scope="module")
def warehouse(root):
    with Warehouse.open(root) as opened:
        yield opened


def test_rows_come_as_tuples_frames_and_arrow_tables(warehouse):
    query = "SELECT odometer_km FROM odometer ORDER BY timestamp"
    assert warehouse.execute(query).fetchall() == [(10_000,), (10_010,)]
    assert warehouse.execute(query).columns == ["odometer_km"]
    assert list(warehouse.df(query).odometer_km) == [10_000, 10_010]
    assert warehouse.arrow(query).to_pydict() == {"odometer_km": [10_000, 10_010]}
    assert warehouse.relation(query).limit(1).df().shape == (1, 1)
    assert sum(batch.num_rows for batch in warehouse.batches(query)) == 2


def test_one_result_can_be_read_while_another_query_runs(warehouse):
    rows = warehouse.execute("SELECT odometer_km FROM odometer ORDER BY timestamp")
    assert rows.fetchone() == (10_000,)
    assert len(warehouse.df("FROM odometer")) == 2
    assert list(rows) == [(10_010,)]


def test_values_stand_for_parameters(warehouse):
    assert warehouse.execute("SELECT count(*) FROM odometer WHERE odometer_km > ?", [10_005]).fetchone() == (1,)
    assert warehouse.df("SELECT $km AS km", {"km": 3}).km[0] == 3


def test_times_are_utc(warehouse):
    assert warehouse.execute("SELECT timestamp FROM odometer ORDER BY 1 LIMIT 1").fetchone() == (START,)
    assert str(warehouse.arrow("SELECT timestamp FROM odometer").schema.field(0).type) == "timestamp[us, tz=UTC]"
    assert warehouse.execute("SELECT '2026-01-05 00:00'::TIMESTAMPTZ").fetchone() == (datetime(2026, 1, 5, tzinfo=UTC),)


@pytest.mark.parametrize(
    "statement",
    [
        "ATTACH '{there}/x.duckdb'",
        "COPY (SELECT 1) TO '{there}/x.csv'",
        "COPY (SELECT 1) TO '{root}/signals/x.csv'",
        "EXPLAIN ANALYZE COPY (SELECT 1) TO '{root}/signals/x.csv'",
        "/* a */ EXPLAIN /* b */ ANALYZE COPY (SELECT 1) TO '{root}/signals/x.csv'",
        "EXPORT DATABASE '{there}/x'",
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM read_text('{root}/signals/../../../{there}/secret.txt')",
        "SELECT * FROM read_csv('{there}/secret.txt')",
        "FROM '{there}/secret.txt'",
        "SELECT * FROM glob('/etc/*')",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET TimeZone = 'Asia/Tokyo'",
        "SET enable_external_access = true",
        "RESET lock_configuration",
        "CREATE TABLE t (i INT)",
        "CREATE TEMP TABLE t (i INT)",
        "CREATE TABLE memory.main.t (i INT)",
        "DROP VIEW signals",
        "INSERT INTO signals SELECT * FROM signals",
        "DELETE FROM signals",
        "PRAGMA database_list",
        "CALL checkpoint()",
        "DETACH dimo",
        "USE memory",
        "SELECT 1; SELECT 2",
        "SELECT 1; DROP VIEW signals",
        "",
        "-- nothing",
        "SELEC 1",
        "FROM nowhere",
        "SELECT nothing FROM signals",
        "SELECT 'x'::INTEGER",
        "SELECT ?",
    ],
)
def test_what_is_not_one_query_over_the_views_is_refused(warehouse, root, tmp_path, statement):
    (tmp_path / "secret.txt").write_text("secret")
    before = sorted(tmp_path.rglob("*")), sorted(root.rglob("*"))
    with pytest.raises(QueryError) as refused:
        warehouse.execute(statement.format(there=tmp_path, root=root)).fetchall()
    assert "\n" not in str(refused.value)
    assert (sorted(tmp_path.rglob("*")), sorted(root.rglob("*"))) == before
    assert warehouse.execute("SELECT count(*) FROM signals").fetchone() == (2,)


@pytest.mark.parametrize(
    "query",
    ["SHOW TABLES", "DESCRIBE odometer", "SUMMARIZE odometer", "EXPLAIN FROM odometer", "EXPLAIN ANALYZE FROM latest"],
)
def test_looking_around_is_allowed(warehouse, query):
    assert warehouse.execute(query).fetchall()


@pytest.mark.parametrize("damage", ["empty", "no Parquet", "cut short", "bytes flipped"])
def test_a_damaged_file_is_named_however_it_is_read(lake, damage):
    for day in (5, 20):
        lake.odometer("1", [10_000 + n for n in range(500)], start=START.replace(day=day), minutes=1)
    lake.write()
    file = lake.root / "signals" / "date=2026-01-20" / "signals.parquet"
    whole = file.read_bytes()
    content = {
        "empty": b"",
        "no Parquet": b"something else",
        "cut short": whole[: len(whole) // 2],
        "bytes flipped": whole[:4] + bytes(255 - byte for byte in whole[4:-900]) + whole[-900:],
    }
    with Warehouse.open(lake.root) as warehouse:
        file.write_bytes(content[damage])
        for read in (
            lambda query: warehouse.execute(query).fetchall(),
            lambda query: list(warehouse.execute(query)),
            warehouse.df,
            warehouse.arrow,
            lambda query: list(warehouse.batches(query)),
        ):
            with pytest.raises(WarehouseError, match=str(file)):
                read("FROM signals")


def test_where_there_is_no_warehouse_the_message_says_how_to_get_one(tmp_path):
    with pytest.raises(WarehouseError, match=r"dimo-etl sync.*dimo-etl demo"):
        Warehouse.open(tmp_path / "none")


def test_an_empty_folder_is_an_empty_warehouse(tmp_path):
    with Warehouse.open(tmp_path) as warehouse:
        assert warehouse.df("FROM distance_daily").empty


def test_opening_publishes_views_that_are_out_of_date(lake):
    lake.write()
    publish(lake.root)
    (lake.root / "dimo.duckdb").unlink()
    with Warehouse.open(lake.root) as warehouse:
        assert warehouse.df("FROM vehicles").empty


def test_a_reader_opened_after_a_publish_sees_the_new_file_though_an_old_reader_is_open(lake):
    lake.write()
    with Warehouse.open(lake.root) as old:
        lake.odometer("1", [10_000])
        lake.write()
        with Warehouse.open(lake.root) as new:
            assert new.execute("SELECT count(*) FROM signals").fetchone() == (1,)
        assert old.execute("SELECT count(*) FROM signals").fetchone() == (0,)


def test_the_settings_name_the_warehouse(lake, monkeypatch):
    lake.write()
    monkeypatch.setenv("DIMO_WAREHOUSE", str(lake.root))
    with Warehouse.open() as warehouse:
        assert warehouse.df("FROM vehicles").empty


def test_reading_leaves_nothing_behind_in_the_lake(lake):
    lake.odometer("1", [10_000])
    lake.write()
    publish(lake.root)
    before = sorted(lake.root.rglob("*"))
    with Warehouse.open(lake.root) as warehouse:
        warehouse.df("FROM distance_daily")
    assert sorted(lake.root.rglob("*")) == before
    assert publish(lake.root) is False


def test_a_warehouse_that_is_left_open_and_forgotten_leaves_nothing_behind(root, tmp_path):
    program = "from dimo_etl import Warehouse; import sys; print(len(Warehouse.open(sys.argv[1]).df('FROM odometer')))"
    environ = os.environ | {"TMPDIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", program, root], env=environ, capture_output=True, text=True, check=True
    )
    assert done.stdout == "2\n"
    assert list(tmp_path.iterdir()) == []


def test_importing_the_package_loads_no_engine():
    program = "import sys, dimo_etl; print(sorted({'duckdb', 'pandas', 'pyarrow'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout == "[]\n"
