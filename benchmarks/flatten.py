"""Response bodies to one sorted Parquet file of long rows, on one core: ours, peers', and the floor.

    python -m benchmarks.flatten [--quick]

Ten answers of 1,000 documents with 25 signals each, of ten vehicles; once flat, once with every value nested beside its
source and time. Every peer's rows are asserted equal to ours. The floor parses the bodies with the fastest JSON parser
in use and writes the finished Arrow table with the same Parquet settings, and does nothing between.
"""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from benchmarks import measure, responses
from benchmarks.measure import Ratio

_KINDS = {"flat": responses.flat, "nested": responses.nested}
# A peer that takes seconds is measured on fewer answers, against ours on as few.
_SLOW = {"dlt": 1}


def bodies_of(kind: str, answers: int, documents: int) -> list[tuple[str, bytes]]:
    """Answers of so many vehicles."""
    return [(str(vehicle), _KINDS[kind](str(vehicle), documents)) for vehicle in range(1_000, 1_000 + answers)]


def ours(bodies: list[tuple[str, bytes]], path: Path, root: str) -> None:
    """Through the same functions that a sync uses, but for the raw files between fetching and flattening."""
    from dimo_etl.api.hits import read_hits
    from dimo_etl.events import read_events
    from dimo_etl.flatten.table import flatten
    from dimo_etl.lake.day_file import SortedRows, write_rows
    from dimo_etl.lake.store import Store

    with Store(root) as store:
        rows = SortedRows(store)
        for vehicle_id, body in bodies:
            hits = read_hits(body).hits
            events = read_events([hit.source for hit in hits], [hit.doc_id for hit in hits])
            events.sort(key=lambda event: (event.timestamp_us or 0, event.event_id))
            flattened = flatten(vehicle_id, events)
            rows.add(flattened.tables, flattened.timed, in_order=True)
        path.touch()
        write_rows(path, rows.in_order(), {})
        rows.close()


def measured(quick: bool) -> Iterator[Ratio]:
    """Each kind of document against the peers and the floor, and two processes against one."""
    cores = os.sched_getaffinity(0)
    yield from _on_both_cores(quick)
    measure.on_one_core()
    import orjson
    import pyarrow as pa
    import pyarrow.parquet as pq

    from benchmarks.peers import PEERS, rows_of
    from dimo_etl.lake.day_file import write_rows

    pa.set_cpu_count(1)
    answers, documents, rounds = (2, 50, 1) if quick else (10, 1_000, 7)
    for kind in _KINDS:
        bodies = bodies_of(kind, answers, documents)
        rows = answers * documents * 25
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "ours.parquet")
            ours(bodies, path, folder)
            wanted = rows_of(path)
            finished = pq.read_table(path)
            by_name = [(name, finished.filter(pa.compute.equal(finished["name"], name)).drop_columns("name"))
                       for name in sorted(set(finished["name"].to_pylist()))]  # fmt: skip

            def floor(bodies=bodies, by_name=by_name, path=Path(folder, "floor.parquet")) -> None:  # noqa: ANN001
                gc.disable()
                for _, body in bodies:
                    orjson.loads(body)
                path.touch()
                write_rows(path, by_name, {})
                gc.enable()

            calls = {"ours": partial(ours, bodies, path, folder), "floor": floor}
            for name, peer in PEERS.items():
                output = Path(folder, f"{name}.parquet")
                if name in _SLOW:
                    continue
                peer(bodies, output, nested=kind == "nested")
                if not rows_of(output).equals(wanted):
                    sys.exit(f"The rows of {name} are not ours.")
                calls[name] = partial(peer, bodies, output, nested=kind == "nested")
            # On one core a call takes what it takes of the processor; others that want the core are left out.
            seconds = measure.in_turn(calls, rounds, time.process_time)
            for name, few in _SLOW.items():
                output = Path(folder, f"{name}.parquet")
                slow = partial(PEERS[name], bodies[:few], output, nested=kind == "nested")
                seconds[name] = measure.seconds(slow) * answers / few
                if not rows_of(output).equals(wanted.filter(pa.compute.equal(wanted["vehicle_id"], bodies[0][0]))):
                    sys.exit(f"The rows of {name} are not ours.")
        figures = {f"{name} rows/s": rows / taken for name, taken in seconds.items()}
        best = min((seconds[name], name) for name in PEERS)
        what = f"flatten {kind}: ours against the best peer, {best[1]}"
        yield Ratio(what, best[0] / seconds["ours"], 2.5, at_most=False, figures=figures)
        what = f"flatten {kind}: ours against parsing and writing alone"
        yield Ratio(what, seconds["ours"] / seconds["floor"], 1.5, at_most=True, figures={"floor s": seconds["floor"]})
    os.sched_setaffinity(0, cores)


def _on_both_cores(quick: bool) -> Iterator[Ratio]:
    """Four day files written by one process on one core, and by two processes on two."""
    cores = sorted(os.sched_getaffinity(0))[:2]
    share = 1 if quick else 6

    def run(split: list[int]) -> float:
        started = time.perf_counter()
        children = [
            subprocess.Popen([sys.executable, "-m", "benchmarks.flatten", "--days", str(count), str(core)])
            for count, core in zip(split, cores, strict=False)
        ]
        if any(child.wait() for child in children):
            sys.exit("Flattening in a process of its own failed.")
        return time.perf_counter() - started

    if len(cores) < 2:
        return
    start = min(run([0]) for _ in range(2))
    one, two = run([2 * share]) - start, run([share, share]) - start
    yield Ratio(
        "flatten: two cores against one, by process",
        one / two,
        1.7,
        at_most=False,
        figures={"one s": one, "two s": two},
    )


def _days(count: int, core: int) -> None:
    os.sched_setaffinity(0, {core})
    bodies = bodies_of("flat", 4, 1_000)
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(count * 4):
            ours(bodies, Path(folder, "day.parquet"), folder)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--days"]:
        _days(int(sys.argv[2]), int(sys.argv[3]))
    else:
        measure.main(measured)
