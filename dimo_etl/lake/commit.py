"""What a raw unit becomes when something new is known of its vehicle-day.

Rules: a proved fetch replaces what the service gave before, so a day that grew, shrank or changed follows its source;
events that only a file gave stay. An attempt that proved nothing adds what it brought, and never replaces a proof by
a failure to reach the service.
"""

from __future__ import annotations

from datetime import date, datetime

import msgspec

from dimo_etl.coverage import Coverage
from dimo_etl.lake.raw import FROM_FILE, FROM_SERVICE, RawUnit, RawWriter, events_of, find_unit
from dimo_etl.lake.store import Store
from dimo_etl.model import Event


def commit_fetch(store: Store, writer: RawWriter, coverage: Coverage) -> Coverage:
    """Publish a fetched vehicle-day, merged with what is held of it.

    Args:
        store: the warehouse's files.
        writer: the documents the service gave, already added.
        coverage: what the fetch found; the numbers of events are filled in here.

    Returns:
        The record of this fetch; it is also what the unit holds, unless an earlier proof was kept instead.
    """
    with store.lock(f"raw-{coverage.date}"):
        held = find_unit(store, coverage.vehicle_id, coverage.date)
        if held is not None:
            if held.coverage.complete and not coverage.complete and coverage.expected_events is None:
                writer.discard()
                return coverage
            for origin, events in events_of(store, held):
                if origin == FROM_FILE or not coverage.complete:
                    writer.keep(events, origin)
        record = _counted(coverage, writer, fetched=writer.held[FROM_SERVICE])
        writer.replace(record)
    return record


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
        writer = RawWriter(store)
        try:
            if held is not None:
                for origin, kept in events_of(store, held):
                    writer.keep(kept, origin)
                writer.received = held.coverage.received_events
            new = writer.add(sorted(events, key=lambda event: (event.timestamp_us or 0, event.event_id)), FROM_FILE)
        except BaseException:
            writer.discard()
            raise
        if not new and held is not None:
            writer.discard()
            return held.coverage, 0
        record = _counted(_merged_claim(held, claim, now), writer, fetched=None)
        writer.replace(record)
    return record, new


def _merged_claim(held: RawUnit | None, claim: Coverage, now: datetime) -> Coverage:
    if held is None:
        return claim
    if held.coverage.origin == FROM_FILE:
        return msgspec.structs.replace(
            claim, expected_events=claim.expected_events or held.coverage.expected_events, fetched_at=now
        )
    return msgspec.structs.replace(held.coverage, origin=f"{FROM_SERVICE}+{FROM_FILE}")


def _counted(coverage: Coverage, writer: RawWriter, fetched: int | None) -> Coverage:
    """The record with the numbers of what the unit holds; quarantine is counted when the day is flattened."""
    from_service, from_file = writer.held[FROM_SERVICE], writer.held[FROM_FILE]
    origin = coverage.origin
    if from_file and origin == FROM_SERVICE:
        origin = f"{FROM_SERVICE}+{FROM_FILE}"
    if fetched is None:
        fetched = from_file if origin == FROM_FILE else coverage.fetched_events
    distinct = from_service + from_file
    return msgspec.structs.replace(
        coverage,
        origin=origin,
        fetched_events=fetched,
        imported_events=from_file,
        received_events=writer.received,
        kept_events=distinct,
        duplicate_events=writer.received - distinct,
    )
