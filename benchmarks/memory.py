"""How much memory a vehicle-day takes, from the service to the day's file, for a small day and a huge one.

    python -m benchmarks.memory [--quick]

Each day is fetched, flattened and written by a process of its own,
whose peak of resident memory is then asked of the system. The source makes its events as it is asked for them, so
that what is measured is the pipeline. A process that does nothing but import everything is the floor.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from random import Random

from benchmarks.measure import Ratio, main
from dimo_etl.api.device_data import Draw
from dimo_etl.api.hits import Hit
from dimo_etl.history.device_data import DeviceDataSource
from dimo_etl.history.fetch import Fetcher, Outcome
from dimo_etl.history.routes import ByTokenId
from dimo_etl.lake.signals import write_day
from dimo_etl.lake.store import Store
from dimo_etl.model import DAY_MS, Vehicle, Window, rfc3339_ms
from tests.history.service import DAY, START

_SIZES = (2_000, 200_000)
_CAP, _COUNTED = 1_000, 10_000


class SteadySource:
    """A history endpoint whose vehicle reports at even intervals of one day, 12 leaves an event."""

    def __init__(self, events: int) -> None:
        self._step_ms = DAY_MS / events
        self._events = events
        self._random = Random(1)

    def history(self, token_id: int, window: Window, *, refresh: bool = False) -> Draw:  # noqa: ARG002
        """A draw, as the real endpoint's, without its bias."""
        first = self._place(window.start_ms - 1)
        inside = range(first, self._place(window.end_ms))
        drawn = inside if len(inside) <= _CAP else self._random.sample(inside, _CAP)
        return Draw(
            window=window,
            total=min(len(inside), _COUNTED),
            exact=len(inside) <= _COUNTED,
            hits=tuple(self._hit(token_id, number) for number in drawn),
            requests=1,
            privileges=(1, 4),
            size_bytes=0,
        )

    def _place(self, time_ms: int) -> int:
        """How many events there are up to a time, itself included."""
        if time_ms < START:
            return 0
        place = min(self._events, int((time_ms - START) / self._step_ms) + 2)
        while place and self._time_ms(place - 1) > time_ms:
            place -= 1
        return place

    def _time_ms(self, number: int) -> int:
        return START + int(number * self._step_ms)

    def _hit(self, token_id: int, number: int) -> Hit:
        stamp = rfc3339_ms(self._time_ms(number)).encode()
        event_id = b"%d-%026d" % (token_id, number)
        payload = (
            b'{"id":"%s","source":"dimo/integration/27qftVRWQYpVDcO5DltO5Ojbjxk","specversion":"1.0","time":"%s",'
            b'"data":{"timestamp":"%s","latitude":%.6f,"longitude":%.6f,"odometer":%.2f,"speed":%d,"soc":%.3f,'
            b'"ambientTemp":%d,"charging":false,"vin":"SBX00000000000001",'
            b'"tires":{"frontLeft":%d,"frontRight":231,"backLeft":229}}}'
        ) % (
            event_id,
            stamp,
            stamp,
            52 + number * 1e-6,
            13 + number * 2e-6,
            88_000 + number / 100,
            number % 130,
            (number % 1_000) / 1_000,
            number % 30,
            220 + number % 20,
        )
        return Hit(f"device-status-{DAY}", event_id.decode(), payload)


def bring(events: int, root: str) -> None:
    """Fetch and write one vehicle-day; nothing for none."""
    if not events:
        return
    with Store(root) as store:
        source = DeviceDataSource([ByTokenId(SteadySource(events))])
        fetcher = Fetcher(store, source, concurrency=4, now=lambda: datetime(2026, 2, 1, tzinfo=UTC))
        [done] = fetcher.fetch([Vehicle("4711", token_id=4711)], [DAY])
        written = write_day(store, DAY)
    if done.outcome is not Outcome.COMPLETE or written is None or written.rows != 12 * events:
        raise SystemExit(f"The day of {events} events is not complete.")


def measure(events: int) -> tuple[float, float]:
    """Peak of resident memory in MiB, and seconds, of a process that brings such a day."""
    with tempfile.TemporaryDirectory() as root:
        started = time.perf_counter()
        command = [sys.executable, "-m", "benchmarks.memory", "--bring", str(events), root]
        # As the command line sets it.
        process = subprocess.Popen(command, env={**os.environ, "ARROW_DEFAULT_MEMORY_POOL": "system"})
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            sys.exit("A day could not be brought.")
        return usage.ru_maxrss / 1024, time.perf_counter() - started


def measured(quick: bool) -> Iterator[Ratio]:
    """The peak of a huge day against that of a small one."""
    sizes = (100, 2_000) if quick else _SIZES
    found = {size: measure(size) for size in sizes}
    figures = {f"{size} events MiB": peak for size, (peak, _) in found.items()}
    figures |= {"imports alone MiB": measure(0)[0]}
    first, last = (found[size][0] for size in (sizes[0], sizes[-1]))
    what = f"peak memory of a vehicle-day of {sizes[-1]:,} events against {sizes[0]:,}"
    yield Ratio(what, last / first, 1.3, at_most=True, figures=figures)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--bring"]:
        bring(int(sys.argv[2]), sys.argv[3])
    else:
        main(measured)
