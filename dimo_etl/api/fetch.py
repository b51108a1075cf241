"""The Fetch API: a vehicle's CloudEvents as they were received, the newest first, and how many there are.

Rules: an answer holds at most 1,000 events and there is no way to ask for the next ones. Bounds are strict, and the
service cuts them to whole seconds; so a window of whole seconds is asked for from the second before its first one, and
whoever asks leaves out what came of that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from dimo_etl.api.decode import decoded
from dimo_etl.api.graphql import GraphQLError, Reply, query_request, read_reply
from dimo_etl.api.hits import take_out
from dimo_etl.api.messages import FETCH, HttpRefusedError, Response, UnusableResponseError
from dimo_etl.api.text import printable
from dimo_etl.api.vehicle_calls import VehicleCalls
from dimo_etl.errors import RequestRefusedError, TooMuchAskedError, VehicleRefusedError
from dimo_etl.timestamps import to_us

if TYPE_CHECKING:
    from dimo_etl.api.exchange import VehicleTokens
    from dimo_etl.api.transport import Transport
    from dimo_etl.config import Settings

LIMIT = 1000
_QUERY = """
query ($did: String!, $limit: Int!, $filter: CloudEventFilter) {
  availableCloudEventTypes(did: $did, filter: $filter) { count }
  cloudEvents(did: $did, limit: $limit, filter: $filter) {
    header {
      specversion type source subject id time datacontenttype dataschema dataversion producer signature raweventid tags
    }
    data dataBase64 dataUrl
  }
}
"""
# What the service says of a window it does not answer for.
_TOO_LONG = "maximum execution time"


@dataclass(frozen=True, slots=True)
class CloudEvent:
    """An event of an answer; one of the last three holds its payload.

    Attributes:
        key: what makes it this event and no other: type, id, source, subject and time, as given.
        time_us: when it was received, microseconds since the epoch.
        header: the header's JSON text.
        data: the payload's JSON text; None where it is `null`.
        data_base64: the payload, base64.
        data_url: where the payload is to be had.
    """

    key: tuple[str, str, str, str, str]
    time_us: int
    header: bytes = field(repr=False)
    data: bytes | None = field(repr=False)
    data_base64: str | None = field(repr=False)
    data_url: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class CloudEvents:
    """An answer.

    Attributes:
        count: events stored between the bounds, one that is stored twice counted twice.
        events: those given: all of them, or the newest.
        requests: requests spent, retries included.
        privileges: those of the vehicle token.
    """

    count: int
    events: tuple[CloudEvent, ...] = field(repr=False)
    requests: int
    privileges: tuple[int, ...]


class _Header(msgspec.Struct):
    type: str
    source: str
    subject: str
    id: str
    time: str


class _Event(msgspec.Struct):
    header: msgspec.Raw
    data: msgspec.Raw = msgspec.Raw(b"null")
    data_base64: str | None = msgspec.field(name="dataBase64", default=None)
    data_url: str | None = msgspec.field(name="dataUrl", default=None)


class _Type(msgspec.Struct):
    count: int


class _Data(msgspec.Struct):
    types: list[_Type] = msgspec.field(name="availableCloudEventTypes")
    events: list[_Event] = msgspec.field(name="cloudEvents")


class FetchApi:
    """The Fetch API, for any number of threads."""

    def __init__(self, transport: Transport, tokens: VehicleTokens, settings: Settings) -> None:
        self._calls = VehicleCalls(transport, tokens)
        self._base = settings.fetch_url
        self._did = f"did:erc721:{settings.chain_id}:{settings.contract}"

    def cloud_events(self, token_id: int, types: Sequence[str], start_s: int, end_s: int) -> CloudEvents:
        """The newest events of a window, and of the second before it.

        Args:
            token_id: the vehicle.
            types: the types of events.
            start_s: the first second, since the epoch.
            end_s: the second after the last one.

        Raises:
            VehicleRefusedError: the vehicle does not share its raw events with this licence.
            AuthError: the developer token is refused.
            RequestRefusedError: the request itself is refused.
            TooMuchAskedError: the window is too long, or holds too much.
            ServiceError: no usable answer after every retry.
        """
        bounds = {"after": _rfc3339(start_s - 1), "before": _rfc3339(end_s)}
        wanted = {"type": types[0]} if len(types) == 1 else {"types": list(types)}
        about = f"the events of vehicle {token_id}, {_rfc3339(start_s)} to {_rfc3339(end_s)}"
        variables = {"did": f"{self._did}:{token_id}", "limit": LIMIT, "filter": wanted | bounds}
        request = query_request(FETCH, self._base, _QUERY, about=about, variables=variables)
        try:
            answer = self._calls.call(token_id, request, _read)
        except HttpRefusedError as refused:
            if refused.status in (401, 403):
                raise VehicleRefusedError(f"{refused}; {_SHARED}.") from refused
            raise RequestRefusedError(f"{refused}; check DIMO_FETCH_URL.") from refused
        if isinstance(answer.value, GraphQLError):
            raise _failure(answer.value, about, answer.requests)
        count, events = answer.value
        return CloudEvents(count, events, answer.requests, answer.privileges)


_SHARED = "ask its owner to grant its raw data (privilege 7), or location and non-location history (4 and 1)"


def _failure(error: GraphQLError, about: str, requests: int) -> Exception:
    words = printable(error.message)
    told = f"The {FETCH.name} refused {about} ({words})"
    if _TOO_LONG in words:
        return TooMuchAskedError(f"{told}; ask for fewer days at once.", requests)
    if words.startswith("unauthorized") or error.code in ("FORBIDDEN", "UNAUTHORIZED"):
        return VehicleRefusedError(f"{told}; {_SHARED}.")
    return RequestRefusedError(f"{told}; check DIMO_FETCH_URL and DIMO_EVENT_TYPES.")


def _read(response: Response) -> GraphQLError | tuple[int, tuple[CloudEvent, ...]]:
    """The error of an answer; else the count and the events."""
    reply, taken_out = _reply(response)
    if reply.errors:
        return reply.errors[0]
    data = reply.read(_Data)
    if any(one.count < 0 for one in data.types):
        raise UnusableResponseError("it counts fewer events than none")
    return sum(one.count for one in data.types), tuple(_event(event, taken_out) for event in data.events)


def _reply(response: Response) -> tuple[Reply, list[bytes] | None]:
    try:
        return read_reply(response), None
    except UnusableResponseError:
        # One odd payload (NaN, a lone surrogate, a thousand brackets) must not take its neighbours with it.
        skeleton, taken_out = take_out(response.body, b'"data"')
        if not taken_out:
            raise
        return read_reply(replace(response, body=skeleton)), taken_out


def _event(found: _Event, taken_out: list[bytes] | None) -> CloudEvent:
    raw = bytes(found.header)
    header = decoded(raw, _Header)
    time_us = to_us(header.time)
    if time_us is None:
        raise UnusableResponseError("an event has no time that can be read")
    data = bytes(found.data)
    if taken_out is not None and data.startswith(b"["):
        data = taken_out[int(data[1:-1])]
    key = (header.type, header.id, header.source, header.subject, header.time)
    return CloudEvent(key, time_us, raw, None if data == b"null" else data, found.data_base64, found.data_url)


def _rfc3339(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"
