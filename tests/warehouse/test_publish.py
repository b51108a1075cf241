"""Publishing: once and only when needed, whole or not at all, wherever the lake lies."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from dimo_etl.errors import WarehouseError
from dimo_etl.warehouse import Warehouse
from dimo_etl.warehouse.publish import publish
from tests.warehouse.lake import Lake

PUBLISH = """
import sys
from pathlib import Path
from dimo_etl.warehouse.publish import publish
root = Path(sys.argv[1])
"""


def test_publishing_again_changes_nothing(lake):
    lake.odometer("1", [10_000])
    lake.write()
    publish(lake.root)
    file = lake.root / "dimo.duckdb"
    before = file.stat().st_ino
    assert publish(lake.root) is False
    assert file.stat().st_ino == before


def test_the_first_day_of_an_empty_lake_is_seen_after_publishing(lake):
    lake.write()
    publish(lake.root)
    assert lake.published("SELECT count(*) FROM signals") == [(0,)]
    lake.odometer("1", [10_000])
    lake.write()
    publish(lake.root)
    assert lake.published("SELECT count(*) FROM signals") == [(1,)]


def test_a_new_day_is_seen_without_publishing(lake):
    lake.odometer("1", [10_000])
    lake.write()
    publish(lake.root)
    inode = (lake.root / "dimo.duckdb").stat().st_ino
    lake.cover("1", "2026-01-09")
    lake.write()
    publish(lake.root)
    assert (lake.root / "dimo.duckdb").stat().st_ino == inode
    assert lake.published("SELECT count(*) FROM coverage") == [(1,)]


def test_a_lake_that_became_empty_can_be_read_after_publishing(lake):
    lake.odometer("1", [10_000])
    lake.write()
    publish(lake.root)
    shutil.rmtree(lake.root / "signals")
    assert publish(lake.root) is True
    assert lake.published("FROM distance_daily") == []


def test_a_moved_lake_is_published_for_its_new_place(lake, tmp_path):
    lake.odometer("1", [10_000])
    lake.write()
    publish(lake.root)
    moved = Lake(lake.root.rename(tmp_path / "moved"))
    assert publish(moved.root) is True
    assert moved.published("SELECT count(*) FROM signals") == [(1,)]


@pytest.mark.parametrize("damage", [lambda file: file.write_bytes(b"not a database"), Path.unlink])
def test_a_file_that_is_not_the_published_one_is_replaced(lake, damage):
    lake.write()
    publish(lake.root)
    damage(lake.root / "dimo.duckdb")
    assert publish(lake.root) is True
    assert lake.published("FROM vehicles") == []


@pytest.mark.parametrize(
    "name",
    ["it's", 'quo"te', "[a-c]", "sta*r", "w?y", "{a,b}", "${signals}", "with space", "date=1", "ü", "-- x", "a;b"],
)
def test_any_folder_name_will_do(tmp_path, name):
    lake = Lake(tmp_path / name)
    decoy = Lake(tmp_path / ("star" if name == "sta*r" else "a"))
    decoy.odometer("decoy", [1])
    decoy.write()
    lake.odometer("1", [10_000])
    lake.cover("1", "2026-01-05")
    lake.write()
    with Warehouse.open(lake.root) as warehouse:
        assert warehouse.execute("SELECT vehicle_id FROM signals").fetchall() == [("1",)]
        assert warehouse.execute("SELECT vehicle_id FROM coverage").fetchall() == [("1",)]


def test_the_file_holds_no_data(lake):
    lake.odometer("1", [10_000])
    lake.write()
    publish(lake.root)
    with duckdb.connect(lake.root / "dimo.duckdb", read_only=True) as connection:
        assert connection.execute("SELECT count(*) FROM duckdb_tables()").fetchall() == [(0,)]


def test_the_catalog_explains_each_view(lake):
    lake.write()
    publish(lake.root)
    views = lake.published("SELECT count(comment), count(*) FROM duckdb_views() WHERE NOT internal")
    assert views[0][0] == views[0][1] > 10


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(WarehouseError, match=r"file"):
        publish(tmp_path / "file" / "lake")


def test_readers_never_miss_the_file_while_it_is_replaced_over_and_over(lake):
    lake.odometer("1", [10_000])
    lake.write()
    publish(lake.root)
    code = f"{PUBLISH}for n in range(5):\n    (root / '.views').write_text('stale')\n    assert publish(root)"
    writer = subprocess.Popen([sys.executable, "-c", code, str(lake.root)])
    reads = 0
    while writer.poll() is None or reads == 0:
        assert lake.published("SELECT count(*) FROM signals") == [(1,)]
        reads += 1
    assert writer.returncode == 0


def test_two_processes_publish_without_harm(lake):
    lake.odometer("1", [10_000])
    lake.write()
    publish(lake.root)
    (lake.root / ".views").unlink()
    code = f"{PUBLISH}print(publish(root))"
    both = [
        subprocess.Popen([sys.executable, "-c", code, str(lake.root)], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    said = sorted(process.communicate()[0].strip() for process in both)
    assert said == ["False", "True"]


def test_a_publish_killed_before_the_rename_leaves_the_old_file(lake):
    lake.odometer("1", [10_000])
    lake.write()
    publish(lake.root)
    (lake.root / ".views").unlink()
    before = (lake.root / "dimo.duckdb").read_bytes()
    code = (
        f"{PUBLISH}import os, signal\n"
        "sys.addaudithook(lambda event, _: os.kill(os.getpid(), signal.SIGKILL) if event == 'os.rename' else None)\n"
        "publish(root)"
    )
    killed = subprocess.run([sys.executable, "-c", code, str(lake.root)], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert (lake.root / "dimo.duckdb").read_bytes() == before
    assert publish(lake.root) is True
    assert list((lake.root / ".tmp").iterdir()) == []
