"""What Dagster is told: a change of names, dependencies, checks, partitions or schedules shows here first."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from pipelines.assets.views import VIEWS
from pipelines.build import build_defs
from pipelines.jobs import ANSWERS_JOB, JOB, LOOK_JOB, SNAPSHOT_JOB
from tests.pipelines.conftest import PROJECT, START, Household

VIEW_NAMES = {view.name for view in VIEWS}


@pytest.fixture
def defs(household: Household) -> dg.Definitions:
    return build_defs(household.dimo)


def yesterday() -> str:
    return (datetime.now(UTC) - timedelta(days=1)).date().isoformat()


def specs(defs: dg.Definitions) -> dict[str, dg.AssetSpec]:
    return {spec.key.to_user_string(): spec for spec in defs.resolve_all_asset_specs()}


def test_the_definitions_load(defs: dg.Definitions) -> None:
    dg.Definitions.validate_loadable(defs)


def test_the_definitions_load_without_a_warning(household: Household) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        build_defs(household.dimo)


def test_the_assets_and_what_they_are_made_from(defs: dg.Definitions) -> None:
    upstream = {
        name: {dep.asset_key.to_user_string() for dep in spec.deps}
        for name, spec in specs(defs).items()
        if name not in VIEW_NAMES | {"report"}
    }
    assert upstream == {
        "vehicles": set(),
        "raw_history": {"vehicles"},
        "signals": {"raw_history"},
        "dimo_distances": {"signals", "vehicles"},
        "snapshots": {"vehicles"},
    }


def test_every_view_is_an_asset_made_from_what_its_sql_reads(defs: dg.Definitions) -> None:
    found = specs(defs)
    assert found.keys() >= VIEW_NAMES
    upstream = {name: {dep.asset_key.to_user_string() for dep in found[name].deps} for name in VIEW_NAMES}
    assert upstream["odometer"] == upstream["coverage"] == {"signals"}
    assert "odometer" in upstream["odometer_daily"]
    assert "dimo_distances" in upstream["reconciliation"]
    assert all(upstream.values())


def test_every_asset_says_what_it_is_and_belongs_to_a_group(defs: dg.Definitions) -> None:
    for name, spec in specs(defs).items():
        assert spec.description, name
        assert spec.group_name in {"history", "answers"}, name
        assert spec.kinds, name
        assert spec.owners, name
        assert spec.code_version, name


def test_the_daily_assets_are_partitioned_by_utc_day_from_the_first_day_to_yesterday(defs: dg.Definitions) -> None:
    graph = defs.resolve_asset_graph()
    for name in ("raw_history", "signals"):
        days = graph.get(dg.AssetKey(name)).partitions_def
        assert isinstance(days, dg.DailyPartitionsDefinition)
        assert days.timezone == "UTC"
        assert days.get_first_partition_key() == START.isoformat()
        before = yesterday()
        assert days.get_last_partition_key() in {before, yesterday()}


def test_a_backfill_runs_two_weeks_at_a_time(defs: dg.Definitions) -> None:
    graph = defs.resolve_asset_graph()
    for name in ("raw_history", "signals"):
        assert graph.get(dg.AssetKey(name)).backfill_policy == dg.BackfillPolicy.multi_run(14)


def test_the_checks_there_are_and_which_of_them_block(defs: dg.Definitions) -> None:
    graph = defs.resolve_asset_graph()
    checks = {
        f"{key.asset_key.to_user_string()}.{key.name}": graph.get_check_spec(key).blocking
        for key in graph.asset_check_keys
    }
    assert checks == {
        "raw_history.complete": False,
        "raw_history.none_left_failed": False,
        "signals.unique": True,
        "signals.columns": True,
        "signals.in_their_day": True,
        "signals.odometers": False,
        "raw_history.newest_day_is_there": False,
        "dimo_distances.agrees": False,
    }


def test_the_jobs_share_out_the_assets_but_for_the_report(defs: dg.Definitions) -> None:
    shared = {
        name: {key.to_user_string() for key in defs.resolve_job_def(name).asset_layer.selected_asset_keys}
        for name in (JOB, ANSWERS_JOB, SNAPSHOT_JOB)
    }
    assert shared == {
        JOB: {"vehicles", "raw_history", "signals"},
        ANSWERS_JOB: {"dimo_distances", *VIEW_NAMES},
        SNAPSHOT_JOB: {"snapshots"},
    }
    assert set().union(*shared.values()) == specs(defs).keys() - {"report"}


@pytest.mark.parametrize(
    ("name", "job", "cron"),
    [
        ("every_morning", JOB, "15 6 * * *"),
        ("every_hour", SNAPSHOT_JOB, "7 * * * *"),
        ("every_forenoon", LOOK_JOB, "5 9 * * *"),
    ],
)
def test_the_schedules_are_stopped_until_somebody_starts_them(
    defs: dg.Definitions, name: str, job: str, cron: str
) -> None:
    schedule = defs.resolve_schedule_def(name)
    assert (schedule.job_name, schedule.cron_schedule, schedule.execution_timezone) == (job, cron, "UTC")
    assert schedule.default_status is dg.DefaultScheduleStatus.STOPPED


def test_the_columns_of_every_view_are_described(defs: dg.Definitions) -> None:
    for name in {"signals", "snapshots", *VIEW_NAMES}:
        columns = specs(defs)[name].metadata["dagster/column_schema"].columns
        assert columns, name
        assert all(column.description for column in columns), name


def test_dagster_finds_the_definitions_by_itself_without_a_warning_about_them(household: Household, home: Path) -> None:
    found = subprocess.run(
        [sys.executable, "-m", "dagster", "definitions", "validate"],
        cwd=PROJECT,
        env=os.environ | household.environ | {"DAGSTER_HOME": str(home), "PYTHONWARNINGS": "always"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert found.returncode == 0, found.stderr
    said = (found.stdout + found.stderr).splitlines()
    assert any("All code locations passed validation" in line for line in said)
    assert not [line for line in said if "Warning" in line and str(PROJECT / "pipelines") in line]


def test_the_instance_loads_from_the_projects_dagster_yaml(home: Path) -> None:
    with dg.DagsterInstance.from_config(str(home)) as instance:
        assert instance.get_concurrency_config().run_queue_config.max_concurrent_runs == 4
        assert not instance.telemetry_enabled
        assert instance.run_monitoring_enabled
        assert not instance.run_retries_retry_on_asset_or_op_failure


def test_what_is_brought_daily_is_late_at_nine_and_only_what_was_made_since_midnight_counts(
    defs: dg.Definitions,
) -> None:
    policies = {name: spec.freshness_policy for name, spec in specs(defs).items() if spec.freshness_policy}
    assert policies.keys() == {"vehicles", "raw_history", "signals", "snapshots"}
    for name in ("vehicles", "raw_history", "signals"):
        assert policies[name] == dg.FreshnessPolicy.cron("0 9 * * *", timedelta(hours=9), "UTC")
