"""What is known of a vehicle-day: what the service says exists, what is held, and whether that is proved."""

from __future__ import annotations

from datetime import date, datetime

import msgspec


class Coverage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=False):
    """The coverage record of one vehicle-day.

    `received_events = kept_events + duplicate_events + quarantined_events` holds for every record.

    Attributes:
        vehicle_id: token id in decimal, or user device id.
        date: the UTC day.
        origin: what gave the events, joined by `+`: sources of history, `late`, `import`, `snapshot`. Where a source
            was asked, the first is the one asked last, and the numbers and the proof are its own.
        by_origin: how many of the distinct events held each of these gave.
        expected_events: distinct events the service says exist; None where nobody said.
        fetched_events: distinct events held (of those the source counts, where one was asked).
        imported_events: distinct events held that came from a file and from no source.
        beyond_history_events: kept ones of these that history cannot give: they hold neither odometer nor latitude, and
            the service does not count them among the expected; filled in when the day is flattened.
        snapshot_events: signals held that a snapshot gave, each an event of its own.
        received_events: documents received, the same document twice counted twice.
        kept_events: events whose signals are in the lake.
        duplicate_events: documents that were the same event as another one.
        quarantined_events: events that could not be understood; they lie in `quarantine/`.
        complete: proved complete (True), known to be incomplete (False), or unknown (None).
        reason: why it is not proved complete, in a sentence; None where it is.
        requests: history requests spent, retries included.
        windows: windows that tile the day.
        privileges: the privileges the vehicle token had, none where the vehicle grants none of use; None where no
            vehicle token was used.
        sources: the integrations whose events are kept, by name; filled in when the day is flattened, like the times.
        first_event_at: the oldest time of a kept event; None where there is none.
        last_event_at: the newest time of a kept event.
        fetched_at: when the record was made.
    """

    vehicle_id: str
    date: date
    origin: str
    expected_events: int | None
    fetched_events: int
    by_origin: dict[str, int] = {}
    imported_events: int = 0
    beyond_history_events: int = 0
    snapshot_events: int = 0
    received_events: int = 0
    kept_events: int = 0
    duplicate_events: int = 0
    quarantined_events: int = 0
    complete: bool | None
    reason: str | None = None
    requests: int = 0
    windows: int = 0
    privileges: tuple[int, ...] | None = None
    sources: tuple[str, ...] = ()
    first_event_at: datetime | None = None
    last_event_at: datetime | None = None
    fetched_at: datetime


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """What was known of a vehicle-day for a while; a new version begins when something else is known.

    Attributes:
        known_from: when it was learned.
        confirmed_at: when the same was learned last.
        origin, expected_events, fetched_events, complete, reason: as in the record of that time.
        held_events: distinct events held.
        appeared_events: events held that were not held before.
        vanished_events: events held before that are no longer: a proved fetch did not give them.
        changed_events: events whose document is another under the same id.
    """

    known_from: datetime
    confirmed_at: datetime
    origin: str
    expected_events: int | None
    fetched_events: int
    held_events: int
    complete: bool | None
    reason: str | None
    appeared_events: int
    vanished_events: int
    changed_events: int

    def says(self, other: Version) -> bool:
        """Whether another version, learned later, says the same."""
        if other.appeared_events or other.vanished_events or other.changed_events:
            return False
        return _stated(self) == _stated(other)


def _stated(one: Version) -> tuple[object, ...]:
    return one.origin, one.expected_events, one.fetched_events, one.held_events, one.complete, one.reason


def with_version(known: tuple[Version, ...], new: Version) -> tuple[Version, ...]:
    """The versions of a vehicle-day once something was learned of it, the oldest first."""
    if known and known[-1].says(new):
        return (*known[:-1], msgspec.structs.replace(known[-1], confirmed_at=new.confirmed_at))
    return (*known, new)
