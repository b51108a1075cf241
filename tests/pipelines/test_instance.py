"""Where Dagster's home is, and runs whose process was killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from dimo_etl.errors import ConfigError
from pipelines.instance import PROCESS_TAG, bury_the_dead, this_process, use_home
from tests.pipelines.conftest import PROJECT


def started_run(instance: dg.DagsterInstance, tags: dict[str, str]) -> str:
    run = instance.create_run_for_job(dg.job(name="anything")(lambda: None), tags=tags)
    instance.handle_new_event(
        dg.EventLogEntry(
            error_info=None,
            level=10,
            user_message="",
            run_id=run.run_id,
            timestamp=0.0,
            job_name="anything",
            dagster_event=dg.DagsterEvent(event_type_value=dg.DagsterEventType.RUN_START.value, job_name="anything"),
        )
    )
    return run.run_id


def status_of(instance: dg.DagsterInstance, run_id: str) -> dg.DagsterRunStatus:
    run = instance.get_run_by_id(run_id)
    assert run is not None
    return run.status


@pytest.fixture
def killed_process() -> str:
    """The name of a process that was killed."""
    code = "from pipelines.instance import this_process; print(this_process(), flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        name = process.stdout.readline().strip()
        process.send_signal(signal.SIGKILL)
    return name


def test_a_run_whose_process_was_killed_is_marked_as_failed(killed_process: str) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        run_id = started_run(instance, {PROCESS_TAG: killed_process})
        bury_the_dead(instance)
        assert status_of(instance, run_id) is dg.DagsterRunStatus.FAILURE


@pytest.mark.parametrize(
    "tags",
    [{PROCESS_TAG: this_process()}, {PROCESS_TAG: "another-machine/1/1"}, {}],
    ids=["of a living process", "of another machine", "of the daemon"],
)
def test_a_run_that_may_live_is_left_alone(tags: dict[str, str]) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        run_id = started_run(instance, tags)
        bury_the_dead(instance)
        assert status_of(instance, run_id) is dg.DagsterRunStatus.STARTED


def test_a_number_that_another_process_has_meanwhile_does_not_pass_for_the_killed_one() -> None:
    host, pid, _ = this_process().split("/")
    with dg.DagsterInstance.ephemeral() as instance:
        run_id = started_run(instance, {PROCESS_TAG: f"{host}/{pid}/12"})
        bury_the_dead(instance)
        assert status_of(instance, run_id) is dg.DagsterRunStatus.FAILURE


def test_the_home_is_where_the_environment_says(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    assert use_home() == home


def test_the_home_is_the_working_directory_where_dagster_yaml_lies(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_HOME", "")
    monkeypatch.chdir(home)
    assert use_home() == home
    assert os.environ["DAGSTER_HOME"] == str(home)


def test_the_home_is_this_project_where_nothing_else_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_HOME", "")
    monkeypatch.chdir(tmp_path)
    assert use_home() == PROJECT


def test_a_home_without_dagster_yaml_is_told_in_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    with pytest.raises(ConfigError, match=f"No dagster.yaml in {tmp_path}; set DAGSTER_HOME"):
        use_home()
