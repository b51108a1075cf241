"""How long the command line takes to answer, against a Python that does nothing.

python -m benchmarks.startup [--quick]
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from benchmarks import fleet, measure
from benchmarks.measure import Ratio


def measured(quick: bool) -> Iterator[Ratio]:
    """The help, and the least of queries."""
    program = str(Path(sys.executable).with_name("dimo-etl"))
    with tempfile.TemporaryDirectory() as folder:
        fleet.build(Path(folder), 1, 1)
        here = {"DIMO_WAREHOUSE": folder}
        duck = "import duckdb; duckdb.connect().execute('select 1').fetchall()"
        calls = {
            "python s": partial(measure.process, [sys.executable, "-c", "pass"]),
            "help s": partial(measure.process, [program, "--help"]),
            "query s": partial(measure.process, [program, "sql", "select 1"], here),
            "DuckDB alone s": partial(measure.process, [sys.executable, "-c", duck]),
        }
        seconds = measure.in_turn(calls, 2 if quick else 15)
    bare = seconds["python s"]
    yield Ratio("dimo-etl --help against bare Python", seconds["help s"] / bare, 3, at_most=True, figures=seconds)
    yield Ratio("dimo-etl sql 'select 1' against bare Python", seconds["query s"] / bare, 6, at_most=True, figures={})


if __name__ == "__main__":
    measure.main(measured)
