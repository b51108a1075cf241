"""The source `fetch`: raw CloudEvents of the Fetch API, by the UTC day on which DIMO received them.

An event is told apart by its type, id, source, subject and time; one stored twice is held once. In the lake it goes by
its id, and one that is no status by its id and type, since one message of a device can become an event of each type.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING

import msgspec

from dimo_etl.api.auth import access_tokens
from dimo_etl.api.exchange import RAW_EVENTS, VehicleTokens
from dimo_etl.api.fetch import CloudEvent, CloudEvents, FetchApi
from dimo_etl.api.messages import FETCH
from dimo_etl.config import STATUS_EVENTS
from dimo_etl.errors import InputError, ServiceError
from dimo_etl.events import read_event
from dimo_etl.history.newest_first import NewestFirst, Stretch
from dimo_etl.history.source import Piece, Source, Visit
from dimo_etl.importing.download import Downloader
from dimo_etl.model import Event, Window, day_of_us, day_window

if TYPE_CHECKING:
    from dimo_etl.api.transport import Transport
    from dimo_etl.config import Settings

# A payload is kept in memory, and few are larger than a megabyte.
_PAYLOAD_BYTES = 64 << 20
_PAYLOAD_SECONDS = 120.0


def open_source(transport: Transport, settings: Settings, granted: Mapping[int, frozenset[int]]) -> Source:
    """The source as the settings have it."""
    access = access_tokens(transport, settings)
    tokens = VehicleTokens(transport, access, settings, purpose=RAW_EVENTS, granted=granted)
    downloader = Downloader(max_bytes=_PAYLOAD_BYTES, total_seconds=_PAYLOAD_SECONDS)
    return CloudEventSource(FetchApi(transport, tokens, settings), settings.event_types, downloader)


class CloudEventSource:
    """See `Source`.

    Args:
        api: the service.
        types: the types of events to bring.
        downloader: follows the links to payloads that are not part of an answer.
    """

    name = "fetch"
    service = FETCH
    purpose = RAW_EVENTS
    # The Telemetry API's values are made of these events.
    supersedes = frozenset({"telemetry"})

    def __init__(self, api: FetchApi, types: Sequence[str], downloader: Downloader) -> None:
        self._api = api
        self._types = types
        self._downloader = downloader

    def pieces(self, visit: Visit, days: Sequence[date]) -> Iterator[Piece]:
        """See `Source`."""
        token_id = visit.token_id(self.service)

        def ask(start_s: int, end_s: int) -> CloudEvents:
            # Whatever the answer proves, the next piece is of the day it ends with.
            day = day_of_us((end_s - 1) * 1_000_000)
            return visit.ask(day, lambda: self._api.cloud_events(token_id, self._types, start_s, end_s))

        start_s, end_s = day_window(days[0]).start_ms // 1000, day_window(days[-1]).end_ms // 1000 + 1
        names = _Names()
        for stretch in NewestFirst(ask).walk(start_s, end_s):
            for day_stretch in _by_day(stretch):
                yield self._piece(day_stretch, names)

    def _piece(self, stretch: Stretch[CloudEvent], names: _Names) -> Piece:
        distinct = {event.key: event for event in stretch.events}
        events: list[Event] = []
        missing: list[str] = []
        for event in distinct.values():
            try:
                events.append(self._event(event, names))
            except (InputError, ServiceError) as error:
                missing.append(str(error))
        reason = stretch.reason
        if missing:
            lost = f"{len(missing)} payloads are not part of the answer and were not to be had, the first: {missing[0]}"
            reason = lost if reason is None else f"{reason}; {lost}"
        repeated = len(stretch.events) - len(distinct)
        return Piece(
            Window(stretch.start_s * 1000, stretch.end_s * 1000 - 1),
            tuple(events),
            stretch.expected if stretch.expected is None else stretch.expected - repeated,
            len(stretch.events) - len(missing),
            reason,
        )

    def _event(self, event: CloudEvent, names: _Names) -> Event:
        """The event as the lake keeps it: one JSON document, header and payload together.

        Raises:
            InputError, ServiceError: its payload is elsewhere and not to be had.
        """
        body = b'"data":' + event.data if event.data is not None else self._body(event)
        read = read_event(event.header.rstrip()[:-1] + b"," + body + b"}")
        return Event(names.of(event), read.timestamp_us, read.payload)

    def _body(self, event: CloudEvent) -> bytes:
        """The member that holds a payload which the answer does not hold as JSON."""
        if event.data_url is not None:
            payload = self._downloader.read(event.data_url)
        elif event.data_base64 is not None:
            try:
                payload = base64.b64decode(event.data_base64, validate=True)
            except binascii.Error:
                return b'"data_base64":' + msgspec.json.encode(event.data_base64)
        else:
            return b'"data":null'
        try:
            msgspec.json.decode(payload, type=msgspec.Raw)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return b'"data_base64":' + msgspec.json.encode(payload)
        return b'"data":' + payload


class _Names:
    """The ids that events go by in the lake; within a day, no two events go by one."""

    def __init__(self) -> None:
        self._day: date | None = None
        self._taken: dict[str, tuple[str, ...]] = {}

    def of(self, event: CloudEvent) -> str:
        """An event's id."""
        kind, own_id, *_ = event.key
        name = own_id if kind == STATUS_EVENTS else f"{own_id}/{kind}"
        day = day_of_us(event.time_us)
        if day != self._day:
            self._day, self._taken = day, {}
        if self._taken.setdefault(name, event.key) == event.key:
            return name
        digest = hashlib.blake2b("\0".join(event.key).encode("utf-8", "surrogatepass"), digest_size=8)
        return f"{name}/{digest.hexdigest()}"


def _by_day(stretch: Stretch[CloudEvent]) -> Iterator[Stretch[CloudEvent]]:
    """A stretch cut at midnights, the latest day first; one that spans days is proved, and so is each of them."""
    first, last = stretch.start_s // 86_400, (stretch.end_s - 1) // 86_400
    if first == last:
        yield stretch
        return
    by_day: dict[int, list[CloudEvent]] = {day: [] for day in range(last, first - 1, -1)}
    for event in stretch.events:
        by_day[event.time_us // 86_400_000_000].append(event)
    for day, events in by_day.items():
        start_s, end_s = max(stretch.start_s, day * 86_400), min(stretch.end_s, (day + 1) * 86_400)
        yield Stretch(start_s, end_s, events, len(events))
