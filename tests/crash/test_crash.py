"""A writer that dies anywhere leaves the old state or the new one, and the next run ends as if nothing had happened.

Every point at which a writer can die or be refused is tried with `make reliability`; without it,
every few points.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from random import Random

import duckdb
import pytest

from dimo_etl.lake.store import Store
from dimo_etl.sandbox.server import SandboxServer
from tests.crash.writer import DIED, TOLD
from tests.long import LONG

DAYS = ["2026-01-12", "2026-01-13"]

STEP, KILLS = (1, 1_000) if LONG else (47, 3)
REFUSALS = ("ENOSPC", "EACCES", "EROFS")
# What is open for writing already is refused for want of room or by the disk itself.
REFUSALS_OF = {"write": ("ENOSPC", "EIO"), "fsync": ("ENOSPC", "EIO")}
SIGNALS = """
    SELECT date, vehicle_id, count(*), count(DISTINCT event_id), sum(hash(name, timestamp, event_id, value_number))
    FROM signals GROUP BY ALL ORDER BY ALL
"""
PROOF = """
    SELECT date, vehicle_id, expected_events, fetched_events, complete FROM coverage
    WHERE state <> 'never_asked' ORDER BY ALL
"""
Answers = dict[date, list[tuple]]


@dataclass
class Writers:
    """The warm process, its warehouse, and the states before and after an undisturbed run."""

    root: Path
    environ: dict[str, str]
    process: subprocess.Popen[str]
    before: Path
    notes: Path
    files_after: dict[str, bytes] = field(default_factory=dict)

    def start(self, *, last: int | None = None, refusal: str | None = None, vehicles: str = "5023,8102") -> int:
        """Start a writer; returns its process id."""
        environ = self.environ | {"DIMO_WAREHOUSE": str(self.root), "DIMO_VEHICLES": vehicles}
        order = {"environ": environ, "days": DAYS, "last": last, "refusal": refusal, "notes": str(self.notes)}
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())

    def end(self) -> int:
        """Wait for the writer; returns its exit code."""
        return int(self.process.stdout.readline())

    def run(self, **order) -> int:
        self.start(**order)
        return self.end()

    def restore(self) -> None:
        """Put the warehouse back to the state before."""
        shutil.rmtree(self.root, ignore_errors=True)
        # Links, which are the same files, are enough: no file that is in place is ever written to.
        shutil.copytree(self.before, self.root, copy_function=os.link)

    def keep(self) -> None:
        """Make the warehouse as it is the state before."""
        shutil.rmtree(self.before)
        shutil.copytree(self.root, self.before, copy_function=os.link)

    def operations(self) -> list[tuple[str, str]]:
        """What the last writer that was not stopped did to the warehouse, in order."""
        return [(name, path) for name, path in json.loads(self.notes.read_text())]

    def files(self) -> dict[str, bytes]:
        """Every file a reader can see, but for the views, whose bytes are DuckDB's own."""
        visible = (
            path for path in self.root.rglob("*.parquet") if not path.relative_to(self.root).parts[0].startswith(".")
        )
        return {str(path.relative_to(self.root)): path.read_bytes() for path in visible}

    def answers(self) -> tuple[Answers, Answers]:
        """What the views say of each day: the signals, and their proof, one asked for after the other."""
        with duckdb.connect() as connection:
            connection.execute(f"ATTACH '{self.root}/dimo.duckdb' AS dimo (READ_ONLY)")
            connection.execute("USE dimo")
            return tuple(_by_day(_asked(connection, query)) for query in (SIGNALS, PROOF))

    def staged(self) -> list[Path]:
        """What the last writer left below `.tmp`."""
        home = self.root / ".tmp"
        return [path for path in home.rglob("*") if path.is_file()] if home.exists() else []

    def litter(self) -> list[Path]:
        """What lies below `.tmp` once somebody wrote again."""
        with Store(str(self.root)) as store:
            store.discard(store.stage())
        return list((self.root / ".tmp").iterdir())


def _asked(connection: duckdb.DuckDBPyConnection, query: str) -> list[tuple]:
    """What a DuckDB of one's own answers; it is asked again where it fails over a file replaced while it is opened."""
    for _ in range(4):
        with contextlib.suppress(duckdb.Error):
            return connection.execute(query).fetchall()
    return connection.execute(query).fetchall()


def _by_day(rows: list[tuple]) -> Answers:
    found: Answers = {}
    for day, *rest in rows:
        found.setdefault(day, []).append(tuple(rest))
    return found


@pytest.fixture(scope="module")
def writers(tmp_path_factory):
    folder = tmp_path_factory.mktemp("crash")
    command = [sys.executable, "-m", "tests.crash.writer"]
    with (
        SandboxServer(port=0, seed=1, today=date(2026, 1, 15)) as sandbox,
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]
        ) as process,
    ):
        writers = Writers(folder / "lake", sandbox.environ, process, folder / "before", folder / "notes.json")
        writers.before.mkdir()
        yield writers
        process.stdin.close()


@pytest.fixture(params=["an empty warehouse", "a warehouse with one of the vehicles"])
def begun(request, writers):
    """The writers, at a state to begin from, with the state an undisturbed run ends at."""
    shutil.rmtree(writers.root, ignore_errors=True)
    writers.root.mkdir()
    if "one of the vehicles" in request.param:
        assert writers.run(vehicles="5023") == 0
    writers.keep()
    assert writers.run() == 0
    writers.files_after = writers.files()
    return writers


@pytest.fixture
def begun_with_one(writers):
    shutil.rmtree(writers.root, ignore_errors=True)
    assert writers.run(vehicles="5023") == 0
    writers.keep()
    return writers


def assert_old_or_new(seen: dict[str, bytes], old: dict[str, bytes], new: dict[str, bytes]) -> None:
    for name, content in seen.items():
        assert content in (old.get(name), new.get(name)), f"{name} is neither the old nor the new one"
    assert old.keys() <= seen.keys()


def test_a_writer_that_dies_before_any_operation_leaves_old_or_new_and_the_next_run_ends_the_same(begun, figures):
    points = len(begun.operations())
    assert points > 50
    begun.restore()
    old = begun.files()
    for point in range(1, points + 1, STEP):
        begun.restore()
        assert begun.run(last=point) == DIED
        figures["crash points"] += 1
        assert_old_or_new(begun.files(), old, begun.files_after)

        assert begun.run() == 0
        assert begun.files() == begun.files_after
        assert begun.litter() == []


def test_a_writer_that_is_refused_any_operation_says_so_and_leaves_old_or_new_without_litter(begun, figures):
    operations = begun.operations()
    begun.restore()
    old = begun.files()
    told = 0
    for place, point in enumerate(range(1, len(operations) + 1, STEP)):
        name, path = operations[point - 1]
        refusals = REFUSALS_OF.get(name, REFUSALS)
        # Of what begins empty, where each run also defines the views, one refusal after the other.
        for refusal in refusals if LONG and old else (refusals[place % len(refusals)],):
            begun.restore()
            ended = begun.run(last=point, refusal=refusal)
            assert ended in (0, TOLD), (name, path, refusal)
            if ended == TOLD:
                told += 1
                sentence = begun.notes.read_text()
                assert sentence.count("\n") == 0
                assert str(begun.root) in sentence
            assert_old_or_new(begun.files(), old, begun.files_after)
            # What may not be cleaned up stays for the next run.
            assert name in ("rmdir", "remove") or is_scratch_folder(path) or begun.staged() == []
            assert begun.run() == 0
            assert begun.files() == begun.files_after
            assert begun.litter() == []
            figures["operations refused by the system (ENOSPC, EACCES, EROFS, EIO)"] += 1
    assert told


def is_scratch_folder(path: str) -> bool:
    return Path(path).parent.name == ".tmp"


def test_the_views_answer_at_every_point(begun_with_one, figures):
    writers = begun_with_one
    signals_before, proof_before = writers.answers()
    assert writers.run() == 0
    signals_after, proof_after = writers.answers()
    points = len(writers.operations())
    for point in range(1, points + 1, STEP):
        writers.restore()
        assert writers.run(last=point) == DIED
        assert_one_state_a_day(writers.answers(), (signals_before, proof_before), (signals_after, proof_after))
        figures["crash points a reader asked after"] += 1


def assert_one_state_a_day(seen, before, after) -> None:
    """Of each day a reader sees the rows and the proof of before, or those of after, and never one of each."""
    signals, proof = seen
    assert signals.keys() == proof.keys() == before[0].keys()
    for day in signals:
        states = [(state[0][day], state[1][day]) for state in (before, after)]
        assert (signals[day], proof[day]) in states


def assert_before_or_after(seen, before, after) -> None:
    """The rows of a day are those of before or of after, and so is its proof, which was asked for a moment later."""
    for one, old, new in zip(seen, before, after, strict=True):
        assert one.keys() == old.keys()
        assert all(one[day] in (old[day], new[day]) for day in one)


def test_a_reader_that_asks_all_the_while_sees_old_or_new_while_writers_are_killed(begun_with_one, figures):
    writers = begun_with_one
    before = writers.answers()
    assert writers.run() == 0
    after = writers.answers()
    assert before != after
    random = Random(5)
    killed = 0
    while killed < KILLS:
        writers.restore()
        writer = writers.start()
        seen = [writers.answers() for _ in range(random.randrange(1, 9))]
        with contextlib.suppress(ProcessLookupError):  # it was faster
            os.kill(writer, signal.SIGKILL)
        killed += writers.end() == -signal.SIGKILL
        for answers in seen:
            assert_before_or_after(answers, before, after)
        figures["questions while a writer was about to be killed"] += len(seen)
        assert_one_state_a_day(writers.answers(), before, after)
        assert writers.run() == 0
        assert writers.answers() == after
        assert writers.litter() == []
    figures["writers killed with kill -9 while a reader asked"] += killed


def test_each_file_is_synced_then_renamed_then_its_folder_is_synced(begun):
    operations = begun.operations()
    renames = [place for place, (name, _) in enumerate(operations) if name == "rename"]
    assert len(renames) >= 5
    for place in renames:
        target = Path(operations[place][1])
        (opened, staged), (synced, same) = operations[place - 2 : place]
        assert (opened, synced) == ("open", "fsync")
        assert staged == same
        assert ".tmp" in Path(staged).parts
        assert max(at for at, done in enumerate(operations[:place]) if done == ("write", staged)) < place - 2
        assert operations[place + 1 : place + 3] == [("open", str(target.parent)), ("fsync", str(target.parent))]
