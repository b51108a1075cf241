"""`dimo-etl` as a user runs it: a process of its own, with nothing but environment variables.

Where the command line is not what is tried, `bring` does the same in the test's own process.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from dimo_etl.batch import bring_days
from dimo_etl.config import Settings
from dimo_etl.history.fetch import Outcome
from dimo_etl.warehouse import Warehouse

PROJECT = Path(__file__).parents[2]
PROGRAM = Path(sys.executable).parent / "dimo-etl"


@dataclass(frozen=True, slots=True)
class User:
    """Somebody's machine: a folder with a warehouse and a Dagster home."""

    folder: Path
    name: str = "ware house"

    @property
    def warehouse(self) -> Path:
        return self.folder / self.name

    def environment(self, variables: dict[str, str]) -> dict[str, str]:
        home = self.folder / "dagster"
        if not home.exists():
            home.mkdir(parents=True)
            shutil.copy(PROJECT / "dagster.yaml", home)
        kept = {key: value for key, value in os.environ.items() if not key.startswith("DIMO_")}
        return kept | {"DIMO_WAREHOUSE": self.name, "DAGSTER_HOME": str(home)} | variables

    @contextlib.contextmanager
    def started(self, variables: dict[str, str], *arguments: str) -> Iterator[subprocess.Popen[str]]:
        """The program, running; it is killed on the way out if it still is."""
        with subprocess.Popen(
            [str(PROGRAM), *arguments],
            env=self.environment(variables),
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                yield process
            finally:
                process.kill()

    def run(self, variables: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
        with self.started(variables, *arguments) as process:
            out, err = process.communicate(timeout=240)
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    def sync(self, variables: dict[str, str], first: date, last: date, *more: str) -> subprocess.CompletedProcess[str]:
        return self.run(variables, "sync", "--from", first.isoformat(), "--to", last.isoformat(), *more)

    def bring(self, variables: dict[str, str], days: Sequence[date]) -> dict[tuple[str, date], Outcome]:
        """How each vehicle-day came out."""
        settings = Settings.from_environment(variables | {"DIMO_WAREHOUSE": str(self.warehouse)})
        batch = bring_days(settings, days, done=lambda day: None)
        done = [one for day in batch.days for one in day.vehicle_days]
        return {(one.coverage.vehicle_id, one.coverage.date): one.outcome for one in done}

    def rows(self, query: str) -> list[dict[str, object]]:
        """The rows of a query."""
        with Warehouse.open(self.warehouse) as warehouse:
            return warehouse.arrow(query).to_pylist()

    def rows_told(self, query: str) -> list[dict[str, object]]:
        """The rows `dimo-etl sql` gives."""
        answer = self.run({}, "sql", "--format", "json", query)
        assert answer.returncode == 0, answer.stderr
        found = json.loads(answer.stdout)
        assert isinstance(found, list)
        return found
