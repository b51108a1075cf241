"""A file of the warehouse appears whole or not at all, and what the dead left behind is swept."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dimo_etl.errors import WarehouseError
from dimo_etl.lake.store import Store

NAME = "raw/date=2026-01-05/4711.parquet"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "lake"


@pytest.fixture
def store(root: Path):
    with Store(str(root)) as store:
        yield store


def put(store: Store, content: bytes, name: str = NAME) -> None:
    staged = store.stage()
    staged.write_bytes(content)
    store.publish(staged, name)


def litter(root: Path) -> list[Path]:
    return [path for path in (root / ".tmp").rglob("*") if path.is_file() and path.name != "lock"]


def test_a_published_file_is_there_under_its_name(store):
    put(store, b"whole")
    assert store.exists(NAME)
    assert store.names("raw/date=2026-01-05") == ["4711.parquet"]
    with store.open(NAME) as file:
        assert file.read() == b"whole"


def test_publishing_replaces_what_was_there(store):
    put(store, b"old")
    put(store, b"new")
    with store.open(NAME) as file:
        assert file.read() == b"new"


def test_a_reader_in_the_middle_of_a_file_keeps_the_file_it_opened(store):
    put(store, b"old" * 1000)
    with store.open(NAME) as file:
        begun = file.read(3)
        put(store, b"new" * 1000)
        assert begun + file.read() == b"old" * 1000


def test_nothing_is_seen_before_it_is_published(store, root):
    staged = store.stage()
    staged.write_bytes(b"half")
    assert list(root.glob("[!.]*")) == []
    assert staged.is_relative_to(root / ".tmp")


def test_a_published_or_discarded_file_leaves_nothing_behind(store, root):
    put(store, b"whole")
    store.discard(store.stage())
    assert litter(root) == []


def test_a_removed_file_is_gone_and_removing_it_again_does_nothing(store):
    put(store, b"whole")
    store.remove(NAME)
    store.remove(NAME)
    assert not store.exists(NAME)


def test_a_folder_that_does_not_exist_has_no_names(store):
    assert store.names("raw/date=1999-01-01") == []


def test_what_is_written_is_for_its_owner_only(store, root):
    put(store, b"private")
    store.stage()
    with store.lock("day"):
        modes = {path: stat.S_IMODE(path.stat().st_mode) for path in [root, *root.rglob("*")]}
    assert {mode for path, mode in modes.items() if path.is_dir()} == {0o700}
    assert {mode for path, mode in modes.items() if path.is_file()} == {0o600}


def test_threads_that_stage_first_at_the_same_moment_share_one_scratch_folder(tmp_path):
    for attempt in range(10):
        barrier = threading.Barrier(12)

        def stage_and_publish(number: int, barrier=barrier, root=tmp_path / str(attempt)) -> None:
            barrier.wait()
            put(store, b"%d" % number, f"raw/{number}")

        with Store(str(tmp_path / str(attempt))) as store, ThreadPoolExecutor(12) as pool:
            list(pool.map(stage_and_publish, range(12)))
            assert len(list((tmp_path / str(attempt) / ".tmp").iterdir())) == 1
            assert len(store.names("raw")) == 12


def run_python(code: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


STAGE_AND_WAIT = """
import sys
from dimo_etl.lake.store import Store
store = Store(sys.argv[1])
store.stage().write_bytes(b"half")
print("staged", flush=True)
sys.stdin.read()
"""

LOCK_AND_WAIT = """
import sys
from dimo_etl.lake.store import Store
with Store(sys.argv[1]).lock("day"):
    print("locked", flush=True)
    sys.stdin.readline()
    print("released", flush=True)
"""


def test_what_a_killed_process_staged_is_swept_by_the_next(root):
    with run_python(STAGE_AND_WAIT, str(root)) as process:
        assert process.stdout.readline() == "staged\n"
        process.kill()
    assert len(litter(root)) == 1
    with Store(str(root)) as store:
        put(store, b"whole")
        assert litter(root) == []
    assert list((root / ".tmp").iterdir()) == []


def test_what_a_living_process_staged_is_left_alone(root):
    with run_python(STAGE_AND_WAIT, str(root)) as process:
        assert process.stdout.readline() == "staged\n"
        with Store(str(root)) as store:
            put(store, b"whole")
            assert len(litter(root)) == 1
        process.kill()


def test_a_lock_keeps_another_process_out_until_it_is_released(root):
    with run_python(LOCK_AND_WAIT, str(root)) as process:
        assert process.stdout.readline() == "locked\n"
        entered = threading.Event()

        def enter() -> None:
            with Store(str(root)).lock("day"):
                entered.set()

        waiting = threading.Thread(target=enter)
        waiting.start()
        assert not entered.wait(0.2)
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.stdout.readline() == "released\n"
        assert entered.wait(10)
        waiting.join()


def test_the_lock_of_a_killed_process_is_free(root):
    with run_python(LOCK_AND_WAIT, str(root)) as process:
        assert process.stdout.readline() == "locked\n"
        process.kill()
    with Store(str(root)).lock("day"):
        pass


def test_locks_of_different_names_do_not_wait_for_each_other(store):
    with store.lock("one day"), store.lock("another day"):
        pass


ONE_SENTENCE = r"^Cannot .* the warehouse .* \(.*\); make room or allow writing there, then run again\.$"


def test_a_warehouse_below_a_file_is_explained_in_a_sentence(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(WarehouseError, match=ONE_SENTENCE):
        Store(str(tmp_path / "file" / "lake")).stage()


AS_NOBODY = """
import os, sys
from dimo_etl.errors import WarehouseError
from dimo_etl.lake.store import Store
store = Store(sys.argv[1])
os.setgid(65534)
os.setuid(65534)
try:
    store.stage()
except WarehouseError as error:
    print(error)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody who may not write")
def test_a_warehouse_of_somebody_else_is_explained_in_a_sentence(tmp_path):
    folder = tmp_path / "theirs"
    folder.mkdir(mode=0o755)
    for parent in tmp_path.parents[:2]:
        parent.chmod(0o755)
    tmp_path.chmod(0o755)
    told = subprocess.run(
        [sys.executable, "-c", AS_NOBODY, str(folder)], capture_output=True, text=True, check=True
    ).stdout
    assert told.startswith("Cannot lock the warehouse")
    assert told.count("\n") == 1
    assert "Permission denied" in told
