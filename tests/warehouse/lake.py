"""Small lakes for tests: rows in plain Python, written as the real lake lays them out."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from dimo_etl.coverage import Coverage
from dimo_etl.events import read_event
from dimo_etl.flatten.table import flatten
from dimo_etl.lake.distances import Said, add_said
from dimo_etl.lake.snapshots import Sighting, add_sightings
from dimo_etl.lake.store import Store
from dimo_etl.schema import COVERAGE_KEY, SIGNALS, VERSIONS_KEY
from dimo_etl.warehouse.definitions import ORDER, quoted, statements
from dimo_etl.warehouse.lineage import with_all_they_use
from dimo_etl.warehouse.publish import DATABASE
from tests.payloads import encoded

ZONES = (
    "UTC",
    "America/Los_Angeles",
    "Europe/Berlin",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Pacific/Kiritimati",
)
VERSION = {"held_events": 0, "appeared_events": 0, "vanished_events": 0, "changed_events": 0, "confirmed_at": None}
START = datetime(2026, 1, 5, 10, tzinfo=UTC)


def at(text: str) -> datetime:
    """A UTC time such as `2026-01-05T10:00`."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@dataclass
class Lake:
    """A lake under a folder; collect rows, then `write`."""

    root: Path
    rows: list[dict] = field(default_factory=list)
    records: list[Coverage] = field(default_factory=list)
    said: list[Said] = field(default_factory=list)
    sightings: list[Sighting] = field(default_factory=list)
    _session: duckdb.DuckDBPyConnection = field(default_factory=duckdb.connect)
    _named: set[str] = field(default_factory=set)
    _defined: set[str] = field(default_factory=set)

    def add(
        self,
        vehicle_id: str,
        timestamp: datetime,
        name: str,
        value: object = None,
        *,
        json: str | None = None,
        source: str = "test",
        event_id: str | None = None,
        received_at: datetime | None = None,
        day: date | None = None,
    ) -> None:
        self.rows.append(
            {
                "vehicle_id": vehicle_id,
                "timestamp": timestamp,
                "name": name,
                "value_number": float(value)
                if isinstance(value, int | float) and not isinstance(value, bool)
                else None,
                "value_string": value if isinstance(value, str) else None,
                "value_boolean": value if isinstance(value, bool) else None,
                "value_json": json,
                "source": source,
                "event_id": event_id or f"event-{len(self.rows):05}",
                "received_at": received_at or timestamp + timedelta(seconds=1),
                "day": day or timestamp.astimezone(UTC).date(),
            }
        )

    def flatten(self, vehicle_id: str, documents: list[dict[str, object]]) -> None:
        """The rows of documents, as the real lake makes them."""
        for name, table in flatten(vehicle_id, [read_event(encoded(one)) for one in documents]).tables.items():
            self.rows += [{**row, "name": name, "day": row["received_at"].date()} for row in table.to_pylist()]

    def odometer(self, vehicle_id: str, readings: list, start: datetime = START, minutes: float = 10) -> None:
        """Readings one after the other, `minutes` apart."""
        for n, reading in enumerate(readings):
            self.add(vehicle_id, start + timedelta(minutes=minutes * n), "odometer", reading)

    def cover(self, vehicle_id: str, day: str, **known: object) -> None:
        fields = {"origin": "device-data", "expected_events": 1, "fetched_events": 1, "kept_events": 1}
        fields |= {"complete": True, "fetched_at": at("2026-02-01")}
        self.records.append(Coverage(**(fields | {"vehicle_id": vehicle_id, "date": date.fromisoformat(day)} | known)))

    def say(
        self, vehicle_id: str, km: float | None, asked_at: datetime, zone: str | None = None, day: str = ""
    ) -> None:
        """What DIMO said: of a day in a zone, or in all."""
        self.said.append(Said(vehicle_id, asked_at, zone, date.fromisoformat(day) if day else None, km))

    def see(self, vehicle_id: str, seen_at: datetime, payload: bytes | None = b"{}", **known: object) -> None:
        """What a status route showed."""
        fields = {"endpoint": "v1/status-raw", "signals": 1, "new_signals": 0, "newest_at": seen_at}
        self.sightings.append(
            Sighting(**(fields | {"vehicle_id": vehicle_id, "seen_at": seen_at, "payload": payload} | known))
        )

    def write(self, row_group_size: int = 122_880) -> Path:
        """Write every day's file; rows and records of a day replace the day's file."""
        days: dict[date, list[dict]] = defaultdict(list)
        for row in self.rows:
            days[row["day"]].append(row)
        proof: dict[date, list[Coverage]] = {day: [] for day in days}
        for record in self.records:
            proof.setdefault(record.date, []).append(record)
        for day, records in proof.items():
            rows = sorted(days[day], key=lambda row: (row["name"], row["vehicle_id"], row["timestamp"]))
            rows = [{key: value for key, value in row.items() if key != "day"} for row in rows]
            table = pa.Table.from_pylist(rows, schema=SIGNALS)
            known = [msgspec.structs.asdict(one) | VERSION | {"known_from": one.fetched_at} for one in records]
            footer = {COVERAGE_KEY: msgspec.json.encode(records), VERSIONS_KEY: msgspec.json.encode(known)}
            table = table.replace_schema_metadata(footer)
            folder = self.root / "signals" / f"date={day}"
            folder.mkdir(parents=True, exist_ok=True)
            pq.write_table(table, folder / "signals.parquet", compression="zstd", row_group_size=row_group_size)
        self.root.mkdir(exist_ok=True)
        with Store(str(self.root)) as store:
            add_said(store, self.said)
            for one in self.sightings:
                add_sightings(store, one.vehicle_id, one.seen_at.date(), [one])
        return self.root

    def query(self, sql: str, zone: str = "UTC") -> list[tuple]:
        """The rows a plain DuckDB session in a zone gets, in which no more than the views of the query are defined.

        To define them all, as what is published does, takes longer than most queries.
        """
        self._named |= {name for name in ORDER if re.search(rf"\b{name}\b", sql)}
        wanted = statements(self.root, with_all_they_use(self._named))
        if not self._defined <= set(wanted):  # Other kinds of files are there than before.
            self._session, self._defined = duckdb.connect(), set()
        for statement in wanted:
            if statement not in self._defined:
                self._session.execute(statement)
        self._defined = set(wanted)
        self._session.execute(f"SET TimeZone = '{zone}'")
        return self._session.execute(sql).fetchall()

    def published(self, sql: str, zone: str = "UTC") -> list[tuple]:
        """The rows that a plain DuckDB session in a zone, to which the published file is attached, gets."""
        with duckdb.connect() as connection:
            connection.execute(f"ATTACH {quoted(str(self.root / DATABASE))} AS dimo (READ_ONLY)")
            connection.execute("USE dimo")
            connection.execute(f"SET TimeZone = '{zone}'")
            return connection.execute(sql).fetchall()
