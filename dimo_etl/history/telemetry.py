"""The source `telemetry`: the values of every signal in buckets of a second, and the events, from the Telemetry API.

The service answers a window whole or not at all, so a day is held when each of its windows was answered for each signal
that the service stores, and the answers bear out what it says it stores: no more values than that, and one at the first
and at the last time of each signal. A day in which it stores nothing is not asked for.

A bucket becomes one event, in the form of a status with a list of signals; its id names vehicle and second, so a bucket
that is brought again is the same event, whichever windows and queries it came in. Values are kept in the service's own
digits.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING

import msgspec

from dimo_etl.api.auth import access_tokens
from dimo_etl.api.exchange import SIGNALS, VehicleTokens
from dimo_etl.api.messages import TELEMETRY
from dimo_etl.api.telemetry import Telemetry, chunks, is_name, is_place
from dimo_etl.api.telemetry_answers import Happened, Seen, Summary, Values
from dimo_etl.errors import ServiceError, TooMuchAskedError
from dimo_etl.events import content_hash
from dimo_etl.history.source import Piece, Shown, Source, Visit
from dimo_etl.model import Event, Window, day_window, rfc3339_ms

if TYPE_CHECKING:
    from dimo_etl.api.transport import Transport
    from dimo_etl.config import Settings

# A day has 86,400 of these: it fits into the 100,000 buckets that the service's successor allows for a window.
INTERVAL, _BUCKET_MS = "1s", 1000
_NON_LOCATION, _LOCATION, _APPROXIMATE = 1, 4, 8
_EVERY_PLACE, _ABOUT = "currentLocation", "currentLocationApproximateCoordinates"


def open_source(transport: Transport, settings: Settings, granted: Mapping[int, frozenset[int]]) -> Source:
    """The source as the settings have it."""
    tokens = VehicleTokens(transport, access_tokens(transport, settings), settings, purpose=SIGNALS, granted=granted)
    return TelemetrySource(Telemetry(transport, tokens, settings))


class TelemetrySource:
    """See `Source`."""

    name = "telemetry"
    service = TELEMETRY
    purpose = SIGNALS
    supersedes: frozenset[str] = frozenset()

    def __init__(self, service: Telemetry) -> None:
        self._telemetry = service

    def pieces(self, visit: Visit, days: Sequence[date]) -> Iterator[Piece]:
        """See `Source`: a piece for each day."""
        token_id = visit.token_id(self.service)
        try:
            answer = visit.ask(days[0], lambda: self._telemetry.summary(token_id))
        except ServiceError as error:
            yield from (Piece(day_window(day), (), None, 0, str(error)) for day in days)
            return
        summary = answer.value
        newest_us = max((one.last_us for one in summary.signals.values()), default=None)
        visit.shown.append(Shown("telemetry/dataSummary", len(summary.signals), newest_us, summary.payload))
        reader = _Reader(self._telemetry, visit, token_id, summary, frozenset(answer.privileges))
        waiting: deque[Future[Piece]] = deque()
        try:
            for day in days:
                waiting.append(visit.pool.submit(reader.day, day))
                if len(waiting) > visit.ahead:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for asked in waiting:
                asked.cancel()


@dataclass(slots=True)
class _Found:
    """What is known of a day so far."""

    buckets: dict[int, dict[str, bytes]] = field(default_factory=dict)
    events: list[Happened] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    strays: int = 0
    is_whole: bool = True

    def add(self, values: Values, window: Window) -> None:
        for us, held in values.buckets.items():
            if window.start_ms <= us // 1000 <= window.end_ms:
                self.buckets.setdefault(us, {}).update(held)
            else:
                self.strays += 1
        for happened in values.events:
            if window.start_ms <= happened.us // 1000 <= window.end_ms:
                self.events.append(happened)
            else:
                self.strays += 1
        self.reasons += [f"the service refuses {name} ({words})" for name, words in values.refused.items()]


class _Reader:
    """Reads the days of one vehicle, for any number of threads."""

    def __init__(
        self, service: Telemetry, visit: Visit, token_id: int, summary: Summary, privileges: frozenset[int]
    ) -> None:
        self._telemetry = service
        self._visit = visit
        self._token_id = token_id
        self._summary = summary
        self._privileges = privileges
        self._longest_ms: int | None = None  # what the service has answered for is not known before it has refused

    def day(self, day: date) -> Piece:
        """Everything of a day."""
        window = day_window(day)
        seen = {name: one for name, one in self._summary.signals.items() if one.overlaps(window)}
        readable = _readable(sorted(seen.keys() & self._summary.available), self._privileges)
        names = [name for name in readable if is_name(name)]
        may_see_events = {_NON_LOCATION, _LOCATION} <= self._privileges
        events = may_see_events and any(one.overlaps(window) for one in self._summary.events.values())
        found = _Found()
        if len(names) < len(readable):
            found.reasons.append(f"the service tells of {len(readable) - len(names)} signals with names that are none")
        for number, chunk in enumerate(chunks(names, events=events)):
            if chunk or events:
                self._read(day, chunk, window, found, events=events and number == 0)
        if found.strays:
            found.reasons.append(f"the service answered with {found.strays} times from outside the day")
        if found.is_whole:
            found.reasons += _contradictions(found, {name: seen[name] for name in names if name in seen}, window)
        held = self._events(found, window)
        reason = "; ".join(dict.fromkeys(found.reasons)) or None
        return Piece(window, held, len(held) if found.is_whole else None, len(held), reason)

    def _read(self, day: date, names: Sequence[str], window: Window, found: _Found, *, events: bool) -> None:
        """One query for a window, or for each half of one that is too long."""
        if self._longest_ms is not None and window.span_ms > self._longest_ms:
            self._halves(day, names, window, found, events=events)
            return
        try:
            values = self._visit.ask(
                day, lambda: self._telemetry.values(self._token_id, names, window, INTERVAL, events=events)
            )
        except ServiceError as error:
            if isinstance(error, TooMuchAskedError) and window.span_ms > _BUCKET_MS:
                self._longest_ms = min(window.span_ms // 2, self._longest_ms or window.span_ms)
                self._halves(day, names, window, found, events=events)
                return
            found.is_whole = False
            found.reasons.append(str(error))
        else:
            found.add(values, window)

    def _halves(self, day: date, names: Sequence[str], window: Window, found: _Found, *, events: bool) -> None:
        middle = window.start_ms + max(1, window.span_ms // _BUCKET_MS // 2) * _BUCKET_MS
        for half in (Window(window.start_ms, middle - 1), Window(middle, window.end_ms)):
            self._read(day, names, half, found, events=events)

    def _events(self, found: _Found, window: Window) -> tuple[Event, ...]:
        source = _source(self._summary, window)
        buckets = [_bucket(self._token_id, us, values, source) for us, values in found.buckets.items()]
        happened = {event.event_id: event for event in (_happened(self._token_id, one) for one in found.events)}
        return (*buckets, *happened.values())


def _readable(names: Sequence[str], privileges: frozenset[int]) -> list[str]:
    """The signals that the privileges show; a position that they do not is asked for as about where it was."""
    shown = []
    for name in names:
        if name == _ABOUT:
            needs = {_LOCATION, _APPROXIMATE}
        else:
            needs = {_LOCATION} if name.startswith(_EVERY_PLACE) else {_NON_LOCATION}
        if needs & privileges:
            shown.append(name)
    if _APPROXIMATE in privileges and _LOCATION not in privileges and any(map(is_place, names)):
        shown.append(_ABOUT)
    return list(dict.fromkeys(shown))


def _contradictions(found: _Found, seen: Mapping[str, Seen], window: Window) -> list[str]:
    """What the answers do not bear out of what the service says it stores."""
    reasons = []
    counts: dict[str, int] = {}
    for values in found.buckets.values():
        for name in values:
            counts[name] = counts.get(name, 0) + 1
    for name, one in seen.items():
        if counts.get(name, 0) > one.rows:
            reasons.append(f"the service gives {counts[name]} values of {name} and says it has {one.rows} in all")
        # A position of (0, 0) is counted, but not given.
        for us in (one.first_us, one.last_us) if not is_place(name) else ():
            start_us = us - us % (_BUCKET_MS * 1000)
            if window.start_ms <= us // 1000 <= window.end_ms and name not in found.buckets.get(start_us, {}):
                reasons.append(f"the service says it has {name} at {rfc3339_ms(us // 1000)}, and does not give it")
    return reasons


def _source(summary: Summary, window: Window) -> str | None:
    """The connection that a day's values are of; None where it may be several, or one whose address is not known."""
    if sum(one.rows for one in summary.sources.values()) != summary.rows:
        return None
    possible = [address for address, one in summary.sources.items() if one.overlaps(window)]
    return possible[0] if len(possible) == 1 else None


def _bucket(token_id: int, us: int, values: Mapping[str, bytes], source: str | None) -> Event:
    stamp = rfc3339_ms(us // 1000)
    signals = b",".join(
        b'{"name":"%s","timestamp":"%s","value":%s}' % (name.encode(), stamp.encode(), values[name])
        for name in sorted(values)
    )
    head = {
        "id": f"telemetry-{token_id}-{stamp}",
        "type": "telemetry.signals",
        "vehicleTokenId": token_id,
        **({"source": source} if source is not None else {}),
    }
    payload = msgspec.json.encode(head)[:-1] + b',"data":{"signals":[' + signals + b"]}}"
    return Event(str(head["id"]), us, payload)


def _happened(token_id: int, happened: Happened) -> Event:
    source = msgspec.json.decode(happened.payload, type=_Sourced).source
    head = {"type": "telemetry.events", "vehicleTokenId": token_id, **({"source": source} if source else {})}
    rest = b',"data":{"events":[' + happened.payload + b"]}}"
    event_id = content_hash(msgspec.json.encode(head)[:-1] + rest)
    payload = msgspec.json.encode({"id": event_id, **head})[:-1] + rest
    return Event(event_id, happened.us, payload)


class _Sourced(msgspec.Struct):
    source: str | None = None
