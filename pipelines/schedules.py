"""The schedules, all off until somebody turns them on.

Dagster makes up for no tick that passed while the machine was off but the last, so the morning itself looks for what
was missed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import dagster as dg

from dimo_etl.model import days_between
from pipelines.assets.vehicles import RAW
from pipelines.jobs import STEP, range_tags
from pipelines.partitions import DAYS_A_BATCH
from pipelines.standing import DAILY_SCHEDULE, failed_days

# Before what was missed, and both before any backfill, whose runs have priority 0.
MORNING_TAGS, MISSED_TAGS = {"dagster/priority": "10"}, {"dagster/priority": "5"}


@dataclass(frozen=True, slots=True)
class Request:
    """One run of a morning: consecutive days, both ends included.

    Attributes:
        again: ask also for what is complete, since something may have come late.
    """

    first: date
    last: date
    again: bool


def days_to_bring(
    start: date, last: date, lookback: int, held: Collection[date], failed: Sequence[date]
) -> list[Request]:
    """What a morning brings, most important first.

    The newest closed day and those before it that late documents may still change; then, from the day after the newest
    one that was brought before, what was missed while nothing ran; and days that failed.

    Args:
        start: no day before this one is brought.
        last: the newest day that is over.
        lookback: how many days are asked for again, the newest included.
        held: days that were brought.
        failed: days whose last run failed.
    """
    if last < start:
        return []
    first = max(start, last - timedelta(days=lookback - 1))
    before = [day for day in held if day < first]
    missed = set(days_between(max(before) + timedelta(days=1), first - timedelta(days=1))) if before else set()
    missed |= {day for day in failed if start <= day < first}
    catching_up = [Request(earliest, latest, again=False) for earliest, latest in batches_of(sorted(missed))]
    return [Request(first, last, again=True), *catching_up]


def batches_of(days: Sequence[date]) -> list[tuple[date, date]]:
    """Runs of consecutive days, first and last, none longer than a batch of a backfill."""
    batches: list[list[date]] = []
    for day in days:
        if batches and day - batches[-1][-1] == timedelta(days=1) and len(batches[-1]) < DAYS_A_BATCH:
            batches[-1].append(day)
        else:
            batches.append([day])
    return [(batch[0], batch[-1]) for batch in batches]


def daily_schedule(start: date, lookback: int, job: dg.UnresolvedAssetJobDefinition) -> dg.ScheduleDefinition:
    """Every morning the newest closed day, the days before it again for what came late, and what was missed."""

    @dg.schedule(
        name=DAILY_SCHEDULE,
        job=job,
        cron_schedule="15 6 * * *",
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.STOPPED,
        description=f"Yesterday of every vehicle at 06:15 UTC, the {lookback - 1} days before it once more, "
        "and what was missed or failed since.",
    )
    def every_morning(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
        last = context.scheduled_execution_time.date() - timedelta(days=1)
        held = [date.fromisoformat(day) for day in context.instance.get_materialized_partitions(RAW)]
        requests = days_to_bring(start, last, lookback, held, failed_days(context.instance, RAW))
        if not requests:
            yield dg.SkipReason(f"The first day to bring is {start}; it is not over yet.")
        for request in requests:
            yield dg.RunRequest(
                run_key=f"{last}/{request.first}",
                tags=range_tags(request.first, request.last) | (MORNING_TAGS if request.again else MISSED_TAGS),
                run_config={"ops": {STEP: {"config": {"refresh": request.again}}}},
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


def look_schedule(job: dg.UnresolvedAssetJobDefinition) -> dg.ScheduleDefinition:
    """Once the newest day is due."""
    return dg.ScheduleDefinition(
        name="every_forenoon",
        job=job,
        cron_schedule="5 9 * * *",
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.STOPPED,
        description="At 09:05 UTC: is the newest day there, and no day left failed?",
    )
