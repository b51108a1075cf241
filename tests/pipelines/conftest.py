"""One running sandbox for all tests, and for each test a warehouse and a Dagster instance of its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import dagster as dg
import pytest

from dimo_etl.config import Settings
from dimo_etl.model import days_between
from dimo_etl.sandbox.server import SandboxServer
from dimo_etl.warehouse import Warehouse
from pipelines.build import build_defs
from pipelines.jobs import ANSWERS_JOB, JOB, STEP, range_tags
from pipelines.resources import Dimo

PROJECT = Path(__file__).parents[2]
TODAY = date(2025, 6, 20)
START = date(2025, 6, 1)
# Two vehicles that say little.
LEXUS, HONDA = 5023, 7345
FLEET = (LEXUS, HONDA)


@dataclass
class Household:
    """A licence with two vehicles, its warehouse, and its Dagster instance."""

    sandbox: SandboxServer
    instance: dg.DagsterInstance
    root: Path
    dimo: Dimo = field(init=False)

    def __post_init__(self) -> None:
        self.dimo = Dimo(lambda: self.settings, interactive=True)

    @property
    def environ(self) -> dict[str, str]:
        return {
            **self.sandbox.environ,
            "DIMO_WAREHOUSE": str(self.root),
            "DIMO_START_DATE": START.isoformat(),
            "DIMO_VEHICLES": ",".join(map(str, FLEET)),
        }

    @property
    def settings(self) -> Settings:
        return Settings.from_environment(self.environ)

    def run(
        self, first: date, last: date | None = None, only: list[str] | None = None, **config: object
    ) -> dg.ExecuteInProcessResult:
        """Run the daily job, or some of its assets, over the days from `first` to `last`."""
        return self._execute(JOB, only, range_tags(first, last or first), {STEP: {"config": config}} if config else {})

    def run_request(self, request: dg.RunRequest) -> dg.ExecuteInProcessResult:
        """Run the daily job as a schedule asks for it."""
        return self._execute(JOB, None, request.tags, request.run_config["ops"])

    def answer(self, only: list[str] | None = None) -> dg.ExecuteInProcessResult:
        """Run the job that follows, or some of its assets."""
        return self._execute(ANSWERS_JOB, only, {}, {})

    def _execute(
        self, job: str, only: list[str] | None, tags: dict[str, str], ops: dict[str, object]
    ) -> dg.ExecuteInProcessResult:
        return (
            build_defs(self.dimo)
            .resolve_job_def(job)
            .execute_in_process(
                instance=self.instance,
                tags=tags,
                run_config={"ops": ops, "loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
                asset_selection=[dg.AssetKey(name) for name in only] if only else None,
                raise_on_error=False,
            )
        )

    def materialized(self, asset: str) -> set[str]:
        return self.instance.get_materialized_partitions(dg.AssetKey(asset))

    def requests(self) -> int:
        """How often history was asked for so far."""
        return len(self.sandbox.requests.below("/device-data-api"))

    def events_held(self) -> dict[tuple[int, date], set[str]]:
        """The ids of the events that SQL sees, by vehicle and day."""
        query = "SELECT vehicle_id::BIGINT, date, list(DISTINCT event_id) FROM signals GROUP BY ALL"
        with Warehouse.open(self.root) as warehouse:
            return {(vehicle, day): set(ids) for vehicle, day, ids in warehouse.execute(query).fetchall()}

    def events_that_exist(self, first: date, last: date) -> dict[tuple[int, date], set[str]]:
        """The ids of the events the simulated fleet sent, by vehicle and day."""
        days = {
            (vehicle, day): {str(event["id"]) for event in self.sandbox.fleet.reachable(vehicle, day)}
            for vehicle in FLEET
            for day in days_between(first, last)
        }
        return {key: ids for key, ids in days.items() if ids}


@pytest.fixture(scope="session")
def _running() -> Iterator[SandboxServer]:
    with SandboxServer(port=0, seed=1, today=TODAY, history_days=20) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(_running: SandboxServer) -> Iterator[SandboxServer]:
    yield _running
    _running.faults.clear()
    for vehicle in FLEET:
        for day in days_between(START, TODAY):
            _running.faults.heal_day(vehicle, day)


@pytest.fixture
def household(sandbox: SandboxServer, tmp_path: Path) -> Iterator[Household]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield Household(sandbox, instance, tmp_path / "warehouse")


@pytest.fixture
def on_disk(household: Household) -> Iterator[Household]:
    """The same on an instance that schedules and sensors can open."""
    with dg.instance_for_test() as household.instance:
        yield household


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A Dagster home with this project's dagster.yaml."""
    return make_home(tmp_path / "home")


def make_home(folder: Path) -> Path:
    """Make a folder a Dagster home with this project's dagster.yaml."""
    folder.mkdir()
    (folder / "dagster.yaml").write_text((PROJECT / "dagster.yaml").read_text())
    return folder
