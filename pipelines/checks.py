"""Asset checks of the daily assets: what must be true of a day, and says so in red where it is not.

Belongs here: questions about what lies in the warehouse. What a fetch itself can tell is in its metadata.
"""

from datetime import date

import dagster as dg

from dimo_etl.config import Settings
from dimo_etl.coverage import Coverage
from dimo_etl.lake.audit import audit_day
from dimo_etl.lake.raw import units_of
from dimo_etl.lake.store import Store
from pipelines.assets.history import RAW, SIGNALS_KEY
from pipelines.failures import explained
from pipelines.partitions import daily
from pipelines.resources import Dimo


def history_checks(start: date) -> list[dg.AssetChecksDefinition]:
    """The checks of the daily assets, for partitions from `start`."""

    @dg.asset_check(asset=RAW, name="complete", partitions_def=daily(start))
    def complete(context: dg.AssetCheckExecutionContext, dimo: dg.ResourceParam[Dimo]) -> dg.AssetCheckResult:
        """Every vehicle-day asked of the service is proved complete; if not, both numbers and the reason are here."""
        with explained(dimo):
            open_days = [
                record for day in _days(context) for record in _records(dimo.settings, day) if record.complete is False
            ]
        table = ["| vehicle | day | expected | held | why |", "|---|---|---|---|---|"]
        table += [
            f"| {found.vehicle_id} | {found.date} | {found.expected_events} | {found.fetched_events} | {found.reason} |"
            for found in open_days[:50]
        ]
        return dg.AssetCheckResult(
            passed=not open_days,
            severity=dg.AssetCheckSeverity.ERROR,
            description=f"{len(open_days)} vehicle-days are not complete." if open_days else "All are complete.",
            metadata={"incomplete": dg.MetadataValue.md("\n".join(table))},
        )

    @dg.asset_check(asset=SIGNALS_KEY, name="unique", partitions_def=daily(start), blocking=True)
    def unique(context: dg.AssetCheckExecutionContext, dimo: dg.ResourceParam[Dimo]) -> dg.AssetCheckResult:
        """No event is in a day twice, and each day holds exactly the events its coverage records say it keeps."""
        with explained(dimo), Store(dimo.settings.warehouse) as store:
            wrong = [text for day in _days(context) for text in audit_day(store, day)]
        return dg.AssetCheckResult(
            passed=not wrong,
            severity=dg.AssetCheckSeverity.ERROR,
            description="; ".join(wrong[:5]) or "Each event is there once.",
        )

    return [complete, unique]


def _days(context: dg.AssetCheckExecutionContext) -> list[date]:
    return [date.fromisoformat(key) for key in context.partition_keys]


def _records(settings: Settings, day: date) -> list[Coverage]:
    with Store(settings.warehouse) as store:
        return [unit.coverage for unit in units_of(store, day)]
