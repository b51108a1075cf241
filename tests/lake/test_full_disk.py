"""What the disk refuses is told in one sentence; the state before stays, and no half file with it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from dimo_etl.lake.signals import write_day
from dimo_etl.lake.store import Store
from tests.lake.make import DAY, day_bytes, event, fetched, held

# In a process of its own, since neither the bound on files nor the small disk may outlive the test.
ATTEMPT = """
import random, resource, sys
from dimo_etl.errors import WarehouseError
from dimo_etl.lake.signals import write_day
from dimo_etl.lake.store import Store
from tests.lake.make import DAY, event, fetched
root, stage, limit = sys.argv[1], sys.argv[2], int(sys.argv[3])
random.seed(1)
more = [event(n, text=random.randbytes(400).hex(), value=random.random()) for n in range(int(sys.argv[4]))]
with Store(root) as store:
    if stage == "signals":
        fetched(store, more)
    if limit:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    try:
        fetched(store, more) if stage == "raw" else write_day(store, DAY)
    except WarehouseError as error:
        print(error)
"""


def attempt(root: Path, stage: str, limit: int, count: int, *, before: tuple[str, ...] = ()) -> str:
    command = [*before, sys.executable, "-c", ATTEMPT, str(root), stage, str(limit), str(count)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[2], check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    with Store(str(tmp_path / "lake")) as store:
        fetched(store, [event(number) for number in range(5)])
        write_day(store, DAY)
    return tmp_path / "lake"


def files(root: Path) -> dict[str, bytes]:
    kept = (path for path in root.rglob("*") if path.is_file() and ".locks" not in path.parts)
    return {str(path.relative_to(root)): path.read_bytes() for path in kept}


@pytest.mark.parametrize("count", [200, 20_000])
def test_raw_events_that_do_not_fit_leave_the_unit_as_it_was(lake, count):
    before = files(lake)
    told = attempt(lake, "raw", 20_000, count)
    assert told.startswith("Cannot write events to the warehouse")
    assert told.count("\n") == 1
    assert "File too large" in told
    assert files(lake) == before


def test_signals_that_do_not_fit_leave_the_day_as_it_was(lake):
    with Store(str(lake)) as store:
        before = day_bytes(store)
    told = attempt(lake, "signals", 20_000, 500)
    assert told.startswith(f"Cannot write the signals of {DAY} to the warehouse")
    assert told.count("\n") == 1
    with Store(str(lake)) as store:
        assert day_bytes(store) == before
        assert held(store).total() == 500
    assert list((lake / ".tmp").iterdir()) == []


SMALL_DISK = ("unshare", "--user", "--map-root-user", "--mount", "sh", "-c")
MOUNT = 'mount -t tmpfs -o size=256k tmpfs "$1" && shift && "$@" && ls -A "$4/.tmp"'


def can_mount(folder: Path) -> bool:
    try:
        return (
            subprocess.run([*SMALL_DISK, 'mount -t tmpfs tmpfs "$0"', str(folder)], capture_output=True).returncode == 0
        )
    except FileNotFoundError:
        return False


def test_a_full_disk_is_told_and_leaves_no_litter(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    if not can_mount(disk):
        pytest.skip("this machine lets no user mount a small disk")
    told = attempt(disk / "lake", "raw", 0, 20_000, before=(*SMALL_DISK, MOUNT, "sh", str(disk)))
    assert "No space left on device" in told
    assert told.count("\n") == 1
