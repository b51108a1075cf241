"""The jobs: days of every vehicle, what SQL answers from them, the newest values, and a look at what must hold.

All are thin: what a run does is in the assets and checks.
"""

from __future__ import annotations

from datetime import date

import dagster as dg

from pipelines.assets.distances import DISTANCES_KEY
from pipelines.assets.history import SIGNALS_KEY
from pipelines.assets.snapshots import SNAPSHOTS
from pipelines.assets.vehicles import RAW, vehicles
from pipelines.assets.views import VIEWS
from pipelines.standing import newest_day_is_there, none_left_failed

JOB, ANSWERS_JOB, SNAPSHOT_JOB, LOOK_JOB = "daily_history", "answers", "hourly_snapshots", "daily_look"
STEP = "history"
# How Dagster names the day of a run, or the first and last of its days.
PARTITION = "dagster/partition"
RANGE_START, RANGE_END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"


def daily_job() -> dg.UnresolvedAssetJobDefinition:
    """The vehicles and their history; the views follow by a run of their own, so that no failed day turns them red."""
    return dg.define_asset_job(
        JOB,
        selection=dg.AssetSelection.assets(vehicles, RAW, SIGNALS_KEY),
        description="Bring days of history of every vehicle into the warehouse.",
        # A stuck run must not hold its place for ever; two weeks of a large fleet take an hour and a half.
        run_tags={"dagster/max_runtime": "7200"},
    )


def answers_job() -> dg.UnresolvedAssetJobDefinition:
    """What SQL answers from, and what DIMO says of distances to hold ours against."""
    return dg.define_asset_job(
        ANSWERS_JOB,
        selection=dg.AssetSelection.assets(DISTANCES_KEY, *(view.name for view in VIEWS)),
        description="Publish the views over the days that are held, and ask DIMO for its distances.",
        run_tags={"dagster/max_runtime": "3600"},
    )


def snapshot_job() -> dg.UnresolvedAssetJobDefinition:
    """The snapshots alone."""
    return dg.define_asset_job(
        SNAPSHOT_JOB,
        selection=dg.AssetSelection.assets(SNAPSHOTS),
        description="Bring the newest value of each signal of each vehicle, also of those that share no history.",
        run_tags={"dagster/max_runtime": "3600"},
    )


def look_job() -> dg.UnresolvedAssetJobDefinition:
    """The checks that are about all days together."""
    return dg.define_asset_job(
        LOOK_JOB,
        selection=dg.AssetSelection.checks(*(check.check_key for check in (none_left_failed, newest_day_is_there))),
        description="See that no day is left failed and that the newest day is there, also when no run brought any.",
    )


def range_tags(first: date, last: date) -> dict[str, str]:
    """The tags of one run over several days, both included."""
    return {RANGE_START: first.isoformat(), RANGE_END: last.isoformat()}
