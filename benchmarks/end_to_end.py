"""A sync of twenty vehicles and ten days from end to end, against only downloading the same answers.

    python -m benchmarks.end_to_end [--quick] [--json FILE]

The answers are prepared: a first sync, which is not timed, has the service make them. Then the same requests are sent
by the same client, as many at once, and what comes is thrown away; and a new warehouse is filled. Both take off the
compression.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path

from benchmarks import measure
from benchmarks.measure import Ratio
from benchmarks.prepared import serving, settings, span, sync
from dimo_etl.api.messages import DEVICE_DATA, Request, Response
from dimo_etl.api.transport import Transport
from dimo_etl.batch import bring_days
from dimo_etl.config import Settings


def measured(quick: bool) -> Iterator[Ratio]:
    """Both, in turn."""
    vehicles, days, documents = (2, 2, 30) if quick else (20, 10, 800)
    with serving(vehicles, days, documents) as service, tempfile.TemporaryDirectory() as folder:
        sync(service, Path(folder, "first"), range(vehicles), span(0, days))
        asked = service.asked()
        roots = (Path(folder, str(number)) for number in range(10))
        seconds = measure.in_turn(
            {
                "download s": lambda: _download(service.base, asked),
                "sync s": lambda: _sync(settings(service, next(roots), range(vehicles)), span(0, days)),
            },
            1 if quick else 3,
        )
        figures = seconds | {"answers": float(len(asked)), "MB": _download(service.base, asked) / 1e6}
        what = f"sync of {vehicles} vehicles and {days} days, against only downloading"
        yield Ratio(what, seconds["sync s"] / seconds["download s"], 1.5, at_most=True, figures=figures)


def _sync(chosen: Settings, days: Sequence[date]) -> None:
    """Bring days as the command does: each is flattened beside the fetch of the next ones."""
    brought = bring_days(chosen, days, done=lambda _: None)
    if any(day.failure for day in brought.days):
        raise SystemExit("Not every day is complete.")


def _download(base: str, asked: list[str]) -> int:
    """Send the requests that a sync sent, as many at once, and throw the answers away; how many bytes they were."""
    with Transport(concurrency=4) as transport, ThreadPoolExecutor(4) as pool:

        def once(path: str) -> int:
            return transport.call(Request(DEVICE_DATA, "an answer", "GET", base + path), _size).value

        return sum(pool.map(once, asked))


def _size(response: Response) -> int:
    return len(response.body)


if __name__ == "__main__":
    measure.main(measured)
