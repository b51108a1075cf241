"""A fetch in the test's own process, whose waits take no time: from whom the licence may read to the day files."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from importlib import import_module
from pathlib import Path

import msgspec
import pyarrow.parquet as pq

from dimo_etl.api.identity import shared_vehicles
from dimo_etl.api.transport import Limits, Transport
from dimo_etl.config import Settings
from dimo_etl.coverage import Coverage
from dimo_etl.history.fetch import Fetcher, VehicleDay
from dimo_etl.history.sources import SOURCES
from dimo_etl.lake.layout import signals_file
from dimo_etl.lake.raw import events_of, find_unit
from dimo_etl.lake.signals import write_day
from dimo_etl.lake.store import Store

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
# A service that says nothing costs this long each time; one that answers has it many times over.
SILENCE_SECONDS = 2.0
BODY_BYTES = 4 << 20
ANSWER_SECONDS = 120.0


@dataclass
class Patient:
    """A client with a clock of its own.

    Attributes:
        waits: the seconds it would have waited, one by one.
    """

    folder: Path
    concurrency: int = 4
    waits: list[float] = field(default_factory=list)
    _seconds: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def stall(self) -> None:
        """Let more time go by than an answer may take."""
        with self._lock:
            self._seconds += ANSWER_SECONDS + 1

    def bring(
        self, environment: Mapping[str, str], days: Sequence[date], only: Sequence[str] = (), *, refresh: bool = False
    ) -> dict[tuple[str, date], VehicleDay]:
        """Bring days of every vehicle that is shared, or of some, and write their files."""
        settings = Settings.from_environment(environment)
        with (
            Store(str(self.folder)) as store,
            Transport(
                concurrency=self.concurrency,
                limits=Limits(read_seconds=SILENCE_SECONDS, answer_seconds=ANSWER_SECONDS, body_bytes=BODY_BYTES),
                sleep=self.waits.append,
                clock=lambda: self._seconds,
            ) as transport,
        ):
            shared = shared_vehicles(transport, settings)
            granted = {int(one.vehicle.vehicle_id): one.granted for one in shared}
            source = import_module(SOURCES[settings.source]).open_source(transport, settings, granted)
            fetcher = Fetcher(store, source, concurrency=self.concurrency, now=lambda: NOW)
            vehicles = [one.vehicle for one in shared if not only or one.vehicle.vehicle_id in only]
            done = fetcher.fetch(vehicles, days, refresh=refresh)
            for day in sorted({*days, *fetcher.late_days}):
                write_day(store, day)
        return {(one.coverage.vehicle_id, one.coverage.date): one for one in done}

    def held(self, days: Sequence[date]) -> dict[str, object]:
        """What the warehouse holds of days: documents, records and rows, but for how much asking it took."""
        found: dict[str, object] = {}
        with Store(str(self.folder)) as store:
            for day in days:
                written = write_day(store, day)
                for record in written.coverage if written else ():
                    unit = find_unit(store, record.vehicle_id, day)
                    events = [event for _, batch in events_of(store, unit) for event in batch]
                    found[f"{day} {record.vehicle_id} record"] = _facts(record)
                    found[f"{day} {record.vehicle_id} events"] = events
                found[f"{day} rows"] = pq.read_table(self.folder / signals_file(day)).to_pylist()
        return found


def _facts(record: Coverage) -> Coverage:
    return msgspec.structs.replace(record, requests=0, windows=0, received_events=0, duplicate_events=0)
