"""The sensors: when days came the views follow, a run that failed is told of, and a vehicle that is new is brought.

Belongs here: what Dagster must look for by itself. Telling is in `dimo_etl.notify`, listing in `dimo_etl.batch`.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime

import dagster as dg
import msgspec

from dimo_etl.batch import list_vehicles
from dimo_etl.config import Settings
from dimo_etl.notify import is_configured, tell
from pipelines.assets.history import SIGNALS_KEY
from pipelines.assets.vehicles import RAW, vehicles
from pipelines.assets.views import VIEWS
from pipelines.checks import broken_promises
from pipelines.instance import PROCESS_TAG
from pipelines.jobs import ANSWERS_JOB, PARTITION, RANGE_END, RANGE_START, STEP, range_tags
from pipelines.resources import Dimo
from pipelines.schedules import batches_of

# After everything else that waits, backfills included; dagster.yaml has one of them at a time.
NEW_VEHICLE_TAGS = {"dagster/priority": "-1", "dimo/new_vehicle": "yes"}
_UNDER_WAY = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


def days_sensor(
    job: "dg.UnresolvedAssetJobDefinition", now: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> dg.SensorDefinition:
    """When days came and their run is over, whether it failed or not, what SQL answers from follows.

    Where that fails it is tried again each hour, and not each half minute, until it goes well.
    """

    @dg.sensor(
        name="days_came",
        job=job,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Publishes the views and asks for DIMO's distances, once a run that brought days is over.",
    )
    def days_came(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        instance = context.instance
        newest = _newest(instance, SIGNALS_KEY)
        shown = _newest(instance, dg.AssetKey(VIEWS[0].name))
        if newest is None or (shown is not None and shown.storage_id > newest.storage_id):
            return dg.SkipReason("No day has come since the views were published.")
        under_way = [run for run in [instance.get_run_by_id(newest.run_id)] if run is not None and not run.is_finished]
        under_way += instance.get_runs(dg.RunsFilter(job_name=ANSWERS_JOB, statuses=_UNDER_WAY), limit=1)
        if under_way:
            return dg.SkipReason(f"The run {under_way[0].run_id} is still under way.")
        if broken := broken_promises(instance):
            return dg.SkipReason(f"The views wait, as these checks of `signals` are red: {', '.join(broken)}.")
        return dg.RunRequest(run_key=f"{newest.storage_id}/{now():%Y-%m-%dT%H}")

    return days_came


def _newest(instance: dg.DagsterInstance, key: dg.AssetKey) -> dg.EventLogRecord | None:
    return next(iter(instance.fetch_materializations(key, limit=1).records), None)


def failure_sensor(settings: Settings) -> dg.SensorDefinition:
    """Tells of runs that failed; on where the settings say whom to tell."""
    status = dg.DefaultSensorStatus.RUNNING if is_configured(settings) else dg.DefaultSensorStatus.STOPPED

    @dg.run_failure_sensor(
        name="failed_runs",
        default_status=status,
        description="Posts or mails why a run failed, as DIMO_WEBHOOK_URL and DIMO_SMTP_URL say.",
    )
    def failed_runs(context: dg.RunFailureSensorContext, dimo: dg.ResourceParam[Dimo]) -> dg.SkipReason | None:
        if PROCESS_TAG in context.dagster_run.tags:
            return dg.SkipReason("Who started it on the command line has seen it fail.")
        if not is_configured(dimo.settings):
            return dg.SkipReason("Nobody is to be told; set DIMO_WEBHOOK_URL, or DIMO_SMTP_URL with its receivers.")
        tell(dimo.settings, _subject(context.dagster_run), "\n".join(_reasons(context)))
        return None

    return failed_runs


def _subject(run: dg.DagsterRun) -> str:
    first = run.tags.get(RANGE_START) or run.tags.get(PARTITION)
    last = run.tags.get(RANGE_END, first)
    days = "" if first is None else f" over {first}" if first == last else f" over {first} to {last}"
    # A run that somebody chose assets for in the UI has a job without a name of ours.
    name = "of chosen assets" if run.job_name.startswith("__") else run.job_name
    return f"dimo_etl: the run {name}{days} failed"


def _reasons(context: dg.RunFailureSensorContext) -> Iterator[str]:
    for event in context.get_step_failure_events():
        failure = event.step_failure_data
        said = failure.user_failure_data
        what = said.description if said is not None else failure.error.message if failure.error is not None else None
        yield f"{event.step_key}: {(what or 'no reason was given').strip()}"
    if not context.get_step_failure_events():
        yield context.failure_event.message or "It ended before any step could say why."
    yield f"Run {context.dagster_run.run_id}; its page in the Dagster UI shows the log and can run it again."


def fleet_sensor(job: "dg.UnresolvedAssetJobDefinition") -> dg.SensorDefinition:
    """Looks hourly which vehicles are shared; a new one gets the days that the others have."""

    @dg.sensor(
        name="shared_vehicles",
        job=job,
        minimum_interval_seconds=3600,
        default_status=dg.DefaultSensorStatus.STOPPED,
        description="Brings the days that are held to a vehicle that is new, and notes one that is shared no more.",
    )
    def shared_vehicles(
        context: dg.SensorEvaluationContext, dimo: dg.ResourceParam[Dimo]
    ) -> dg.SensorResult | dg.SkipReason:
        now = list_vehicles(dimo.settings)
        cursor = msgspec.json.encode(now).decode()
        if context.cursor is None:
            context.update_cursor(cursor)
            return dg.SkipReason(f"{len(now)} vehicles are shared; from now on changes are noticed.")
        before = msgspec.json.decode(context.cursor, type=list[str])
        new, gone = sorted(set(now) - set(before)), sorted(set(before) - set(now))
        if not new and not gone:
            return dg.SkipReason(f"Still the same {len(now)} vehicles.")
        context.log.info("new: %s; gone: %s", ", ".join(new) or "none", ", ".join(gone) or "none")
        held = sorted(date.fromisoformat(day) for day in context.instance.get_materialized_partitions(RAW))
        requests = list(_days_of(new, held)) if new and held else [_listing(now)]
        if is_configured(dimo.settings):
            tell(dimo.settings, "dimo_etl: the vehicles shared with you have changed", _changes(new, gone))
        return dg.SensorResult(run_requests=requests, cursor=cursor)

    return shared_vehicles


def _days_of(new: Sequence[str], held: Sequence[date]) -> Iterator[dg.RunRequest]:
    for first, last in batches_of(held):
        yield dg.RunRequest(
            run_key=f"{','.join(new)}/{first}",
            tags=range_tags(first, last) | NEW_VEHICLE_TAGS,
            run_config={"ops": {STEP: {"config": {"vehicles": list(new)}}}},
        )


def _listing(now: Sequence[str]) -> dg.RunRequest:
    return dg.RunRequest(run_key=",".join(now), asset_selection=[vehicles.key])


def _changes(new: Sequence[str], gone: Sequence[str]) -> str:
    lines = [f"New: {', '.join(new)}; the days held of the others are being brought."] if new else []
    lines += [f"Shared no more: {', '.join(gone)}; their days are kept."] if gone else []
    return "\n".join(lines)
