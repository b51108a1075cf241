"""The daily assets `raw_history` and `signals`: a day of every vehicle as received, and flattened.

They are one step, so that each day goes from the service to its Parquet file before the next failure can stop it:
in a batch of seven days of which one fails, six are there to query, and only the one is left to do.
"""

from collections.abc import Iterator
from datetime import date

import dagster as dg
from pydantic import Field

from dimo_etl.batch import DayFetched, fetch_days, write_signals
from dimo_etl.errors import DimoError
from dimo_etl.history.fetch import Outcome
from dimo_etl.lake.signals import FLATTEN_VERSION, DayWritten
from dimo_etl.schema import SIGNALS
from pipelines.assets.vehicles import vehicles
from pipelines.columns import table_schema
from pipelines.failures import explained
from pipelines.partitions import batches, daily
from pipelines.resources import Dimo

RAW, SIGNALS_KEY = dg.AssetKey("raw_history"), dg.AssetKey("signals")


class HistoryConfig(dg.Config):
    """What a run can be told: which vehicles, and whether to ask again."""

    vehicles: list[str] = Field(default=[], description="Vehicle ids; empty for every vehicle.")
    refresh: bool = Field(default=False, description="Ask again for vehicle-days that are already complete.")


def history_assets(start: date) -> dg.AssetsDefinition:
    """The two daily assets, for partitions from `start`."""

    @dg.multi_asset(
        name="history",
        group_name="history",
        partitions_def=daily(start),
        backfill_policy=batches(),
        can_subset=True,
        specs=[
            dg.AssetSpec(
                RAW,
                deps=[vehicles],
                description="Every event of the day as received, with proof of completeness, one unit a vehicle.",
                kinds={"python", "parquet"},
                code_version="1",
            ),
            dg.AssetSpec(
                SIGNALS_KEY,
                deps=[RAW],
                description="The day's events flattened: one row for each leaf value, all vehicles in one file.",
                kinds={"python", "parquet"},
                code_version=str(FLATTEN_VERSION),
                metadata={"dagster/column_schema": table_schema(SIGNALS)},
            ),
        ],
    )
    def history(
        context: dg.AssetExecutionContext, config: HistoryConfig, dimo: dg.ResourceParam[Dimo]
    ) -> Iterator[dg.MaterializeResult[None]]:
        step = _Step(context, dimo)
        days = [date.fromisoformat(key) for key in context.partition_keys]
        with explained(dimo):
            fetched = step.fetch(days, config) if RAW in context.selected_asset_keys else [DayFetched(d) for d in days]
            if SIGNALS_KEY in context.selected_asset_keys:
                for day in fetched:
                    step.write(day)
        failed = [day for day in fetched if day.error is not None]
        if failed:
            step.materialize([day for day in fetched if day.error is None])
            with explained(dimo):
                raise _summary(failed, len(fetched))
        for key in (RAW, SIGNALS_KEY):
            if key in context.selected_asset_keys:
                yield dg.MaterializeResult(asset_key=key)

    return history


class _Step:
    """One execution: does the days, and says of each what was done."""

    def __init__(self, context: dg.AssetExecutionContext, dimo: Dimo) -> None:
        self._context = context
        self._dimo = dimo
        self._metadata: dict[tuple[dg.AssetKey, str], dict[str, dg.MetadataValue]] = {}

    def fetch(self, days: list[date], config: HistoryConfig) -> list[DayFetched]:
        batch = fetch_days(
            self._dimo.settings, days, only=config.vehicles, refresh=config.refresh, progress=self._dimo.progress
        )
        self._context.log.info("%d requests, of which %d were retries", batch.requests, batch.retries)
        for day in batch.days:
            self._describe(RAW, day.day, _raw_metadata(day))
            self._dimo.done(day)
        return batch.days

    def write(self, day: DayFetched) -> None:
        """Flatten a day; one that cannot be, as its raw unit is damaged, stops no other."""
        try:
            written = write_signals(self._dimo.settings, day.day)
        except DimoError as error:
            day.error = day.error or error
            return
        self._describe(SIGNALS_KEY, day.day, _signals_metadata(written))
        self._context.log.info("%s: %d rows", day.day, written.rows if written else 0)

    def materialize(self, days: list[DayFetched]) -> None:
        """Record the days that are done in a batch that fails, so that only the others are done again."""
        for day in days:
            for key in (RAW, SIGNALS_KEY):
                if key in self._context.selected_asset_keys:
                    partition = day.day.isoformat()
                    self._context.log_event(
                        dg.AssetMaterialization(
                            key, partition=partition, metadata=self._metadata.get((key, partition), {})
                        )
                    )

    def _describe(self, key: dg.AssetKey, day: date, metadata: dict[str, dg.MetadataValue]) -> None:
        self._metadata[key, day.isoformat()] = metadata
        self._context.add_asset_metadata(metadata, asset_key=key, partition_key=day.isoformat())


def _summary(failed: list[DayFetched], days: int) -> DimoError:
    first = failed[0]
    if len(failed) == 1 and first.error is not None:
        return first.error
    kind = type(first.error) if first.error is not None else DimoError
    return kind(f"{len(failed)} of {days} days could not be brought, the first of them {first.day}: {first.error}")


def _raw_metadata(day: DayFetched) -> dict[str, dg.MetadataValue]:
    records = [done.coverage for done in day.vehicle_days]
    return {
        "events": dg.MetadataValue.int(sum(record.fetched_events for record in records)),
        "vehicle_days_complete": dg.MetadataValue.int(day.count(Outcome.COMPLETE, Outcome.ALREADY_COMPLETE)),
        "vehicle_days_incomplete": dg.MetadataValue.int(day.count(Outcome.INCOMPLETE, Outcome.REFUSED, Outcome.FAILED)),
        "requests": dg.MetadataValue.int(
            sum(done.coverage.requests for done in day.vehicle_days if done.outcome is not Outcome.ALREADY_COMPLETE)
        ),
    }


def _signals_metadata(written: DayWritten | None) -> dict[str, dg.MetadataValue]:
    return {
        "dagster/partition_row_count": dg.MetadataValue.int(written.rows if written else 0),
        "bytes": dg.MetadataValue.int(written.size_bytes if written else 0),
        "events": dg.MetadataValue.int(sum(record.kept_events for record in written.coverage) if written else 0),
        "quarantined": dg.MetadataValue.int(
            sum(record.quarantined_events for record in written.coverage) if written else 0
        ),
        "rewritten": dg.MetadataValue.bool(written.rewritten if written else False),
    }
