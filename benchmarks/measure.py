"""What every measurement shares: a ratio of two figures taken side by side, printed, and kept as JSON."""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Ratio:
    """One result.

    Attributes:
        what: what was measured, against what.
        ratio: the figure.
        target: what it should reach.
        at_most: whether a smaller ratio is the better one.
        figures: what it was computed from, with units in the names.
    """

    what: str
    ratio: float
    target: float
    at_most: bool
    figures: Mapping[str, float]

    @property
    def reached(self) -> bool:
        """Whether the ratio is on the right side of its target."""
        return self.ratio <= self.target if self.at_most else self.ratio >= self.target

    def __str__(self) -> str:
        bound = f"{'at most' if self.at_most else 'at least'} {self.target:g}"
        figures = ", ".join(f"{name} {value:,.4g}" for name, value in self.figures.items())
        return f"{self.ratio:8.2f}  {bound:<14}  {'yes' if self.reached else 'NO':<3}  {self.what} ({figures})"


def main(measure: Callable[[bool], Iterable[Ratio]]) -> None:
    """Run one measurement as a program: `--quick` for the smallest size that still runs every line, `--json FILE`."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    ratios = []
    for ratio in measure(given.quick):
        print(ratio, flush=True)
        ratios.append(ratio)
    if given.json:
        given.json.write_text(json.dumps([asdict(ratio) for ratio in ratios], indent=1))


def on_one_core() -> None:
    """Keep this process, and every library it loads after this, to one core."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    os.environ |= {"POLARS_MAX_THREADS": "1", "OMP_NUM_THREADS": "1", "ARROW_IO_THREADS": "1"}


def seconds(call: Callable[[], object], clock: Callable[[], float] = time.process_time) -> float:
    """What one call takes; of the processor, in which a busy machine tells little, where no other clock is given."""
    started = clock()
    call()
    return clock() - started


def in_turn(
    calls: Mapping[str, Callable[[], object]], rounds: int, clock: Callable[[], float] = time.perf_counter
) -> dict[str, float]:
    """Median seconds of each call; they take turns, so that a slow moment of the machine meets them all."""
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            taken[name].append(seconds(call, clock))
    return {name: statistics.median(times) for name, times in taken.items()}


def process(command: list[str], env: Mapping[str, str] | None = None) -> tuple[float, float]:
    """Seconds, and peak of resident memory in MiB, of a program that must end with 0."""
    started = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, env={**os.environ, **(env or {})})
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        sys.exit(f"{' '.join(command)} failed.")
    return time.perf_counter() - started, usage.ru_maxrss / 1024
