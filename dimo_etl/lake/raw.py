"""Raw units: every event of a vehicle-day as received, in one file with its coverage record.

Promise: a unit is replaced whole, by one rename. An event that only a file or a snapshot gave is never lost to a later
fetch, and a proved day never gives way to an attempt that failed.

A unit is a Parquet file: one row an event, the coverage record and a digest of the content in its footer.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from dimo_etl.coverage import Coverage, Version, with_version
from dimo_etl.lake import layout
from dimo_etl.lake.store import StagedFile, Store
from dimo_etl.lake.tables import reading
from dimo_etl.model import Event
from dimo_etl.schema import COVERAGE_KEY, INSTANT, VERSIONS_KEY

# What gave an event that no source of history did when the day was asked for; any other origin is the name of a source.
# `late` are events that a source gave with a later day, on which they were received.
FROM_FILE, FROM_SNAPSHOT, FROM_LATE = "import", "snapshot", "late"
_DIGEST_KEY = b"dimo_etl.digest"
_SCHEMA = pa.schema(
    [
        pa.field("event_id", pa.string(), nullable=False),
        pa.field("timestamp", INSTANT),
        pa.field("content_id", pa.string()),
        pa.field("origin", pa.string(), nullable=False),
        pa.field("payload", pa.binary(), nullable=False),
    ]
)
_BUFFER_BYTES = 8 << 20


@dataclass(frozen=True, slots=True)
class RawUnit:
    """What is held of a vehicle-day: its record, what was known before, and a digest that changes with any of it."""

    name: str
    coverage: Coverage
    digest: str
    versions: tuple[Version, ...]


class RawWriter:
    """Collects the events of one vehicle-day, in bounded memory, until `replace` or `discard`.

    An event is kept once, whether it comes again under its id or under its content.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._staged = store.stage()
        with store.explained("write events to"):
            self._file = StagedFile(self._staged)
            self._writer = pq.ParquetWriter(
                self._file, _SCHEMA, compression="zstd", use_dictionary=["origin"], write_page_checksum=True
            )
        self._digest = _new_digest()
        self._known: dict[str, int] = {}
        self._contents: set[str] = set()
        self._rows: list[tuple[Event, str]] = []
        self._buffered = 0
        self.received = 0
        self.held: Counter[str] = Counter()

    def add(self, events: Iterable[Event], origin: str) -> int:
        """Take documents in; returns how many of them were events not held yet.

        The service tells documents apart by their ids. A document from a file may have lost the id the service gives
        it, so it is also recognised by its content.
        """
        new = 0
        for event in events:
            self.received += 1
            if event.event_id in self._known or (origin == FROM_FILE and event.content_id in self._contents):
                continue
            self._known[event.event_id] = hash(event.payload)
            if event.content_id is not None:
                self._contents.add(event.content_id)
            self._rows.append((event, origin))
            self._buffered += len(event.payload)
            _digest_event(self._digest, event)
            new += 1
            if self._buffered >= _BUFFER_BYTES:
                self._flush()
        self.held[origin] += new
        return new

    def keep(self, events: Iterable[Event], origin: str) -> None:
        """Take over events held before; those that came again are not counted as received twice."""
        before = self.received
        self.received = before + self.add(events, origin)

    def replace(self, coverage: Coverage, at: datetime, *, earlier: tuple[Version, ...] = ()) -> None:
        """Publish what was collected as the unit of the vehicle-day that the record names.

        Args:
            coverage: the record.
            at: when it was learned.
            earlier: what was known of the vehicle-day under another name.
        """
        self._flush()
        record = msgspec.json.encode(coverage)
        versions = msgspec.json.encode(self._versions(coverage, at, earlier))
        self._digest.update(record + versions)
        self._writer.add_key_value_metadata(
            {COVERAGE_KEY: record, VERSIONS_KEY: versions, _DIGEST_KEY: self._digest.hexdigest().encode()}
        )
        with self._store.explained("write events to"), self._file:
            self._writer.close()
        self._store.publish(self._staged, layout.raw_file(coverage.vehicle_id, coverage.date))

    def _versions(self, coverage: Coverage, at: datetime, earlier: tuple[Version, ...]) -> tuple[Version, ...]:
        """What was known of the vehicle-day before, and how this differs."""
        held = find_unit(self._store, coverage.vehicle_id, coverage.date)
        still = vanished = changed = 0
        for _, events in events_of(self._store, held) if held is not None else ():
            for event in events:
                content = self._known.get(event.event_id)
                still += content is not None
                vanished += content is None
                changed += content is not None and content != hash(event.payload)
        new = Version(
            known_from=at,
            confirmed_at=at,
            origin=coverage.origin,
            expected_events=coverage.expected_events,
            fetched_events=coverage.fetched_events,
            held_events=len(self._known),
            complete=coverage.complete,
            reason=coverage.reason,
            appeared_events=len(self._known) - still,
            vanished_events=vanished,
            changed_events=changed,
        )
        before = (*earlier, *(held.versions if held is not None else ()))
        return with_version(tuple(sorted(before, key=lambda version: version.known_from)), new)

    def discard(self) -> None:
        """Drop what was collected."""
        try:
            with self._store.explained("write events to"), self._file:
                self._writer.close()
        finally:
            self._store.discard(self._staged)

    def _flush(self) -> None:
        if not self._rows:
            return
        events = [event for event, _ in self._rows]
        columns = [
            pa.array([event.event_id for event in events], pa.string()),
            pa.array([event.timestamp_us for event in events], pa.int64()).cast(INSTANT),
            pa.array([event.content_id for event in events], pa.string()),
            pa.array([origin for _, origin in self._rows], pa.string()),
            pa.array([event.payload for event in events], pa.binary()),
        ]
        with self._store.explained("write events to"):
            self._writer.write_table(pa.Table.from_arrays(columns, schema=_SCHEMA))
        self._rows, self._buffered = [], 0


def find_unit(store: Store, vehicle_id: str, day: date) -> RawUnit | None:
    """The unit of a vehicle-day, or None where nothing is held of it.

    Raises:
        WarehouseError: the file is there but damaged.
    """
    name = layout.raw_file(vehicle_id, day)
    return _unit(store, name) if store.exists(name) else None


def units_of(store: Store, day: date) -> list[RawUnit]:
    """Every unit of a day, in the order of vehicle ids."""
    folder = layout.raw_folder(day)
    units = [_unit(store, f"{folder}/{name}") for name in store.names(folder) if name.endswith(".parquet")]
    return sorted(units, key=lambda unit: unit.coverage.vehicle_id)


def days_held(store: Store) -> list[date]:
    """The days of which any raw unit is held, in order."""
    days = (layout.day_of_folder(name) for name in store.names("raw"))
    return sorted(day for day in days if day is not None)


def events_of(store: Store, unit: RawUnit) -> Iterator[tuple[str, list[Event]]]:
    """The events of a unit in batches as they were written, each batch with its origin.

    Raises:
        WarehouseError: the file is damaged.
    """
    return events_in(store, unit.name)


def events_in(store: Store, name: str) -> Iterator[tuple[str, list[Event]]]:
    """The events of a unit's file, also where its record cannot be read.

    Raises:
        WarehouseError: the file is damaged from here on.
    """
    with (
        reading(store, name),
        store.open(name) as source,
        pq.ParquetFile(source, page_checksum_verification=True) as file,
    ):
        # A bit that flips in the schema changes types, and so what every value is read as.
        if not file.schema_arrow.equals(_SCHEMA):
            raise TypeError("its columns are not those of raw events")
        for batch in file.iter_batches(batch_size=4096):
            yield from _by_origin(batch)


def what_is_wrong(store: Store, name: str) -> str | None:
    """Hold a unit's content against its own record and digest; None where it is what was written.

    Raises:
        WarehouseError: it cannot be read.
    """
    unit = _unit(store, name)
    record = unit.coverage
    if layout.raw_file(record.vehicle_id, record.date) != name:
        return f"it holds vehicle {record.vehicle_id} of {record.date}"
    digest = _new_digest()
    held: Counter[str] = Counter()
    for origin, events in events_of(store, unit):
        held[origin] += len(events)
        for event in events:
            _digest_event(digest, event)
    digest.update(msgspec.json.encode(record) + msgspec.json.encode(unit.versions))
    if digest.hexdigest() != unit.digest:
        return "its events are not the ones that were written"
    if held.total() != record.kept_events or held != Counter(record.by_origin):
        return f"it holds {held.total()} events and its record says {record.kept_events}"
    return None


def _new_digest() -> hashlib.blake2b:
    return hashlib.blake2b(digest_size=16)


def _digest_event(digest: hashlib.blake2b, event: Event) -> None:
    digest.update(b"%d:%d:" % (len(event.event_id), len(event.payload)))
    digest.update(event.event_id.encode("utf-8", "surrogatepass") + event.payload)


def _by_origin(batch: pa.RecordBatch) -> Iterator[tuple[str, list[Event]]]:
    events = [
        Event(event_id, stamp, payload, content_id)
        for event_id, stamp, payload, content_id in zip(
            batch.column("event_id").to_pylist(),
            batch.column("timestamp").cast(pa.int64()).to_pylist(),
            batch.column("payload").to_pylist(),
            batch.column("content_id").to_pylist(),
            strict=True,
        )
    ]
    origins = batch.column("origin").to_pylist()
    start = 0
    for end in range(1, len(events) + 1):
        if end == len(events) or origins[end] != origins[start]:
            yield origins[start], events[start:end]
            start = end


def _unit(store: Store, name: str) -> RawUnit:
    with reading(store, name):
        with store.open(name) as source:
            footer = pq.read_metadata(source).metadata
        return RawUnit(
            name,
            msgspec.json.decode(footer[COVERAGE_KEY], type=Coverage),
            footer[_DIGEST_KEY].decode(),
            msgspec.json.decode(footer[VERSIONS_KEY], type=tuple[Version, ...]),
        )
