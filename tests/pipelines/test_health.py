"""What the doctor is told of Dagster: schedules, and whether a daemon runs them."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteInstigatorOrigin, RemoteRepositoryOrigin
from dagster._core.scheduler.instigation import InstigatorState, InstigatorStatus, ScheduleInstigatorData
from dagster._daemon.types import DaemonHeartbeat

from dimo_etl.errors import ConfigError
from pipelines.health import health
from pipelines.instance import open_instance


@pytest.fixture(autouse=True)
def _at_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(home))


def turn_on(name: str) -> None:
    """What the UI's switch leaves in the instance."""
    repository = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("dimo"), "__repository__")
    state = InstigatorState(
        RemoteInstigatorOrigin(repository, name),
        InstigatorType.SCHEDULE,
        InstigatorStatus.RUNNING,
        ScheduleInstigatorData("15 6 * * *", 0.0),
    )
    with open_instance() as instance:
        instance.add_instigator_state(state)


def let_daemon_live(seconds_ago: float) -> None:
    with open_instance() as instance:
        instance.add_daemon_heartbeat(DaemonHeartbeat(time.time() - seconds_ago, "SCHEDULER", "daemon", None))


def test_a_home_in_order_says_where_it_is_and_that_no_schedule_is_on(home: Path) -> None:
    assert health().endswith(f"home {home} can be written; schedules on: none")


def test_a_schedule_that_is_on_needs_a_daemon_that_lives() -> None:
    turn_on("every_morning")
    with pytest.raises(ConfigError, match="every_morning is on and no daemon runs it; start `dimo-etl dev`"):
        health()
    let_daemon_live(seconds_ago=3600)
    with pytest.raises(ConfigError, match="no daemon runs it"):
        health()
    let_daemon_live(seconds_ago=10)
    assert health().endswith("schedules on: every_morning")


def test_a_schedule_of_another_project_on_the_same_instance_is_not_ours() -> None:
    turn_on("somebody_elses")
    assert health().endswith("schedules on: none")


def test_a_storage_that_cannot_be_opened_is_told(home: Path) -> None:
    (home / "storage").write_text("a file where a folder should be")
    with pytest.raises(ConfigError, match="cannot be written to"):
        health()


def test_a_damaged_history_is_told(home: Path) -> None:
    health()
    for database in home.rglob("*.db"):
        database.write_bytes(b"rubbish" * 1000)
    with pytest.raises(ConfigError, match=r"does not work .*; check its dagster\.yaml"):
        health()
