"""Somebody at a terminal: an empty folder, a warehouse and a Dagster home of their own, and the sandbox to ask."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from dimo_etl.sandbox.server import SandboxServer

PROJECT = Path(__file__).parents[2]
PROGRAM = Path(sys.executable).with_name("dimo-etl")
_PROGRESS = re.compile(r"^[\w -]+: [\d,]+( of [\d,]+)?( MB)?( \(.*\))?\n", re.MULTILINE)


class User:
    """Runs `dimo-etl` as a program of its own."""

    def __init__(self, folder: Path, environ: dict[str, str]) -> None:
        self.folder = folder
        self.warehouse = folder / "warehouse"
        self.home = folder / "dagster"
        self.home.mkdir()
        shutil.copy(PROJECT / "dagster.yaml", self.home)
        own = {"HOME": str(folder), "DIMO_WAREHOUSE": str(self.warehouse), "DAGSTER_HOME": str(self.home)}
        self.environ = {"PATH": os.environ["PATH"]} | own | environ

    def run(self, *arguments: object, **changes: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end; `changes` are to its environment.

        The lines of progress, which only a slow machine shows, are left out of what it says.
        """
        told = subprocess.run(
            [PROGRAM, *map(str, arguments)],
            cwd=self.folder,
            env=self.environ | changes,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        told.stderr = _PROGRESS.sub("", told.stderr)
        return told

    def start(self, *arguments: object) -> subprocess.Popen[bytes]:
        """Start a command, its output thrown away."""
        nowhere = subprocess.DEVNULL
        return subprocess.Popen(
            [PROGRAM, *map(str, arguments)], cwd=self.folder, env=self.environ, stdout=nowhere, stderr=nowhere
        )

    def answer(self, query: str) -> list[str]:
        """The lines that `dimo-etl sql` gives as CSV, without the header."""
        told = self.run("sql", "--format", "csv", query)
        assert told.returncode == 0, told.stderr
        return told.stdout.splitlines()[1:]


@pytest.fixture(scope="session")
def sandbox():
    with SandboxServer(port=0, today=date(2026, 1, 15), history_days=20) as server:
        yield server


@pytest.fixture
def user(tmp_path, sandbox):
    yield User(tmp_path, sandbox.environ)
    sandbox.faults.clear()


@pytest.fixture
def offline(tmp_path):
    """A user without an account."""
    return User(tmp_path, {})
