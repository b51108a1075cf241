"""Progress on standard error: a bar where it is a terminal, a line now and then where it is not."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

# What is quickly done needs no line at all.
_SECONDS_A_LINE = 3.0


class Advance(Protocol):
    """Told how far the work has come."""

    def __call__(self, done: int, note: str = "") -> None:
        """`done` of the total, and what was done last."""


@contextmanager
def progress(doing: str, total: int | None, *, in_bytes: bool = False) -> Iterator[Advance]:
    """Show how far a long work has come.

    Args:
        doing: what is done, such as `bringing vehicle-days`.
        total: how much there is to do; None where nobody knows.
        in_bytes: whether the work is counted in bytes, which are shown in larger units and with their speed.
    """
    if sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            DownloadColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
            TransferSpeedColumn,
        )

        counted = (DownloadColumn(), TransferSpeedColumn()) if in_bytes else (MofNCompleteColumn(),)
        with Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            *counted,
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
            console=Console(stderr=True),
        ) as bar:
            task = bar.add_task(doing, total=total, note="")
            yield lambda done, note="": bar.update(task, completed=done, note=note)
        return
    lock = threading.Lock()
    due = time.monotonic() + _SECONDS_A_LINE
    unit, name = (1_000_000, " MB") if in_bytes else (1, "")
    end = "" if total is None else f" of {total // unit:,}"

    def line(done: int, note: str = "") -> None:
        nonlocal due
        with lock:
            if time.monotonic() >= due:
                due = time.monotonic() + _SECONDS_A_LINE
                print(f"{doing}: {done // unit:,}{end}{name}{f' ({note})' if note else ''}", file=sys.stderr)  # noqa: T201

    yield line
