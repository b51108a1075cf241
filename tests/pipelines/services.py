"""`dimo-etl dev` as a user runs it: real processes, asked over GraphQL, always stopped."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from tests.pipelines.ui import Ui

Found = TypeVar("Found")
PROGRAM = str(Path(sys.executable).with_name("dimo-etl"))
PATIENCE_S = 150


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def eventually(ask: Callable[[], Found | None], what: str, patience_s: float = PATIENCE_S) -> Found:
    """The first answer that is something, asked for again until patience ends."""
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        found = ask()
        if found:
            return found
        time.sleep(0.2)  # between two looks; nothing is timed by it
    raise AssertionError(f"waited {patience_s} s in vain for {what}")


def left_of_session(session: int) -> list[str]:
    """The command lines of the living processes of a session."""
    found = []
    for folder in _of_session(session):
        with suppress(OSError):
            found.append((folder / "cmdline").read_text().replace("\0", " "))
    return found


def listening(session: int) -> set[tuple[str, int]]:
    """The addresses and ports on which processes of a session listen."""
    sockets = set()
    for folder in _of_session(session):
        for descriptor in (folder / "fd").iterdir():
            with suppress(OSError):
                sockets.add(str(descriptor.readlink()))
    found = set()
    for family, table in ((socket.AF_INET, "tcp"), (socket.AF_INET6, "tcp6")):
        for line in Path("/proc/net", table).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in sockets:
                address, port = fields[1].split(":")
                # Four bytes at a time, in the order of this machine.
                words = [int(address[at : at + 8], 16).to_bytes(4, sys.byteorder) for at in range(0, len(address), 8)]
                found.add((socket.inet_ntop(family, b"".join(words)), int(port, 16)))
    return found


def _of_session(session: int) -> Iterator[Path]:
    """What the system tells of each living process of a session."""
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            with suppress(OSError):
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
                if int(fields[3]) == session and fields[0] != "Z":
                    yield folder


@dataclass(frozen=True)
class Services(Ui):
    """The UI and the daemon, running."""

    process: subprocess.Popen[bytes]
    log: Path

    @property
    def said(self) -> str:
        return self.log.read_text(errors="replace")

    def is_ready(self) -> bool:
        assert self.process.poll() is None, self.said
        return self.serves_the_code()

    def stop(self, how: signal.Signals) -> int:
        """Send a signal to the program itself, as a service manager does, and wait for it to end."""
        self.process.send_signal(how)
        return self.process.wait(PATIENCE_S)


@contextmanager
def dev(environ: dict[str, str], home: Path, *, in_background: bool = False) -> Iterator[Services]:
    """`dimo-etl dev` on a free port, in a session of its own; in the background as a script's `&` starts it."""
    port, log = free_port(), home / "said"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [PROGRAM, "dev", "--port", str(port)],
            cwd=home,
            env=os.environ | environ | {"DAGSTER_HOME": str(home)},
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=(lambda: signal.signal(signal.SIGINT, signal.SIG_IGN)) if in_background else None,
        )
    services = Services(port, process, log)
    try:
        eventually(services.is_ready, "the UI")
        yield services
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
