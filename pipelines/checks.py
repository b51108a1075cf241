"""Asset checks: what must be true of a day, and of our distances beside DIMO's, and says so where it is not.

Belongs here: questions about what lies in the warehouse. What a fetch itself can tell is in its metadata.

A check looks at the days of its run; started by itself, without a day, it looks at every day that is held.
"""

from datetime import date
from pathlib import Path

import dagster as dg

from dimo_etl.lake.audit import audit_day
from dimo_etl.lake.raw import days_held, units_of
from dimo_etl.lake.store import Store
from dimo_etl.warehouse import Warehouse
from dimo_etl.warehouse.publish import publish
from pipelines.assets.distances import DISTANCES_KEY
from pipelines.assets.history import RAW, SIGNALS_KEY
from pipelines.failures import explained
from pipelines.jobs import PARTITION, RANGE_START
from pipelines.resources import Dimo


@dg.asset_check(asset=RAW)
def complete(context: dg.AssetCheckExecutionContext, dimo: dg.ResourceParam[Dimo]) -> dg.AssetCheckResult:
    """Every vehicle-day asked of the service is proved complete; if not, both numbers and the reason are here."""
    with explained(dimo), Store(dimo.settings.warehouse) as store:
        days = _days(context, store)
        records = [unit.coverage for day in days for unit in units_of(store, day)]
    unproved = [record for record in records if record.complete is False]
    table = ["| vehicle | day | expected | held | why |", "|---|---|---|---|---|"]
    table += [
        f"| {found.vehicle_id} | {found.date} | {found.expected_events} | {found.fetched_events} | {found.reason} |"
        for found in unproved[:50]
    ]
    return dg.AssetCheckResult(
        passed=not unproved,
        severity=dg.AssetCheckSeverity.ERROR,
        description=f"{len(unproved)} vehicle-days are not complete." if unproved else "All are complete.",
        metadata={
            "days": len(days),
            "vehicle_days": len(records),
            "vehicle_days_incomplete": len(unproved),
            **({"incomplete": dg.MetadataValue.md("\n".join(table))} if unproved else {}),
        },
    )


@dg.asset_check(asset=SIGNALS_KEY, blocking=True)
def unique(context: dg.AssetCheckExecutionContext, dimo: dg.ResourceParam[Dimo]) -> dg.AssetCheckResult:
    """No event is in a day twice, and each day holds exactly the events its coverage records say it keeps."""
    with explained(dimo), Store(dimo.settings.warehouse) as store:
        days = _days(context, store)
        wrong = [text for day in days for text in audit_day(store, day)]
    return dg.AssetCheckResult(
        passed=not wrong,
        severity=dg.AssetCheckSeverity.ERROR,
        description="; ".join(wrong[:5]) or "Each event is there once.",
        metadata={"days": len(days)},
    )


@dg.asset_check(asset=DISTANCES_KEY)
def agrees(dimo: dg.ResourceParam[Dimo]) -> dg.AssetCheckResult:
    """What DIMO says was driven is what our readings say by DIMO's own rule; if not, both numbers and why are here."""
    with explained(dimo):
        root = Path(dimo.settings.warehouse)
        publish(root)
        with Warehouse.open(root) as warehouse:
            rows = warehouse.arrow("FROM reconciliation ORDER BY vehicle_id, date NULLS FIRST").to_pylist()
    differing = [row for row in rows if row["agrees"] is False]
    table = ["| vehicle | day | DIMO km | ours km | why | |", "|---|---|---|---|---|---|"]
    table += [
        f"| {row['vehicle_id']} | {row['date'] or 'in all'} | {row['dimo_km']} | {row['ours_km']} "
        f"| {row['why']} | {row['detail']} |"
        for row in differing[:50]
    ]
    return dg.AssetCheckResult(
        passed=not differing,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{len(differing)} of {len(rows)} distances differ from DIMO's." if differing else "All agree.",
        metadata={
            "distances": len(rows),
            "differing": len(differing),
            **({"differences": dg.MetadataValue.md("\n".join(table))} if differing else {}),
        },
    )


def _days(context: dg.AssetCheckExecutionContext, store: Store) -> list[date]:
    if context.run.tags.keys() & {PARTITION, RANGE_START}:
        return [date.fromisoformat(key) for key in context.partition_keys]
    return days_held(store)
