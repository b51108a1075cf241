"""The partitions of history: UTC days, from the first day a user wants to yesterday.

Belongs here: the partitions definition and the size of a batch. Vehicles are not partitions: they come and go, and a
day's file holds them all.
"""

from __future__ import annotations

from datetime import date, timedelta

import dagster as dg

# A batch is one run. Measured, a year of two vehicles that say little from the UI, on two cores: 300 s and 332 requests
# in runs of 7 days, 90 s and 117 requests in runs of 28, since a run takes some seconds to start and one request covers
# days next to each other. Against that stands that a run must end within its two hours: at 8 requests a second and 3 a
# vehicle-day, 14 days of 1,000 vehicles take 90 minutes.
DAYS_A_BATCH = 14


def daily(start: date) -> dg.DailyPartitionsDefinition:
    """UTC days from `start`; the newest partition is yesterday, the last day that is over."""
    return dg.DailyPartitionsDefinition(start_date=start.isoformat(), timezone="UTC")


def batches() -> dg.BackfillPolicy:
    """The one backfill policy of all daily assets: runs of two weeks."""
    return dg.BackfillPolicy.multi_run(max_partitions_per_run=DAYS_A_BATCH)


def due_each_morning() -> dg.FreshnessPolicy:
    """What the daily schedule brings is there by 09:00 UTC.

    Only what was made since midnight counts: before, yesterday was not over, so an earlier run cannot hold it. That
    *any* day was made since then is all that Dagster looks at; the check `newest_day_is_there` tells whether it was
    the newest.
    """
    return dg.FreshnessPolicy.cron(deadline_cron="0 9 * * *", lower_bound_delta=timedelta(hours=9), timezone="UTC")
