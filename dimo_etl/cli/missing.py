"""What a vehicle's data lack, and what to do about it: pure rules over what the views say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

# By what is unread: the sets of privileges of which one is enough, and how the lack is told.
_UNREAD: dict[str, tuple[tuple[set[int], ...], str]] = {
    "location": (({4},), "no location (privilege 4 not granted)"),
    "everything but location": (({1},), "nothing but location (privilege 1 not granted)"),
    "everything": (({1}, {4}), "nothing readable (neither privilege 1 nor 4 granted)"),
    "raw events": (({7}, {1, 4}), "no raw events (neither privilege 7, nor 1 and 4 granted)"),
}
_WEEK = timedelta(days=6)


@dataclass(frozen=True, slots=True)
class Span:
    """Days that lack the same: how many, from the first to the last of them.

    Attributes:
        unread: what `coverage.unread` says of them, `raw events` where the Fetch API gave nothing; None for days that
            are incomplete though all could be read.
    """

    unread: str | None
    days: int
    first: date
    last: date


@dataclass(frozen=True, slots=True)
class Held:
    """What the warehouse holds of a vehicle.

    Attributes:
        permissions: as identity last told; None where it never did.
        shared_now: likewise.
        asked_days: days the service was asked for, from `first_asked` to `last_asked`.
        spans: the days that lack something.
        quarantined: events that could not be understood.
    """

    vehicle_id: str
    permissions: Sequence[int] | None
    shared_now: bool | None
    asked_days: int
    first_asked: date | None
    last_asked: date | None
    spans: Sequence[Span]
    quarantined: int


@dataclass(frozen=True, slots=True)
class Lack:
    """Something that is missing, and what to do next."""

    what: str
    todo: str


def lacks(held: Held, *, newest: date) -> Iterator[Lack]:
    """What is missing of a vehicle.

    Args:
        held: what the warehouse holds of it.
        newest: the last day that is over.
    """
    if held.shared_now is False:
        yield Lack("not shared with this licence now", "what is held stays; for more, ask its owner to share it")
    else:
        for span in held.spans:
            yield _unread(held, span, span.unread) if span.unread else _incomplete(span)
    if held.shared_now:
        yield from _unasked(held, newest)
    if held.quarantined:
        yield Lack(f"{held.quarantined:,} documents not understood", 'dimo-etl sql "FROM quarantine"')


def _incomplete(span: Span) -> Lack:
    return Lack(f"{_days(span.days)} incomplete", _sync(span.first, span.last))


def _unread(held: Held, span: Span, unread: str) -> Lack:
    needed, words = _UNREAD[unread]
    if any(enough.issubset(held.permissions or ()) for enough in needed):
        what = f"{unread}: granted now, and not for {_days(span.days)}"
        return Lack(what, f"{_sync(span.first, span.last)} --vehicle {held.vehicle_id} --refresh")
    if unread == "raw events" and held.permissions:
        instead = f"{_sync(span.first, span.last)} --vehicle {held.vehicle_id} --source telemetry"
        return Lack(words, f"ask its owner to grant it, or bring what is shared: {instead}")
    return Lack(words, "ask its owner to grant it")


def _unasked(held: Held, newest: date) -> Iterator[Lack]:
    if held.first_asked is None or held.last_asked is None:
        yield Lack("nothing brought yet", _sync(newest - _WEEK, newest))
        return
    has_gap = (held.last_asked - held.first_asked).days + 1 > held.asked_days
    since = held.first_asked if has_gap else held.last_asked + timedelta(days=1)
    left = (max(newest, held.last_asked) - held.first_asked).days + 1 - held.asked_days
    if left:
        yield Lack(f"{_days(left)} never asked for", _sync(since, max(newest, held.last_asked)))


def _sync(first: date, last: date) -> str:
    return f"dimo-etl sync --from {first} --to {last}"


def _days(count: int) -> str:
    return "1 day" if count == 1 else f"{count:,} days"
