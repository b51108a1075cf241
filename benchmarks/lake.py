"""What a day costs again: nothing new, and one new vehicle among fifty.

    python -m benchmarks.lake [--quick]

The day's file is made from the raw files of fifty vehicles; then asked for again; then one vehicle more is there.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator

from benchmarks import measure, responses
from benchmarks.measure import Ratio
from dimo_etl.api.hits import read_hits
from dimo_etl.events import read_event
from dimo_etl.lake.signals import rewrite_day, write_day
from dimo_etl.lake.store import Store
from tests.lake.make import DAY, fetched


def measured(quick: bool) -> Iterator[Ratio]:
    """Each against making the day anew, in processor time."""
    vehicles, documents = (3, 20) if quick else (50, 400)
    with tempfile.TemporaryDirectory() as root, Store(root) as store:
        for vehicle in range(1_000, 1_000 + vehicles):
            _hold(store, str(vehicle), documents)
        write_day(store, DAY)
        again = measure.seconds(lambda: write_day(store, DAY))
        adding, making = [], []
        for vehicle in range(1_500, 1_501 if quick else 1_505):
            _hold(store, str(vehicle), documents)
            adding.append(measure.seconds(lambda: write_day(store, DAY)))
            making.append(measure.seconds(lambda: rewrite_day(store, DAY)))
        added, anew = min(adding), min(making)
    figures = {"anew s": anew, "again s": again, "one more s": added}
    yield Ratio("a complete day again, against making it anew", again / anew, 0.05, at_most=True, figures=figures)
    yield Ratio("one new vehicle in a day of 50, against the same", added / anew, 0.5, at_most=True, figures={})


def _hold(store: Store, vehicle_id: str, documents: int) -> None:
    hits = read_hits(responses.flat(vehicle_id, documents)).hits
    fetched(store, [read_event(hit.source) for hit in hits], vehicle_id)


if __name__ == "__main__":
    measure.main(measured)
