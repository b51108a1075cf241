"""What must hold however the last run went: no day that failed is left so, and the newest day is there.

Belongs here: questions about all days together, and the memory of failures that Dagster keeps. They are asked by every
run of days, and each morning by a job of their own, since a run that never came asks nothing.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta

import dagster as dg

from dimo_etl.lake.raw import days_held
from dimo_etl.lake.stores import open_store
from pipelines.assets.history import SIGNALS_KEY
from pipelines.assets.vehicles import RAW
from pipelines.failures import explained
from pipelines.resources import Dimo

DAILY_SCHEDULE = "every_morning"
# Yesterday is brought from 06:15 UTC on; until then, and while that run works, the day before is the newest there is.
DUE = time(9, 0)
_ENDED_BADLY = {dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED}


def failed_days(instance: dg.DagsterInstance, key: dg.AssetKey) -> list[date]:
    """Days whose last run failed before it brought them; one under way has not failed yet."""
    storage = instance.event_log_storage
    attempts = storage.get_latest_asset_partition_materialization_attempts_without_materializations(key)
    if not attempts:
        return []
    runs = instance.get_runs(dg.RunsFilter(run_ids=list({run_id for run_id, _ in attempts.values()})))
    failed = {run.run_id for run in runs if run.status in _ENDED_BADLY}
    return sorted(date.fromisoformat(day) for day, (run_id, _) in attempts.items() if run_id in failed)


def schedule_is_on(instance: dg.DagsterInstance) -> bool:
    """Whether somebody has turned the daily schedule on."""
    if instance.schedule_storage is None:  # an instance in memory
        return False
    states = instance.all_instigator_state()
    return any(state.instigator_name == DAILY_SCHEDULE and state.is_running for state in states)


@dg.asset_check(asset=RAW)
def none_left_failed(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
    """No day is left that failed and was not brought since."""
    found = sorted({*failed_days(context.instance, RAW), *failed_days(context.instance, SIGNALS_KEY)})
    return dg.AssetCheckResult(
        passed=not found,
        severity=dg.AssetCheckSeverity.ERROR,
        description=f"{_named(found)} failed; see the failed run's error, then run these days again."
        if found
        else "No day is left failed.",
        metadata={"failed_days": len(found)},
    )


@dg.asset_check(asset=RAW)
def newest_day_is_there(context: dg.AssetCheckExecutionContext, dimo: dg.ResourceParam[Dimo]) -> dg.AssetCheckResult:
    """The last day that is over is held; a warning only, as long as the daily schedule is off."""
    with explained(dimo), open_store(dimo.settings.warehouse) as store:
        held = days_held(store)
    return newest_day(held, datetime.now(UTC), schedule_is_on(context.instance))


def newest_day(held: Sequence[date], now: datetime, schedule_on: bool) -> dg.AssetCheckResult:
    """Whether the newest day held is the one that is due."""
    due = now.date() - timedelta(days=1 if now.time() >= DUE else 2)
    newest = max(held, default=None)
    passed = newest is not None and newest >= due
    if passed:
        description = f"The newest day held is {newest}."
    elif schedule_on:
        description = f"{due} is not there, and {DAILY_SCHEDULE} should have brought it; see its last run."
    else:
        description = f"{due} is not there; turn on {DAILY_SCHEDULE}, or bring it with `dimo-etl sync`."
    return dg.AssetCheckResult(
        passed=passed,
        severity=dg.AssetCheckSeverity.ERROR if schedule_on else dg.AssetCheckSeverity.WARN,
        description=description,
        metadata={"newest_day": newest.isoformat() if newest else "none", "due": due.isoformat()},
    )


def _named(days: Sequence[date]) -> str:
    shown = ", ".join(map(str, days[:5]))
    return shown if len(days) <= 5 else f"{shown} and {len(days) - 5} more days"
