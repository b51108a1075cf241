"""Which runs go first: Dagster's own queue over this project's dagster.yaml."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.code_pointer import ModuleCodePointer
from dagster._core.origin import JobPythonOrigin, RepositoryPythonOrigin
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin
from dagster._daemon.run_coordinator.queued_run_coordinator_daemon import QueuedRunCoordinatorDaemon

from pipelines.schedules import MORNING_TAGS
from pipelines.sensors import NEW_VEHICLE_TAGS

QUEUED, STARTED = dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.STARTED
_CODE = JobPythonOrigin("any", RepositoryPythonOrigin(sys.executable, ModuleCodePointer("any", "any", None)))
BACKFILL = {"dagster/backfill": "of a year"}


@pytest.fixture
def instance(home: Path) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.from_config(str(home)) as instance:
        yield instance


def add(instance: dg.DagsterInstance, name: str, number: int, status: dg.DagsterRunStatus, **tags: str) -> None:
    origin = RemoteJobOrigin(RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("dimo"), "__repository__"), name)
    job = dg.job(name=name)(lambda: None)
    for _ in range(number):
        instance.create_run_for_job(job, status=status, tags=tags, remote_job_origin=origin, job_code_origin=_CODE)


def next_to_start(instance: dg.DagsterInstance) -> list[str]:
    daemon = QueuedRunCoordinatorDaemon(interval_seconds=1)
    runs = daemon._get_runs_to_dequeue(instance, instance.get_concurrency_config(), fixed_iteration_time=None)
    return [run.job_name for run in runs]


def test_the_morning_goes_before_a_backfill_that_waited_longer(instance: dg.DagsterInstance) -> None:
    add(instance, "backfill", 30, QUEUED, **BACKFILL)
    add(instance, "morning", 1, QUEUED, **MORNING_TAGS)
    assert next_to_start(instance) == ["morning", "backfill", "backfill"]


def test_a_place_is_free_for_the_morning_however_much_is_under_way(instance: dg.DagsterInstance) -> None:
    add(instance, "backfill", 2, STARTED, **BACKFILL)
    add(instance, "new", 1, STARTED, **NEW_VEHICLE_TAGS)
    add(instance, "backfill", 30, QUEUED, **BACKFILL)
    add(instance, "new", 26, QUEUED, **NEW_VEHICLE_TAGS)
    assert next_to_start(instance) == []
    add(instance, "morning", 1, QUEUED, **MORNING_TAGS)
    assert next_to_start(instance) == ["morning"]
