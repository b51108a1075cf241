"""The daily assets `raw_history` and `signals`: a day of every vehicle as received, and flattened.

They are one step, so that each day goes from the service to its Parquet file before the next failure can stop it:
in a batch of 14 days of which one fails, 13 are there to query, and only the one is left to do.
"""

import threading
import time
from collections.abc import Iterator
from datetime import date

import dagster as dg
from dagster._core.definitions.data_version import (
    CODE_VERSION_TAG,
    DATA_VERSION_TAG,
    extract_data_version_from_entry,
    get_input_data_version_tag,
    get_input_event_pointer_tag,
)
from pydantic import Field

from dimo_etl.batch import DayFetched, fetch_days, write_signals
from dimo_etl.errors import DimoError
from dimo_etl.history.fetch import VehicleDay
from dimo_etl.lake.signals import FLATTEN_VERSION
from dimo_etl.lake.stores import open_store
from dimo_etl.schema import SIGNALS
from pipelines.assets.vehicles import vehicles
from pipelines.columns import table_schema
from pipelines.failures import explained
from pipelines.metadata import Metadata, raw_metadata, seen_metadata, signals_metadata
from pipelines.ownership import OWNERS
from pipelines.partitions import batches, daily, due_each_morning
from pipelines.resources import Dimo

# A line in the run's log each time so many vehicle-days are through.
_TELL_EVERY = 50
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
                owners=OWNERS,
                freshness_policy=due_each_morning(),
                # How units are laid out; not how they are flattened, which changes nothing here.
                code_version="1",
            ),
            dg.AssetSpec(
                SIGNALS_KEY,
                deps=[RAW],
                description="The day's events flattened: one row for each leaf value, all vehicles in one file.",
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
    ) -> Iterator[dg.MaterializeResult[None]]:
        step = _Step(context, dimo)
        days = [date.fromisoformat(key) for key in context.partition_keys]
        with explained(dimo):
            fetched = step.fetch(days, config) if RAW in context.selected_asset_keys else [DayFetched(d) for d in days]
            if SIGNALS_KEY in context.selected_asset_keys:
                step.write(fetched)
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
        self._metadata: dict[tuple[dg.AssetKey, str], Metadata] = {}
        self._vehicle_days = 0
        self._lock = threading.Lock()

    def fetch(self, days: list[date], config: HistoryConfig) -> list[DayFetched]:
        began = time.monotonic()
        batch = fetch_days(self._dimo.settings, days, only=config.vehicles, refresh=config.refresh, progress=self._note)
        seconds = time.monotonic() - began
        self._context.log.info("%d requests, of which %d were retries", batch.requests, batch.retries)
        with open_store(self._dimo.settings.warehouse) as store:
            for day in batch.days:
                self._describe(RAW, day.day, raw_metadata(store, day, batch, seconds))
                self._dimo.done(day)
        return batch.days

    def write(self, days: list[DayFetched]) -> None:
        """Flatten the days; one that cannot be, as its raw unit is damaged, stops no other."""
        root = self._dimo.settings.warehouse
        described: dict[date, Metadata] = {}
        for day in days:
            began = time.monotonic()
            try:
                written = write_signals(self._dimo.settings, day.day)
            except DimoError as error:
                day.error = day.error or error
                continue
            described[day.day] = signals_metadata(root, day.day, written, time.monotonic() - began)
            self._context.log.info("%s: %d rows", day.day, written.rows if written else 0)
        seen: dict[date, Metadata] = {}
        try:
            seen = seen_metadata(root, list(described))
        except DimoError as error:
            # The days are written; whether they are sound is for the checks to say, and to stop what comes after.
            self._context.log.warning("The days cannot be shown: %s", error)
        for held, metadata in described.items():
            self._describe(SIGNALS_KEY, held, metadata | seen.get(held, {}))

    def materialize(self, days: list[DayFetched]) -> None:
        """Record the days that are done in a batch that fails, so that only the others are done again."""
        for day in days:
            for key in (RAW, SIGNALS_KEY):
                if key in self._context.selected_asset_keys:
                    partition = day.day.isoformat()
                    self._context.log_event(
                        dg.AssetMaterialization(
                            key,
                            partition=partition,
                            metadata=self._metadata.get((key, partition), {}),
                            tags=self._provenance(key, partition),
                        )
                    )

    def _provenance(self, key: dg.AssetKey, partition: str) -> dict[str, str]:
        """What Dagster itself notes of a materialization, so that it can tell later when one is out of date."""
        tags = {
            CODE_VERSION_TAG: self._context.assets_def.code_versions_by_key[key] or "",
            DATA_VERSION_TAG: self._context.run.run_id,
        }
        source, of = (RAW, partition) if key == SIGNALS_KEY else (vehicles.key, None)
        made = self._context.instance.get_latest_data_version_record(source, partition_key=of)
        version = extract_data_version_from_entry(made.event_log_entry) if made else None
        if made and version:
            tags[get_input_data_version_tag(source)] = version.value
            tags[get_input_event_pointer_tag(source)] = str(made.storage_id)
        return tags

    def _note(self, done: VehicleDay) -> None:
        """Say now and then how far the fetch is; from any thread."""
        with self._lock:
            self._vehicle_days += 1
            if self._vehicle_days % _TELL_EVERY == 0:
                self._context.log.info(
                    "%d vehicle-days are through, the last of them %s", self._vehicle_days, done.coverage.date
                )
        self._dimo.progress(done)

    def _describe(self, key: dg.AssetKey, day: date, metadata: Metadata) -> None:
        self._metadata[key, day.isoformat()] = metadata
        self._context.add_asset_metadata(metadata, asset_key=key, partition_key=day.isoformat())


def _summary(failed: list[DayFetched], days: int) -> DimoError:
    first = failed[0]
    if len(failed) == 1 and first.error is not None:
        return first.error
    kind = type(first.error) if first.error is not None else DimoError
    return kind(f"{len(failed)} of {days} days could not be brought, the first of them {first.day}: {first.error}")
