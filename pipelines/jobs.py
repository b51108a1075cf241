"""The jobs and their schedules: days of every vehicle each morning, and the newest values of every vehicle each hour.

All are thin: what a run does is in the assets.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

import dagster as dg

from pipelines.assets.snapshots import SNAPSHOTS

JOB, SNAPSHOT_JOB = "daily_history", "hourly_snapshots"
STEP = "history"
# Documents arrive late: a car without reception sends its day when it is back. Three days catch nearly all of it.
LOOKBACK_DAYS = 3
# How Dagster names the day of a run, or the first and last of its days.
PARTITION = "dagster/partition"
RANGE_START, RANGE_END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"


def daily_job() -> dg.UnresolvedAssetJobDefinition:
    """All assets but the snapshots: vehicles, history and views."""
    return dg.define_asset_job(
        JOB,
        selection=dg.AssetSelection.all() - dg.AssetSelection.assets(SNAPSHOTS),
        description="Bring days of history of every vehicle into the warehouse, and publish the views.",
        # A stuck run must not hold its place for ever; a week of a large fleet takes minutes.
        run_tags={"dagster/max_runtime": "7200"},
    )


def snapshot_job() -> dg.UnresolvedAssetJobDefinition:
    """The snapshots alone."""
    return dg.define_asset_job(
        SNAPSHOT_JOB,
        selection=dg.AssetSelection.assets(SNAPSHOTS),
        description="Bring the newest value of each signal of each vehicle, also of those that share no history.",
        run_tags={"dagster/max_runtime": "3600"},
    )


def range_tags(first: date, last: date) -> dict[str, str]:
    """The tags of one run over several days, both included."""
    return {RANGE_START: first.isoformat(), RANGE_END: last.isoformat()}


def daily_schedule(start: date, job: dg.UnresolvedAssetJobDefinition) -> dg.ScheduleDefinition:
    """Every morning the newest closed day, and the days before it again for what came late."""

    @dg.schedule(
        name="every_morning",
        job=job,
        cron_schedule="15 6 * * *",
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.STOPPED,
        description=f"Yesterday of every vehicle at 06:15 UTC, and the {LOOKBACK_DAYS - 1} days before it once more.",
    )
    def every_morning(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
        last = context.scheduled_execution_time.date() - timedelta(days=1)
        first = max(start, last - timedelta(days=LOOKBACK_DAYS - 1))
        if last < start:
            yield dg.SkipReason(f"The first day to bring is {start}; it is not over yet.")
            return
        yield dg.RunRequest(
            run_key=last.isoformat(),
            tags={**range_tags(first, last), "dagster/priority": "10"},
            run_config={"ops": {STEP: {"config": {"refresh": True}}}},
        )

    return every_morning


def hourly_schedule(job: dg.UnresolvedAssetJobDefinition) -> dg.ScheduleDefinition:
    """A snapshot each hour; at an odd minute, since everybody's clock strikes the full hour."""
    return dg.ScheduleDefinition(
        name="every_hour",
        job=job,
        cron_schedule="7 * * * *",
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.STOPPED,
        description="The newest values of every vehicle, seven minutes past each hour.",
    )
