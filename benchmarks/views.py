"""Every view over a hundred million rows, against the same answer from a native DuckDB table of the same rows.

    python -m benchmarks.views [--quick] [--json FILE]

The promised views are held against SQL by hand (`by_hand/`), written for what this fleet sends; the others against
their own definitions over the native table, which shows what reading Parquet costs. Answers are asserted equal, numbers
to six places and estimates left out. Both have the same threads and memory; each is asked once to compare the answers,
and then timed, in processor time of all threads.
"""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import duckdb

from benchmarks import fleet, measure
from benchmarks.measure import Ratio
from dimo_etl.warehouse import Warehouse
from dimo_etl.warehouse.definitions import statements
from dimo_etl.warehouse.publish import DATABASE

BY_HAND = Path(__file__).with_name("by_hand")
# Of each the columns that the answer by hand has, and of days those with a reading.
PROMISED = {
    "signals": "",
    "latest": "",
    "odometer": "",
    "odometer_daily": "WHERE readings > 0",
    "distance_daily": "WHERE readings > 0",
    "distance_driven": "",
    "errors": "",
    "errors_daily": "",
    "coverage": "",
    "vehicles": "",
}
OTHERS = (
    "signals_canonical",
    "latest_canonical",
    "trips",
    "charges",
    "refuels",
    "wide",
    "signal_profile",
    "error_episodes",
)
# Estimates depend on the order in which rows come.
_ESTIMATES = frozenset({"median_value", "texts"})
_STRICT = {"odometer_daily": 1.3, "distance_daily": 1.3}
_SCAN = re.compile(r"read_parquet\('[^']*/signals/[^)]*\)")


@dataclass(frozen=True, slots=True)
class Answers:
    """A session over the views of a lake, and one over the native table."""

    lake: Warehouse
    native: duckdb.DuckDBPyConnection

    def ratio(self, view: str, rows: str, by_hand: str, target: float) -> Ratio:
        """One view against the same answer."""
        described = self.native.execute(f"DESCRIBE {by_hand}").fetchall()
        described = [column for column in described if column[0] not in _ESTIMATES]
        columns = ", ".join(name for name, *_ in described)
        # The view `signals` is asked what one asks of all rows; the others are read whole.
        ours = by_hand if view == "signals" else f"SELECT {columns} FROM {view} {rows}"
        compared = ", ".join(f"round({name}, 6)" if kind == "DOUBLE" else name for name, kind, *_ in described)
        digest = f"SELECT count(*), sum(hash(row({compared}))) FROM ({{}})"
        asked = {
            "lake s": partial(_asked, self.lake, digest.format(ours)),
            "native s": partial(_asked, self.native, digest.format(by_hand)),
        }
        one, other = (ask() for ask in asked.values())
        if one != other:
            raise SystemExit(f"The view {view} and the same by hand differ: {one} and {other}.")
        seconds = measure.in_turn(asked, 1, time.process_time)
        of = "SQL by hand" if view in PROMISED else "its definition"
        what = f"{view}, against {of} over a native table"
        figures = seconds | {"rows": float(one[0])}
        return Ratio(what, seconds["lake s"] / seconds["native s"], target, at_most=True, figures=figures)


def measured(quick: bool) -> Iterator[Ratio]:
    """The promised views, then the others."""
    vehicles, days = (10, 3) if quick else (100, 365)
    with tempfile.TemporaryDirectory(prefix="dimo-etl-views-") as folder:
        root = Path(folder, "lake")
        fleet.build(root, vehicles, days)
        with duckdb.connect(Path(folder, "native.duckdb")) as native, Warehouse.open(root) as lake:
            _fill(native, root)
            answers = Answers(lake, native)
            for view, rows in PROMISED.items():
                by_hand = (BY_HAND / f"{view}.sql").read_text()
                yield answers.ratio(view, rows, by_hand, _STRICT.get(view, 2))
            for view in OTHERS:
                yield answers.ratio(view, "", f"FROM own.{view}", 2)


def _fill(native: duckdb.DuckDBPyConnection, root: Path) -> None:
    """A native database with the rows and records of a lake, and in the schema `own` the views over these."""
    native.execute(f"ATTACH '{root / DATABASE}' AS dimo (READ_ONLY); SET TimeZone = 'UTC'")
    native.execute("SET dynamic_or_filter_threshold = 100_000")
    native.execute("CREATE TABLE signals AS FROM dimo.signals")
    native.execute("CREATE TABLE coverage_records AS SELECT * FROM dimo.coverage WHERE origin IS NOT NULL")
    native.execute("DETACH dimo")
    native.execute((BY_HAND / "readings.sql").read_text())
    native.execute("CREATE SCHEMA own; USE own")
    for statement in statements(root):
        native.execute(_SCAN.sub("main.signals", statement))
    native.execute("USE main")


def _asked(session: Warehouse | duckdb.DuckDBPyConnection, query: str) -> tuple[int, int]:
    count, total = session.execute(query).fetchone() or (0, 0)
    return int(str(count)), int(str(total or 0))


if __name__ == "__main__":
    measure.main(measured)
