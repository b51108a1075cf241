"""What Dagster adds: a year of days whose events are held already, through Dagster and through the library alone.

    python -m benchmarks.dagster [--quick] [--json FILE]

No history is asked for. In the first case every day is flattened, as after a change of the flattening; in the second
there is nothing to do at all. Dagster runs as `sync` runs it: in this process, in batches of two weeks, on an instance
of its own on disk, with every partition, its metadata and the checks recorded. Both are timed by the processor time
they take, in which a busy machine tells little.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date
from functools import partial
from pathlib import Path

from benchmarks import measure
from benchmarks.measure import Ratio
from benchmarks.prepared import serving, settings, span
from dimo_etl.batch import bring_days
from dimo_etl.config import Settings
from pipelines.command_line import Dagster

PROJECT = Path(__file__).parents[1]


def measured(quick: bool) -> Iterator[Ratio]:
    """Both cases."""
    vehicles, days, documents = (2, 20, 10) if quick else (4, 365, 500)
    wanted = span(0, days)
    # The service stays up: a dead one would be waited for at the start of every run.
    with serving(vehicles, days, documents) as service, tempfile.TemporaryDirectory() as folder:
        ours = settings(service, Path(folder, "lake"), range(vehicles))
        bring_days(ours, wanted, done=lambda _: None)
        other = replace(ours, warehouse=str(Path(folder, "other")))
        shutil.copytree(ours.warehouse, other.warehouse)
        home = Path(folder, "home")
        home.mkdir()
        shutil.copy(PROJECT / "dagster.yaml", home)
        os.environ["DAGSTER_HOME"] = str(home)
        what = f"{days} fetched days of {vehicles} vehicles through Dagster, against the library alone"
        for root in (ours.warehouse, other.warehouse):
            shutil.rmtree(Path(root, "signals"))
        for case in ("each flattened", "nothing to do"):
            alone = measure.seconds(partial(_library, ours, wanted))
            through = measure.seconds(partial(_dagster, other, wanted))
            yield _ratio(f"{what}, {case}", alone, through, days)


def _ratio(what: str, alone: float, through: float, days: int) -> Ratio:
    added = 1000 * (through - alone) / days
    figures = {"through s": through, "alone s": alone, "added ms a day": added}
    return Ratio(what, through / alone, 1.5, at_most=True, figures=figures)


def _library(given: Settings, days: Sequence[date]) -> None:
    bring_days(given, days, done=lambda _: None)


def _dagster(given: Settings, days: Sequence[date]) -> None:
    brought = Dagster().bring(given, days, progress=lambda _: None)
    if brought.error is not None:
        raise SystemExit(str(brought.error))


if __name__ == "__main__":
    measure.main(measured)
