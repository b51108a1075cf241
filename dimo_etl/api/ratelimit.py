"""Requests a second to a host, shared by all processes of this user on this machine.

Each host has a small file that holds the time of its next free slot. A request reserves that slot under a file lock and
sleeps until it outside the lock. Nothing has to be cleaned up: a killed process loses at most the slots it reserved,
and a time that cannot be right (a reboot sets the clock back) is forgotten. Where files cannot be locked (Windows) the
limit holds for each process.
"""

from __future__ import annotations

import os
import re
import stat
import struct
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from dimo_etl.errors import ConfigError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from collections.abc import Callable

_NEXT_FREE = struct.Struct("<d")
# Nobody can wait for more slots than this; a reservation further ahead comes from before a reboot.
_MOST_WAITING = 1000


class RateLimiter:
    """Evenly spaced slots for the requests to each host, without bursts.

    Args:
        rps: requests a second, to each host.
        folder: where the slots are kept; by default a private folder of this user in the temporary directory.
        clock: seconds of a clock that all processes share and that never goes back.
        sleep: waits for seconds.
    """

    def __init__(
        self,
        rps: float,
        *,
        folder: Path | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._interval = 1.0 / rps
        self._clock = clock
        self._sleep = sleep
        self._folder = _private_folder(folder) if fcntl else None
        self._lock = threading.Lock()
        self._next_free: dict[str, float] = {}

    def wait(self, host: str) -> None:
        """Sleep until a request may be sent to `host` (name and port).

        Raises:
            ConfigError: the slots cannot be kept in the temporary directory.
        """
        slot = self._reserve_in_process(host) if self._folder is None else self._reserve(self._folder, host)
        delay = slot - self._clock()
        if delay > 0:
            self._sleep(delay)

    def _reserve(self, folder: Path, host: str) -> float:
        path = folder / re.sub(r"[^0-9A-Za-z.-]", "_", host)
        try:
            # Opened anew each time, so that the lock also keeps the threads of one process apart.
            file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(file, fcntl.LOCK_EX)
                held = os.pread(file, _NEXT_FREE.size, 0)
                kept = _NEXT_FREE.unpack(held)[0] if len(held) == _NEXT_FREE.size else None
                slot = self._slot(kept)
                os.pwrite(file, _NEXT_FREE.pack(slot + self._interval), 0)
            finally:
                os.close(file)
        except OSError as error:
            raise _unusable(folder, error.strerror or str(error)) from error
        return slot

    def _reserve_in_process(self, host: str) -> float:
        with self._lock:
            slot = self._slot(self._next_free.get(host))
            self._next_free[host] = slot + self._interval
        return slot

    def _slot(self, next_free: float | None) -> float:
        now = self._clock()
        # Written so that NaN, too, starts afresh.
        if next_free is not None and now < next_free <= now + _MOST_WAITING * self._interval:
            return next_free
        return now


def _private_folder(folder: Path | None) -> Path:
    try:
        path = folder or Path(tempfile.gettempdir()) / f"dimo-etl-{os.getuid()}"
        path.mkdir(mode=0o700, exist_ok=True)
        found = path.lstat()
    except OSError as error:
        raise _unusable(folder or "the temporary directory", error.strerror or str(error)) from error
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise _unusable(path, "it is not a folder that only this user can enter")
    return path


def _unusable(place: Path | str, reason: str) -> ConfigError:
    return ConfigError(f"The rate limit cannot be kept in {place} ({reason}); point TMPDIR to a folder of your own.")
