"""What a question costs as the lake grows: one vehicle-day, and the newest values, over a month and over a year.

    python -m benchmarks.growth [--quick] [--json FILE]

A question is timed by the processor time it takes, the least of several, so that a busy machine tells little in it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from benchmarks import fleet, measure
from benchmarks.measure import Ratio
from dimo_etl.warehouse import Warehouse

_QUESTIONS = {
    "one vehicle-day": f"FROM signals WHERE date = '{fleet.FIRST}' AND vehicle_id = '1003'",
    "latest": "FROM latest",
    "latest of one vehicle": "FROM latest WHERE vehicle_id = '1003'",
}


def measured(quick: bool) -> Iterator[Ratio]:
    """Each question over the longer lake against the shorter."""
    vehicles, few, many = (5, 2, 6) if quick else (100, 30, 365)
    with tempfile.TemporaryDirectory(prefix="dimo-etl-growth-") as folder:
        root = Path(folder, "lake")
        fleet.build(root, vehicles, few)
        before = _seconds(root)
        fleet.build(root, vehicles, many - few, first=few)
        after = _seconds(root)
    for name, seconds in after.items():
        figures = {f"{few} days s": before[name], f"{many} days s": seconds}
        what = f"{name}: {many} days against {few}"
        yield Ratio(what, seconds / before[name], 1.2, at_most=True, figures=figures)


def _seconds(root: Path) -> dict[str, float]:
    with Warehouse.open(root) as warehouse:
        return {
            name: min(measure.seconds(partial(_ask, warehouse, question)) for _ in range(5))
            for name, question in _QUESTIONS.items()
        }


def _ask(warehouse: Warehouse, question: str) -> None:
    warehouse.execute(question).fetchall()


if __name__ == "__main__":
    measure.main(measured)
