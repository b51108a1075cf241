"""Processes that sync and die where they are told to: one warm process that forks a writer for each order.

An order is a line of JSON on stdin; the writer's process id and then its end are answered on stdout. A writer counts
its operations on the warehouse (files opened, made, written to, synced, renamed, removed) and ends without any clean-up
right before the one it was told, a write half done; or is refused that one as a system refuses it. Arrow, too, writes
through `StagedFile` alone.
"""

from __future__ import annotations

import errno
import importlib
import json
import os
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

from dimo_etl.config import Settings
from dimo_etl.connection import Connection
from dimo_etl.errors import DimoError
from dimo_etl.history.fetch import Fetcher
from dimo_etl.lake.signals import write_day
from dimo_etl.lake.store import Store
from dimo_etl.lake.vehicles import add_vehicles
from dimo_etl.warehouse.publish import publish

NOW = datetime(2026, 2, 1, tzinfo=UTC)
DIED, TOLD = 9, 3
_COUNTED = {"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir"}


def sync(settings: Settings, days: list[date]) -> None:
    """What `sync` does, day by day and at one moment, so that the same state gives the same bytes."""
    with Connection(settings) as connection, Store(settings.warehouse) as store:
        vehicles = connection.vehicles()
        add_vehicles(store, vehicles)
        fetcher = Fetcher(store, connection.source(), concurrency=1, now=lambda: NOW)
        for day in days:
            fetcher.fetch(vehicles, [day])
            write_day(store, day)
    publish(Path(settings.warehouse))


class Operations:
    """Counts and notes the operations below a root; right before the `last` the process ends, or it is refused."""

    def __init__(self, root: str, last: int | None, refusal: str | None) -> None:
        self._refusal = refusal
        self.noted: list[tuple[str, str]] = []
        self._root = root + "/"
        self._last = last
        self._fsync, self._system_write = os.fsync, os.write
        os.fsync, os.write = self._synced, self._written
        sys.addaudithook(self._audited)

    def _audited(self, name: str, arguments: tuple[object, ...]) -> None:
        if name in _COUNTED:
            self._note(name.removeprefix("os."), arguments[1] if name == "os.rename" else arguments[0])

    def _synced(self, descriptor: int) -> None:
        self._note("fsync", Path(f"/proc/self/fd/{descriptor}").readlink())
        self._fsync(descriptor)

    def _written(self, descriptor: int, content: memoryview) -> int:
        half = content[: len(content) // 2]
        self._note(
            "write", Path(f"/proc/self/fd/{descriptor}").readlink(), lambda: self._system_write(descriptor, half)
        )
        return self._system_write(descriptor, content)

    def _note(self, name: str, path: object, half: Callable[[], object] = lambda: None) -> None:
        if isinstance(path, str | os.PathLike) and (os.fspath(path) + "/").startswith(self._root):
            self.noted.append((name, os.fspath(path)))
            if len(self.noted) == self._last:
                half()
                if self._refusal is None:
                    os._exit(DIED)
                number = getattr(errno, self._refusal)
                raise OSError(number, os.strerror(number))


def _write(order: dict) -> None:
    operations = Operations(order["environ"]["DIMO_WAREHOUSE"], order["last"], order["refusal"])
    sync(Settings.from_environment(order["environ"]), [date.fromisoformat(day) for day in order["days"]])
    Path(order["notes"]).write_text(json.dumps(operations.noted))


def _answer(number: int) -> None:
    sys.stdout.write(f"{number}\n")
    sys.stdout.flush()


def warm() -> None:
    """Import what writers need, so that none spends its time on imports, and none of them counts as an operation."""
    for heavy in ("duckdb", "eth_account", "httpx", "pandas", "pyarrow.parquet", "dimo_etl.history.device_data"):
        importlib.import_module(heavy)


def main() -> None:
    """Fork a writer for each order until stdin ends."""
    warm()
    for line in sys.stdin:
        child = os.fork()
        if not child:
            try:
                order = json.loads(line)
                _write(order)
            except DimoError as error:
                Path(order["notes"]).write_text(str(error))
                os._exit(TOLD)
            except BaseException as error:
                sys.stderr.write(f"{error!r}\n")
                sys.stderr.flush()
                os._exit(1)
            os._exit(0)
        _answer(child)
        _answer(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))


if __name__ == "__main__":
    main()
