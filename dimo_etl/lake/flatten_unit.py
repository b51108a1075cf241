"""One raw unit to rows of `signals`, and what its coverage record says afterwards.

Promise: every event held ends up as rows, in quarantine, or is counted as a duplicate; a snapshot's signal that history
gave too is one of these.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol

import msgspec
import pyarrow as pa

from dimo_etl.coverage import Coverage
from dimo_etl.events import is_in_history
from dimo_etl.flatten.documents import Quarantined
from dimo_etl.flatten.table import Flattened, flatten
from dimo_etl.lake.raw import FROM_FILE, FROM_SNAPSHOT, RawUnit, events_of
from dimo_etl.lake.repeats import Repeats, sent_after
from dimo_etl.lake.store import Store
from dimo_etl.model import Event, moment_of_us

_CHUNK_EVENTS = 4_000


class Rows(Protocol):
    """Where the rows of a day are collected."""

    def add(self, tables: dict[str, pa.Table], timed: frozenset[str], *, in_order: bool) -> None:
        """Take the rows of the next chunk of events."""


@dataclass(slots=True)
class FlatUnit:
    """What flattening a unit showed.

    Attributes:
        unread: what could not be read, as rows of quarantine.
        repeated: signals of snapshots that history gave too.
        beyond_history: kept events that a file gave and that the service's history does not count.
        from_snapshots: signals of snapshots that it did not, and that could be read.
        sources: the integrations of the events that could be read.
        times_us: the oldest and the newest time of these, microseconds since the epoch; none where there are none.
    """

    unread: list[dict[str, object]] = field(default_factory=list)
    repeated: int = 0
    beyond_history: int = 0
    from_snapshots: int = 0
    sources: set[str] = field(default_factory=set)
    times_us: set[int] = field(default_factory=set)

    def record(self, coverage: Coverage) -> Coverage:
        """The unit's record with what only flattening can tell."""
        held = coverage.received_events - coverage.duplicate_events
        return msgspec.structs.replace(
            coverage,
            beyond_history_events=self.beyond_history,
            snapshot_events=self.from_snapshots,
            kept_events=held - self.repeated - len(self.unread),
            duplicate_events=coverage.duplicate_events + self.repeated,
            quarantined_events=len(self.unread),
            sources=tuple(sorted(self.sources)),
            first_event_at=moment_of_us(min(self.times_us)) if self.times_us else None,
            last_event_at=moment_of_us(max(self.times_us)) if self.times_us else None,
        )

    def add(self, flattened: Flattened) -> None:
        """Note whence and when the events of a chunk are."""
        self.sources |= flattened.sources
        times = [*flattened.times_us, *self.times_us]
        self.times_us = {min(times), max(times)} if times else set()


def flatten_unit(store: Store, unit: RawUnit, rows: Rows) -> FlatUnit:
    """Flatten a unit chunk by chunk.

    Raises:
        WarehouseError: the unit is damaged.
    """
    vehicle_id = unit.coverage.vehicle_id
    found = FlatUnit()
    signals = _signals(store, unit) if unit.coverage.snapshot_events else []
    repeats = Repeats(vehicle_id, signals)
    last = (-1, "")
    for chunk in _chunks(batch for batch in events_of(store, unit) if batch[0] != FROM_SNAPSHOT):
        chunk.sort(key=_order)
        flattened = flatten(vehicle_id, [event for event, _ in chunk])
        rows.add(flattened.tables, flattened.timed, in_order=_order(chunk[0]) >= last)
        repeats.note(flattened.tables)
        last = max(last, _order(chunk[-1]))
        found.add(flattened)
        origins = {event.event_id: origin for event, origin in chunk} if flattened.quarantined else {}
        unread = {item.event.event_id for item in flattened.quarantined}
        found.beyond_history += sum(
            origin == FROM_FILE and event.event_id not in unread and not is_in_history(event.payload)
            for event, origin in chunk
        )
        found.unread += [
            _quarantine_row(vehicle_id, item, origins[item.event.event_id]) for item in flattened.quarantined
        ]
    if signals:
        before = list(sent_after(store, vehicle_id, unit.coverage.date - timedelta(days=1)))
        repeats.note(flatten(vehicle_id, before).tables)
        new = repeats.new()
        flattened = flatten(vehicle_id, new)
        rows.add(flattened.tables, flattened.timed, in_order=False)
        found.add(flattened)
        found.repeated = len(signals) - len(new)
        found.from_snapshots = len(new) - len(flattened.quarantined)
        found.unread += [_quarantine_row(vehicle_id, item, FROM_SNAPSHOT) for item in flattened.quarantined]
    return found


def _signals(store: Store, unit: RawUnit) -> list[Event]:
    return [event for origin, events in events_of(store, unit) if origin == FROM_SNAPSHOT for event in events]


def _order(item: tuple[Event, str]) -> tuple[int, str]:
    event = item[0]
    return (event.timestamp_us if event.timestamp_us is not None else -1, event.event_id)


def _chunks(batches: Iterable[tuple[str, list[Event]]]) -> Iterator[list[tuple[Event, str]]]:
    chunk: list[tuple[Event, str]] = []
    for origin, events in batches:
        chunk += [(event, origin) for event in events]
        if len(chunk) >= _CHUNK_EVENTS:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _quarantine_row(vehicle_id: str, item: Quarantined, origin: str) -> dict[str, object]:
    return {
        "vehicle_id": vehicle_id,
        "event_id": item.event.event_id,
        "reason": item.reason,
        "origin": origin,
        "payload": item.event.payload,
    }
