"""The partitions of history: UTC days, from the first day a user wants to yesterday.

Belongs here: the partitions definition and the size of a batch. Vehicles are not partitions: they come and go, and a
day's file holds them all.
"""

from __future__ import annotations

from datetime import date, timedelta

import dagster as dg

# A batch is one run. A week lets one request cover a vehicle that says little, keeps a failed run cheap to repeat,
# and shows progress in a long backfill every few seconds.
DAYS_A_BATCH = 7


def daily(start: date) -> dg.DailyPartitionsDefinition:
    """UTC days from `start`; the newest partition is yesterday, the last day that is over."""
    return dg.DailyPartitionsDefinition(start_date=start.isoformat(), timezone="UTC")


def batches() -> dg.BackfillPolicy:
    """The one backfill policy of all daily assets: runs of a week."""
    return dg.BackfillPolicy.multi_run(max_partitions_per_run=DAYS_A_BATCH)


def due_each_morning() -> dg.FreshnessPolicy:
    """What the daily schedule brings is there by 09:00 UTC.

    Only what was made since midnight counts: before, yesterday was not over, so an earlier run cannot hold it. That
    *any* day was made since then is all that Dagster looks at; the check `newest_day_is_there` tells whether it was
    the newest.
    """
    return dg.FreshnessPolicy.cron(deadline_cron="0 9 * * *", lower_bound_delta=timedelta(hours=9), timezone="UTC")
