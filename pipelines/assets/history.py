"""The daily assets `raw_history` and `signals`: a day of every vehicle as received, and flattened.

They are one step, so that each day goes from the service to its Parquet file before the next failure can stop it:
in a batch of 14 days of which one fails, 13 are there to query, and only the one is left to do. A day is recorded as
it ends, so that also a killed run leaves what it did green.
"""

import threading
from collections.abc import Iterator, Sequence
from datetime import date
from functools import partial

import dagster as dg
from pydantic import Field

from dimo_etl.batch import DayFetched, bring_days, fetch_days, flatten_day
from dimo_etl.errors import DimoError
from dimo_etl.history.fetch import VehicleDay
from dimo_etl.lake import layout
from dimo_etl.lake.signals import FLATTEN_VERSION
from dimo_etl.lake.store import Store
from dimo_etl.lake.stores import open_store
from dimo_etl.schema import SIGNALS
from dimo_etl.warehouse.excerpt import Excerpt
from pipelines.assets.vehicles import RAW, vehicles
from pipelines.columns import table_schema
from pipelines.failures import explained
from pipelines.metadata import SEEN_VIEWS, Metadata, raw_metadata, seen_metadata, signals_metadata
from pipelines.ownership import OWNERS
from pipelines.partitions import batches, daily, due_each_morning
from pipelines.provenance import RECORDED_BEFORE, provenance
from pipelines.resources import Dimo

# A line in the run's log each time so many vehicle-days are through.
_TELL_EVERY = 50
SIGNALS_KEY = dg.AssetKey("signals")


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
                owners=OWNERS,
                freshness_policy=due_each_morning(),
                # How units are laid out; not how they are flattened, which changes nothing here.
                code_version="1",
            ),
            dg.AssetSpec(
                SIGNALS_KEY,
                deps=[RAW],
                description="The day's events flattened: one row for each leaf value, all vehicles in one file. Green "
                "where it is what `raw_history` gives; how much of the day that is, `raw_history` says.",
                kinds={"python", "parquet"},
                owners=OWNERS,
                freshness_policy=due_each_morning(),
                code_version=str(FLATTEN_VERSION),
                metadata={"dagster/column_schema": table_schema(SIGNALS)},
            ),
        ],
    )
    def history(
        context: dg.AssetExecutionContext, config: HistoryConfig, dimo: dg.ResourceParam[Dimo]
    ) -> Iterator[dg.Output[None]]:
        days = [date.fromisoformat(key) for key in context.partition_keys]
        root = dimo.settings.warehouse
        with explained(dimo), open_store(root) as store, Excerpt(root, SEEN_VIEWS) as excerpt:
            failed = _Step(context, dimo, store, excerpt).run(days, config)
            if failed:
                raise _summary(failed, len(days))
        for key in (one for one in (RAW, SIGNALS_KEY) if one in context.selected_asset_keys):
            # Each day was recorded as it ended; this mark keeps Dagster from recording them all once more.
            yield dg.Output(None, key.to_python_identifier(), metadata=RECORDED_BEFORE)

    return history


class _Step:
    """One execution: does the days, and records each as it ends, so that whatever comes later leaves it green."""

    def __init__(self, context: dg.AssetExecutionContext, dimo: Dimo, store: Store, excerpt: Excerpt) -> None:
        self._context = context
        self._dimo = dimo
        self._store = store
        self._excerpt = excerpt
        self._report = store.exists(layout.REPORT)
        self._chosen = context.selected_asset_keys
        self._vehicle_days = 0
        self._lock = threading.Lock()
        self._told: set[date] = set()

    def run(self, days: list[date], config: HistoryConfig) -> list[DayFetched]:
        """Do the days; those that failed are returned."""
        settings = self._dimo.settings
        before = self._done_before()
        days = [day for day in days if day not in before]
        if RAW not in self._chosen:
            return self._flatten(list(map(DayFetched, days)))
        bring = partial(bring_days, done=self._tell)
        if SIGNALS_KEY not in self._chosen:
            bring = partial(fetch_days, through=self._tell)
        try:
            batch = bring(settings, days, only=config.vehicles, refresh=config.refresh, progress=self._note)
        except DimoError as error:
            # Where nothing could be asked for, what is held is still what `signals` are made from.
            if SIGNALS_KEY in self._chosen:
                self._flatten([DayFetched(day, error=error) for day in days if day not in self._told])
            raise
        self._context.log.info("%d requests, of which %d were retries", batch.requests, batch.retries)
        for day in batch.days:
            self._dimo.done(day)
        return [day for day in batch.days if day.failure is not None]

    def _flatten(self, days: Sequence[DayFetched]) -> list[DayFetched]:
        for day in days:
            flatten_day(self._store, day)
            self._tell(day)
        return [day for day in days if day.failure is not None]

    def _tell(self, day: DayFetched) -> None:
        """Record what became of a day.

        Events that could not be brought make `raw_history` red and it alone: `signals` are green where they are what
        the raw events give, however many of these there are.
        """
        with self._lock:
            self._told.add(day.day)
        if RAW in self._chosen and day.error is None:
            self._record(RAW, day.day, raw_metadata(self._store, day))
        if SIGNALS_KEY in self._chosen and day.unflattened is None:
            metadata = signals_metadata(self._store, day, report=self._report)
            try:
                metadata |= seen_metadata(self._excerpt, day.day)
            except DimoError as error:
                # The day is written; whether it is sound is for the checks to say.
                self._context.log.warning("The day %s cannot be shown: %s", day.day, error)
            self._record(SIGNALS_KEY, day.day, metadata)

    def _record(self, key: dg.AssetKey, day: date, metadata: Metadata) -> None:
        partition = day.isoformat()
        self._context.log_event(
            dg.AssetMaterialization(key, partition=partition, metadata=metadata, tags=self._provenance(key, partition))
        )

    def _done_before(self) -> set[date]:
        """Days that an earlier try of this step did."""
        if self._context.retry_number == 0:
            return set()
        records = self._context.instance.fetch_materializations(
            dg.AssetRecordsFilter(
                RAW if RAW in self._chosen else SIGNALS_KEY, asset_partitions=list(self._context.partition_keys)
            ),
            limit=10 * len(self._context.partition_keys),
        ).records
        return {
            date.fromisoformat(one.partition_key or "") for one in records if one.run_id == self._context.run.run_id
        }

    def _provenance(self, key: dg.AssetKey, partition: str) -> dict[str, str]:
        source, of = (RAW, partition) if key == SIGNALS_KEY else (vehicles.key, None)
        code_version = self._context.assets_def.code_versions_by_key[key]
        return provenance(self._context.instance, self._context.run.run_id, code_version, source, of)

    def _note(self, done: VehicleDay) -> None:
        """Say now and then how far the fetch is; from any thread."""
        with self._lock:
            self._vehicle_days += 1
            if self._vehicle_days % _TELL_EVERY == 0:
                self._context.log.info(
                    "%d vehicle-days are through, the last of them %s", self._vehicle_days, done.coverage.date
                )
        self._dimo.progress(done)


def _summary(failed: list[DayFetched], days: int) -> DimoError:
    first = failed[0].failure or DimoError("")
    if len(failed) == 1:
        return first
    return type(first)(f"{len(failed)} of {days} days failed, the first of them {failed[0].day}: {first}")
