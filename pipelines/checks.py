"""Asset checks: what must be true of a day, and of our distances beside DIMO's, and says so where it is not.

Belongs here: questions about what lies in the warehouse. What a fetch itself can tell is in its metadata.

A check looks at the days of its run; started by itself, without a day, it looks at every day that is held.
"""

from collections.abc import Callable, Sequence
from datetime import date

import dagster as dg

from dimo_etl.lake.audit import audit_columns, audit_day, audit_times
from dimo_etl.lake.raw import days_held, units_of
from dimo_etl.lake.store import Store
from dimo_etl.lake.stores import open_store
from dimo_etl.warehouse import Warehouse
from dimo_etl.warehouse.excerpt import Excerpt
from dimo_etl.warehouse.publish import publish
from pipelines.assets.distances import DISTANCES_KEY
from pipelines.assets.history import SIGNALS_KEY
from pipelines.assets.vehicles import RAW
from pipelines.failures import explained
from pipelines.jobs import PARTITION, RANGE_START
from pipelines.markdown import table
from pipelines.resources import Dimo

_ODD_ODOMETERS = """
    FROM odometer
    SELECT
        vehicle_id,
        timestamp::DATE AS date,
        count(*) AS readings,
        count(*) FILTER (NOT is_valid) AS not_believed,
        -- Cycles count up from 1: how many a day adds to those of the days before it.
        coalesce(max(cycle) - coalesce(max(max(cycle)) OVER before, 1), 0) AS resets,
        string_agg(DISTINCT reason, ', ' ORDER BY reason) AS reasons
    GROUP BY vehicle_id, date
    WINDOW before AS (PARTITION BY vehicle_id ORDER BY date ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
    QUALIFY not_believed * 2 > readings OR resets > 0
    ORDER BY ALL
"""


@dg.asset_check(asset=RAW)
def complete(context: dg.AssetCheckExecutionContext, dimo: dg.ResourceParam[Dimo]) -> dg.AssetCheckResult:
    """Every vehicle-day asked of the service is proved complete; if not, both numbers and the reason are here.

    A warning, where all that is missing is of vehicles whose owners share no history: only they can change that. It
    stops nothing: what is held of the other vehicles goes on to the views.
    """
    with explained(dimo), open_store(dimo.settings.warehouse) as store:
        days = _days(context, store)
        records = [unit.coverage for day in days for unit in units_of(store, day)]
    unproved = [record for record in records if record.complete is False]
    lacking = [record for record in unproved if record.privileges != ()]
    rows = [(one.vehicle_id, one.date, one.expected_events, one.fetched_events, one.reason) for one in unproved]
    return dg.AssetCheckResult(
        passed=not unproved,
        severity=dg.AssetCheckSeverity.ERROR if lacking else dg.AssetCheckSeverity.WARN,
        description=_shortage(len(lacking), len(unproved)),
        metadata={
            "days": len(days),
            "vehicle_days": len(records),
            "vehicle_days_incomplete": len(lacking),
            "vehicle_days_not_shared": len(unproved) - len(lacking),
            **({"incomplete": _table(("vehicle", "day", "expected", "held", "why"), rows)} if unproved else {}),
        },
    )


def _shortage(lacking: int, unproved: int) -> str:
    if lacking:
        return f"{lacking} vehicle-days are not complete; do what the reason says, then run their days again."
    if unproved:
        return f"{unproved} vehicle-days are not shared; ask the owners, or leave the vehicles out of DIMO_VEHICLES."
    return "All are complete."


@dg.asset_check(asset=SIGNALS_KEY, blocking=True)
def unique(context: dg.AssetCheckExecutionContext, dimo: dg.ResourceParam[Dimo]) -> dg.AssetCheckResult:
    """No event is in a day twice, and each day holds exactly the events its coverage records say it keeps."""
    return _audit(context, dimo, audit_day, "Each event is there once.")


@dg.asset_check(asset=SIGNALS_KEY, blocking=True)
def columns(context: dg.AssetCheckExecutionContext, dimo: dg.ResourceParam[Dimo]) -> dg.AssetCheckResult:
    """Each day's file has the promised columns, of the promised types."""
    return _audit(context, dimo, audit_columns, "All columns are as promised.")


@dg.asset_check(asset=SIGNALS_KEY, blocking=True)
def in_their_day(context: dg.AssetCheckExecutionContext, dimo: dg.ResourceParam[Dimo]) -> dg.AssetCheckResult:
    """The events of a day were measured on that UTC day."""
    return _audit(context, dimo, audit_times, "Each event is of its day.")


def broken_promises(instance: dg.DagsterInstance) -> list[str]:
    """The names of the checks on which the views wait, and which are red now."""
    keys = [key for check in (unique, columns, in_their_day) for key in check.check_keys]
    latest = instance.event_log_storage.get_latest_asset_check_execution_by_key(keys)
    return [key.name for key in keys if key in latest and latest[key].status.value == "FAILED"]


@dg.asset_check(asset=SIGNALS_KEY)
def odometers(context: dg.AssetCheckExecutionContext, dimo: dg.ResourceParam[Dimo]) -> dg.AssetCheckResult:
    """Most odometer readings of each vehicle-day are believed, and no odometer was reset or swapped.

    A warning: the views leave out what they do not believe, and distances go on; but somebody should know.
    """
    with explained(dimo):
        root = dimo.settings.warehouse
        with open_store(root) as store:
            days = _days(context, store)
        with Excerpt(root, ["odometer"]) as excerpt:
            rows = excerpt.ask(days, lambda session: session.execute(_ODD_ODOMETERS).fetchall())
    return dg.AssetCheckResult(
        passed=not rows,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{len(rows)} vehicle-days have an odometer that is hard to believe; the view `odometer` says why."
        if rows
        else "All odometers are plausible.",
        metadata={
            "days": len(days),
            **(
                {"odd": _table(("vehicle", "day", "readings", "not believed", "resets", "reasons"), rows)}
                if rows
                else {}
            ),
        },
    )


@dg.asset_check(asset=DISTANCES_KEY)
def agrees(dimo: dg.ResourceParam[Dimo]) -> dg.AssetCheckResult:
    """What DIMO says was driven is what our readings say by DIMO's own rule; if not, both numbers and why are here."""
    with explained(dimo):
        root = dimo.settings.warehouse
        publish(root)
        with Warehouse.open(root) as warehouse:
            rows = warehouse.arrow("FROM reconciliation ORDER BY vehicle_id, date NULLS FIRST").to_pylist()
    differing = [row for row in rows if row["agrees"] is False]
    cells = [
        (row["vehicle_id"], row["date"] or "in all", row["dimo_km"], row["ours_km"], row["why"], row["detail"])
        for row in differing
    ]
    return dg.AssetCheckResult(
        passed=not differing,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{len(differing)} of {len(rows)} distances differ from DIMO's." if differing else "All agree.",
        metadata={
            "distances": len(rows),
            "differing": len(differing),
            **(
                {"differences": _table(("vehicle", "day", "DIMO km", "ours km", "why", ""), cells)} if differing else {}
            ),
        },
    )


def _audit(
    context: dg.AssetCheckExecutionContext, dimo: Dimo, audit: Callable[[Store, date], list[str]], good: str
) -> dg.AssetCheckResult:
    """What one kind of audit finds wrong with the files of the days.

    Red means that a file was changed by something else, or that this program is wrong: nothing a service or a vehicle
    does can cause it. So the views wait, and the way out is to make the day anew.
    """
    with explained(dimo), open_store(dimo.settings.warehouse) as store:
        days = _days(context, store)
        wrong = [text for day in days for text in audit(store, day)]
    advice = "remove the file and run `signals` for the day again"
    return dg.AssetCheckResult(
        passed=not wrong,
        severity=dg.AssetCheckSeverity.ERROR,
        description=f"{'; '.join(wrong[:5])}; {advice}." if wrong else good,
        metadata={"days": len(days)},
    )


def _table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> dg.MarkdownMetadataValue:
    return dg.MetadataValue.md(table(heads, rows))


def _days(context: dg.AssetCheckExecutionContext, store: Store) -> list[date]:
    if context.run.tags.keys() & {PARTITION, RANGE_START}:
        return [date.fromisoformat(key) for key in context.partition_keys]
    return days_held(store)
