"""What it costs to ask again: for the same range, for a day more, and for a vehicle more.

    python -m benchmarks.reruns [--quick] [--json FILE]

Requests and files are counted: a complete range asks for nothing and makes no file, a day more costs the requests of
that day and its file, a vehicle more its own requests and a merge of each day. What such a merge takes is timed against
making the days anew.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks import measure
from benchmarks.measure import Ratio
from benchmarks.prepared import Synced, serving, span, sync
from dimo_etl.lake.signals import rewrite_day
from dimo_etl.lake.store import Store


def measured(quick: bool) -> Iterator[Ratio]:
    """Each against the work that is really new."""
    vehicles, days, documents = (3, 4, 10) if quick else (50, 365, 6)
    fleet = f"{vehicles} vehicles and {days} days"
    with serving(vehicles + 1, days + 1, documents) as service, tempfile.TemporaryDirectory() as folder:
        root = Path(folder, "fleet")
        first = sync(service, root, range(vehicles), span(0, days))
        again = sync(service, root, range(vehicles), span(0, days))
        spent = again.requests + again.files
        yield Ratio(f"requests and files of {fleet} again", spent, 0, at_most=True, figures=_figures(again, first))

        alone = sync(service, Path(folder, "day"), range(vehicles), span(days, 1))
        more = sync(service, root, range(vehicles), span(0, days + 1))
        spent = (more.requests + more.files) / (alone.requests + alone.files)
        what = f"requests and files of {fleet} and a day more, against that day alone"
        yield Ratio(what, spent, 1, at_most=True, figures=_figures(more, alone))

        own = sync(service, Path(folder, "vehicle"), [vehicles], span(0, days + 1))
        more = sync(service, root, range(vehicles + 1), span(0, days + 1))
        what = f"requests of {fleet} and a vehicle more, against that vehicle alone"
        yield Ratio(what, more.requests / own.requests, 1, at_most=True, figures=_figures(more, own))
        started = time.perf_counter()
        with Store(str(root)) as store:
            for day in span(0, days + 1):
                rewrite_day(store, day)
        anew = time.perf_counter() - started
        what = "merging a vehicle more into each day, against making the days anew"
        figures = {"merge s": more.write_s, "anew s": anew}
        yield Ratio(what, more.write_s / anew, 0.5, at_most=True, figures=figures)


def _figures(one: Synced, other: Synced) -> dict[str, float]:
    return {
        "requests": one.requests,
        "files": one.files,
        "fetch s": one.fetch_s,
        "write s": one.write_s,
        "against requests": other.requests,
        "against s": other.fetch_s + other.write_s,
    }


if __name__ == "__main__":
    measure.main(measured)
