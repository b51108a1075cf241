"""What a raw unit becomes when something new is known of its vehicle-day.

Rules: a proved fetch replaces what the same source gave before, so a day that grew, shrank or changed follows its
source; events that another source, a file or a snapshot gave stay, and one that comes again is kept as it came last.
An attempt that proved nothing adds what it brought, and never replaces a proof by a failure to reach the service, nor
what another source proved. What was read with more privileges never gives way to what is read with fewer: a position
that is no longer shared was shared once. The record of a day is that of the source named first in its `origin`.
"""

from __future__ import annotations

from datetime import date, datetime

import msgspec

from dimo_etl.coverage import Coverage
from dimo_etl.lake.raw import FROM_FILE, FROM_LATE, FROM_SNAPSHOT, RawUnit, RawWriter, events_of, find_unit
from dimo_etl.lake.repeats import new_signals
from dimo_etl.lake.store import Store
from dimo_etl.model import Event

_SHOWING = frozenset({1, 4})
_RAW_DATA = 7


def commit_fetch(
    store: Store, writer: RawWriter, coverage: Coverage, *, supersedes: frozenset[str] = frozenset()
) -> Coverage:
    """Publish a fetched vehicle-day, merged with what is held of it.

    Args:
        store: the warehouse's files.
        writer: the documents the source gave, already added.
        coverage: what the fetch found, its `origin` the source; the numbers of events are filled in here.
        supersedes: the sources whose proof gives way also to an attempt of this one that proved nothing.

    Returns:
        The record of this fetch; it is also what the unit holds, unless an earlier proof was kept instead.
    """
    with store.lock(f"raw-{coverage.date}"):
        held = find_unit(store, coverage.vehicle_id, coverage.date)
        if held is not None:
            if held.coverage.complete and not coverage.complete:
                gives_way = asked_of(held.coverage) in (coverage.origin, *supersedes)
                if coverage.expected_events is None or not gives_way:
                    writer.discard()
                    return coverage
            if held.coverage.fetched_events and _read(held.coverage) - _read(coverage):
                writer.discard()
                return _kept_fuller(store, held, coverage)
            for origin, events in events_of(store, held):
                if origin != coverage.origin or not coverage.complete:
                    writer.keep(events, origin)
        record = counted(coverage, writer, fetched=writer.held[coverage.origin])
        writer.replace(record, coverage.fetched_at)
    return record


def _read(coverage: Coverage) -> frozenset[int]:
    """What the history in a unit was read with: privilege 1 shows all but the location, 4 the location, 7 both."""
    if asked_of(coverage) is None:
        return frozenset()
    # Without a vehicle token it is the owner's own account that asks, and it sees everything.
    if coverage.privileges is None or _RAW_DATA in coverage.privileges:
        return _SHOWING
    return _SHOWING.intersection(coverage.privileges)


def _kept_fuller(store: Store, held: RawUnit, coverage: Coverage) -> Coverage:
    """Keep a unit that shows more than what came now, and say so where the service has more events than it holds."""
    record = held.coverage
    expected = coverage.expected_events
    lost = " and ".join(map(str, sorted(_read(record) - _read(coverage))))
    why = f"what is held was read with privilege {lost}, which is not granted now; ask the owner to grant it again"
    if asked_of(record) != coverage.origin:
        return msgspec.structs.replace(coverage, complete=False, reason=coverage.reason or why)
    if record.complete and expected is not None and expected <= record.fetched_events:
        return msgspec.structs.replace(record, requests=coverage.requests, fetched_at=coverage.fetched_at)
    writer = RawWriter(store)
    for origin, events in events_of(store, held):
        writer.keep(events, origin)
    writer.received = record.received_events
    told = msgspec.structs.replace(
        coverage, complete=False, reason=coverage.reason or why, privileges=record.privileges, windows=record.windows
    )
    kept = counted(told, writer, fetched=writer.held[coverage.origin])
    writer.replace(kept, coverage.fetched_at)
    return kept


def commit_import(
    store: Store, vehicle_id: str, day: date, events: list[Event], claim: Coverage, now: datetime
) -> tuple[Coverage, int]:
    """Add documents from a file to a vehicle-day; a day that gains nothing is left as it is.

    Args:
        store: the warehouse's files.
        vehicle_id: the vehicle the documents are of.
        day: the UTC day they are of.
        events: the documents, repeated ones included.
        claim: what the file itself says of its completeness; used where nothing was fetched.
        now: the time of the import.

    Returns:
        The record the unit holds now, and the number of events that were new.
    """
    with store.lock(f"raw-{day}"):
        held = find_unit(store, vehicle_id, day)
        writer, new = _added(store, held, events, FROM_FILE)
        if not new and held is not None:
            writer.discard()
            return held.coverage, 0
        record = counted(_merged_claim(held, claim, now), writer, fetched=None)
        writer.replace(record, now)
    return record, new


def commit_snapshot(store: Store, vehicle_id: str, day: date, signals: list[Event], now: datetime) -> int:
    """Add signals that a snapshot gave to the vehicle-day they were measured on; what is held of them already is not.

    Args:
        store: the warehouse's files.
        vehicle_id: the vehicle the signals are of.
        day: the UTC day of their own times.
        signals: events of one signal each.
        now: the time of the snapshot.

    Returns:
        The number of signals that were new.
    """
    with store.lock(f"raw-{day}"):
        new = new_signals(store, vehicle_id, day, signals)
        if not new:
            return 0
        held = find_unit(store, vehicle_id, day)
        writer, _ = _added(store, held, new, FROM_SNAPSHOT)
        why = "only snapshots are held; the history of the day was not asked for"
        claim = _unasked(vehicle_id, day, FROM_SNAPSHOT, why, now)
        writer.replace(counted(held.coverage if held is not None else claim, writer, fetched=None), now)
    return len(new)


def commit_late(store: Store, vehicle_id: str, day: date, events: list[Event], now: datetime) -> bool:
    """Add events that a source gave with the later day they were received on to the vehicle-day they are of.

    Args:
        store: the warehouse's files.
        vehicle_id: the vehicle the events are of.
        day: the UTC day of their own times.
        events: distinct events.
        now: the time of the fetch.

    Returns:
        Whether any of them was new.
    """
    with store.lock(f"raw-{day}"):
        held = find_unit(store, vehicle_id, day)
        writer, new = _added(store, held, events, FROM_LATE)
        if not new:
            writer.discard()
            return False
        why = "only what arrived later is held; the day itself was not asked for"
        claim = _unasked(vehicle_id, day, FROM_LATE, why, now)
        writer.replace(counted(held.coverage if held is not None else claim, writer, fetched=None), now)
    return True


def _added(store: Store, held: RawUnit | None, events: list[Event], origin: str) -> tuple[RawWriter, int]:
    """A unit's events and some more, yet to be published, and how many of these are new."""
    writer = RawWriter(store)
    try:
        if held is not None:
            for before, kept in events_of(store, held):
                writer.keep(kept, before)
            writer.received = held.coverage.received_events
        new = writer.add(sorted(events, key=lambda event: (event.timestamp_us or 0, event.event_id)), origin)
    except BaseException:
        writer.discard()
        raise
    return writer, new


def _unasked(vehicle_id: str, day: date, origin: str, why: str, now: datetime) -> Coverage:
    """The record of a day of which something is held, but which no source was asked for."""
    return Coverage(
        vehicle_id=vehicle_id,
        date=day,
        origin=origin,
        expected_events=None,
        fetched_events=0,
        complete=None,
        reason=why,
        fetched_at=now,
    )


def _merged_claim(held: RawUnit | None, claim: Coverage, now: datetime) -> Coverage:
    if held is None:
        return claim
    if asked_of(held.coverage) is None:
        return msgspec.structs.replace(
            claim, expected_events=claim.expected_events or held.coverage.expected_events, fetched_at=now
        )
    return held.coverage


def asked_of(coverage: Coverage) -> str | None:
    """The source that was asked for the history of the day, and whose numbers the record has; None where none was."""
    first = coverage.origin.split("+")[0]
    return None if first in (FROM_FILE, FROM_SNAPSHOT, FROM_LATE) else first


def counted(coverage: Coverage, writer: RawWriter, fetched: int | None) -> Coverage:
    """The record with the numbers of what the unit holds; quarantine is counted when the day is flattened."""
    asked = asked_of(coverage)
    held = {origin: count for origin, count in sorted(writer.held.items()) if count}
    others = sorted(held.keys() - {FROM_FILE, FROM_SNAPSHOT, asked})
    rest = [*others, *(origin for origin in (FROM_FILE, FROM_SNAPSHOT) if origin in held)]
    if fetched is None:
        fetched = coverage.fetched_events if asked else writer.held[FROM_FILE]
    distinct = sum(held.values())
    return msgspec.structs.replace(
        coverage,
        origin="+".join([asked, *rest] if asked else rest),
        by_origin=held,
        fetched_events=fetched,
        imported_events=writer.held[FROM_FILE],
        snapshot_events=writer.held[FROM_SNAPSHOT],
        received_events=writer.received,
        kept_events=distinct,
        duplicate_events=writer.received - distinct,
    )
