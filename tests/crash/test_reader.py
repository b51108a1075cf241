"""A reader whose files are replaced under it is given the old state or the new one, or is told to ask again."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from dimo_etl.lake import layout
from dimo_etl.lake.signals import write_day
from dimo_etl.lake.store import Store
from dimo_etl.warehouse import Warehouse
from dimo_etl.warehouse.publish import publish
from tests.lake.make import DAY, event, fetched
from tests.long import LONG

QUESTIONS = 2_000 if LONG else 100
# Puts one version of a file after the other in its place, as a writer does, until it is told to end.
REPLACING = """
import itertools, sys, threading, time
from pathlib import Path
from dimo_etl.lake.store import Store
root, name, *versions = sys.argv[1:]
ended = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
print("begun", flush=True)
with Store(root) as store:
    for version in itertools.cycle(versions):
        store.put(name, Path(version).read_bytes())
        if ended.wait(0.01):
            break
"""
ROWS = "SELECT count(*), count(DISTINCT event_id), sum(hash(name, value_number, value_string) % 1000) FROM signals"


@pytest.fixture
def versions(tmp_path):
    """A warehouse of one day, and what the day's file was at three times."""
    root = tmp_path / "lake"
    kept = []
    with Store(str(root)) as store:
        for count in (200, 1_500, 600):
            fetched(store, [event(n, text=f"text {n * count}") for n in range(count)])
            write_day(store, DAY)
            kept.append(tmp_path / f"{count}.parquet")
            kept[-1].write_bytes((root / layout.signals_file(DAY)).read_bytes())
    publish(root)
    return root, kept


def answered(warehouse: Warehouse) -> tuple[object, ...]:
    """A question, asked in each way there is."""
    return (
        tuple(warehouse.execute(ROWS).fetchone()),
        tuple(warehouse.arrow(ROWS).to_pylist()[0].values()),
        tuple(next(batch for batch in warehouse.batches(ROWS) if batch.num_rows).to_pylist()[0].values()),
        tuple(warehouse.df(ROWS).astype(object).iloc[0]),
    )


def test_a_day_that_is_replaced_again_and_again_is_seen_as_one_of_what_it_was(versions, figures):
    root, files = versions
    known = set()
    for file in files:
        with Store(str(root)) as store:
            store.put(layout.signals_file(DAY), file.read_bytes())
        with Warehouse.open(root) as warehouse:
            known.add(tuple(map(int, warehouse.execute(ROWS).fetchone())))
    assert len(known) == len(files)
    command = [sys.executable, "-c", REPLACING, str(root), layout.signals_file(DAY), *map(str, files)]
    seen: set[tuple[int, ...]] = set()
    with subprocess.Popen(
        command, cwd=Path(__file__).parents[2], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout.readline() == "begun\n"
        with Warehouse.open(root) as warehouse:
            for _ in range(QUESTIONS):
                seen.update(tuple(map(int, answer)) for answer in answered(warehouse))
                figures["questions over a file that is being replaced"] += 4
        writer.stdin.close()
    assert writer.returncode == 0
    assert seen == known
