"""Every view over a hundred million rows, against the same answer from a native DuckDB table of the same rows.

    python -m benchmarks.views [--quick] [--json FILE]

The promised views are held against SQL by hand (`by_hand/`), written for what this fleet sends; all against their own
definitions over the native table too, which shows apart what reading Parquet costs and what the rules cost. Answers are
asserted equal, numbers to six places and estimates left out. All have the same threads and memory; each is asked once
to compare the answers, and then timed, in processor time of all threads.
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

    def ratio(self, view: str, rows: str, by_hand: str | None, target: float) -> Ratio:
        """One view against the same answer by hand, or where there is none, from its own definition."""
        compared = by_hand or f"FROM own.{view}"
        described = self.native.execute(f"DESCRIBE {compared}").fetchall()
        described = [column for column in described if column[0] not in _ESTIMATES]
        columns = ", ".join(name for name, *_ in described)
        whole, own = (f"SELECT {columns} FROM {schema}{view} {rows}" for schema in ("", "own."))
        if by_hand and view == "signals":
            # It is asked what one asks of all rows, and its definition is the table; the others are read whole.
            whole = own = by_hand
        rounded = ", ".join(f"round({name}, 6)" if kind == "DOUBLE" else name for name, kind, *_ in described)
        digest = f"SELECT count(*), sum(hash(row({rounded}))) FROM ({{}})"
        asked = {
            "lake s": partial(_asked, self.lake, digest.format(whole)),
            "own definition s": partial(_asked, self.native, digest.format(own)),
        }
        if by_hand:
            asked["by hand s"] = partial(_asked, self.native, digest.format(by_hand))
        answers = [ask() for ask in asked.values()]
        if len(set(answers)) > 1:
            raise SystemExit(f"The view {view} and the same over a native table differ: {answers}.")
        seconds = measure.in_turn(asked, 1, time.process_time)
        what = f"{view}, against {'SQL by hand' if by_hand else 'its definition'} over a native table"
        other = seconds["by hand s"] if by_hand else seconds["own definition s"]
        figures = seconds | {"rows": float(answers[0][0])}
        return Ratio(what, seconds["lake s"] / other, target, at_most=True, figures=figures)


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
                yield answers.ratio(view, "", None, 2)


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
