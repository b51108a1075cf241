"""The job and its schedule: a day of every vehicle, brought after the day is over and looked at again for three days.

Both are thin: what a run does is in the assets.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

import dagster as dg

JOB = "daily_history"
STEP = "history"
# Documents arrive late: a car without reception sends its day when it is back. Three days catch nearly all of it.
LOOKBACK_DAYS = 3
# How Dagster names the day of a run, or the first and last of its days.
PARTITION = "dagster/partition"
RANGE_START, RANGE_END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"


def daily_job() -> dg.UnresolvedAssetJobDefinition:
    """All assets: vehicles, history and views."""
    return dg.define_asset_job(
        JOB,
        selection=dg.AssetSelection.all(),
        description="Bring days of history of every vehicle into the warehouse, and publish the views.",
        # A stuck run must not hold its place for ever; a week of a large fleet takes minutes.
        run_tags={"dagster/max_runtime": "7200"},
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
