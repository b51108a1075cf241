"""The Telemetry API: GraphQL over the signals of a vehicle, asked with a token of its own.

Names that the service tells come back to it in queries, so only what can be nothing but a name is put into one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from dimo_etl.api.graphql import TOO_LONG, GraphQLError, Reply, query_request, read_reply
from dimo_etl.api.messages import TELEMETRY, HttpRefusedError, Response
from dimo_etl.api.telemetry_answers import Summary, Values, read_summary, read_values
from dimo_etl.api.text import printable
from dimo_etl.api.vehicle_calls import VehicleAnswer, VehicleCalls
from dimo_etl.errors import NotSharedError, RequestRefusedError, TooMuchAskedError, VehicleRefusedError
from dimo_etl.model import Window, rfc3339_ms

if TYPE_CHECKING:
    from dimo_etl.api.exchange import VehicleTokens
    from dimo_etl.api.transport import Transport
    from dimo_etl.config import Settings

T = TypeVar("T")
# A query may have 100 fields, nested ones too: `signals` and `timestamp` are two, `events` and what it holds six.
_FIELDS, _ALWAYS, _EVENTS = 100, 2, 6
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]{0,199}", re.ASCII)
PLACE = "latitude longitude hdop"
# What the service, and its successor, say of a window they do not answer for.
_TOO_LONG = (TOO_LONG, "interval too small")
_SEEN = "firstSeen lastSeen"
# The connections that DIMO publishes the addresses of; they name where values come from.
CONNECTIONS = (
    "0x5e31bBc786D7bEd95216383787deA1ab0f1c1897",
    "0xF26421509Efe92861a587482100c6d728aBf1CD0",
    "0x8D8cDB2B26423c8fDbb27321aF20b4659Ce919fD",
    "0x4c674ddE8189aEF6e3b58F5a36d7438b2b1f6Bc2",
    "0xc4035Fecb1cc906130423EF05f9C20977F643722",
    "0xcd445F4c6bDAD32b68a2939b912150Fe3C88803E",
)


class Telemetry:
    """The Telemetry API, for any number of threads.

    Every method raises VehicleRefusedError where the service does not show the vehicle to this licence, AuthError
    where the developer token is refused, RequestRefusedError where the request itself is, and ServiceError where there
    is no usable answer after every retry.
    """

    def __init__(self, transport: Transport, tokens: VehicleTokens, settings: Settings) -> None:
        self._calls = VehicleCalls(transport, tokens)
        self._base = settings.telemetry_url
        self._chain = settings.chain_id

    def summary(self, token_id: int) -> VehicleAnswer[Summary]:
        """What the service stores of a vehicle in all; its numbers are upper bounds of what it gives."""
        by_source = " ".join(
            f's{number}: dataSummary(tokenId: $id, filter: {{source: "did:ethr:{self._chain}:{address}"}})'
            f" {{ numberOfSignals {_SEEN} }}"
            for number, address in enumerate(CONNECTIONS)
        )
        query = f"""query ($id: Int!) {{
          availableSignals(tokenId: $id)
          all: dataSummary(tokenId: $id) {{
            numberOfSignals {_SEEN}
            signalDataSummary {{ name numberOfSignals {_SEEN} }}
            eventDataSummary {{ name numberOfEvents {_SEEN} }}
          }}
          {by_source}
        }}"""
        about = f"what is stored of vehicle {token_id}"
        return self.ask(token_id, query, lambda reply: read_summary(reply, CONNECTIONS), about=about)

    def values(self, token_id: int, names: Sequence[str], window: Window, interval: str, *, events: bool) -> Values:
        """The last value of each signal in each bucket of a window, and its events.

        Args:
            token_id: the vehicle.
            names: signals, at most as many as fit into one query (`chunks`).
            window: whole seconds; buckets begin at its start.
            interval: the width of a bucket, a Go duration.
            events: whether to ask for the events, too.

        Raises:
            TooMuchAskedError: the service answers for shorter windows only.
        """
        about = f"the signals of vehicle {token_id}, {window}"
        times = {"from": rfc3339_ms(window.start_ms), "to": rfc3339_ms(window.end_ms + 1)}
        query = _values_query(names, interval, events=events)
        read = partial(read_values, frozenset(names))
        answer = self.ask(token_id, query, read, about=about, variables=times, partly=frozenset({"events"}))
        buckets, happened, refused = answer.value
        return Values(buckets, happened, refused, answer.requests, answer.privileges)

    def ask(
        self,
        token_id: int,
        query: str,
        read: Callable[[Reply], T],
        *,
        about: str,
        variables: Mapping[str, object] | None = None,
        partly: frozenset[str] = frozenset(),
    ) -> VehicleAnswer[T]:
        """Send a query, which has a variable `$id` for the vehicle.

        Args:
            token_id: the vehicle.
            query: the text of the query.
            read: makes the answer of a reply; whatever errors it has left are about single fields.
            about: what is asked for, as a message names it.
            variables: the values of further variables.
            partly: the parts of the answer that may fail without the others.
        """
        request = query_request(
            TELEMETRY, self._base, query, about=about, variables={"id": token_id, **(variables or {})}
        )

        def parse(response: Response) -> tuple[GraphQLError | None, T | None]:
            reply = read_reply(response)
            failed = next((error for error in reply.errors or () if _is_about_all(error, partly)), None)
            return (None, read(reply)) if failed is None else (failed, None)

        try:
            answer = self._calls.call(token_id, request, parse)
        except HttpRefusedError as refused:
            if refused.status in (401, 403):
                raise VehicleRefusedError(
                    f"{refused}; check that it shares its signals with this licence."
                ) from refused
            raise RequestRefusedError(f"{refused}; check DIMO_TELEMETRY_URL.") from refused
        failed, value = answer.value
        if failed is not None or value is None:
            raise _failure(failed, about, answer.requests)
        return VehicleAnswer(value, answer.requests, answer.privileges)


def is_name(text: str) -> bool:
    """Whether a text can be put into a query as the name of a signal."""
    return _NAME.fullmatch(text) is not None and text != "timestamp"


def is_place(name: str) -> bool:
    """Whether a signal is a position, which has fields of its own."""
    return name.endswith("Coordinates")


def chunks(names: Sequence[str], *, events: bool) -> list[list[str]]:
    """Names in groups that fit into one query each; the first has room for the events, where these are asked for."""
    groups: list[list[str]] = [[]]
    room = _FIELDS - _ALWAYS - (_EVENTS if events else 0)
    for name in names:
        cost = 1 + (len(PLACE.split()) if is_place(name) else 0)
        if cost > room:
            groups.append([])
            room = _FIELDS - _ALWAYS
        groups[-1].append(name)
        room -= cost
    return groups


def _values_query(names: Sequence[str], interval: str, *, events: bool) -> str:
    window = "tokenId: $id, from: $from, to: $to"
    fields = " ".join(f"{name}(agg: LAST){f' {{ {PLACE} }}' if is_place(name) else ''}" for name in names)
    parts = [
        f'signals({window}, interval: "{interval}") {{ timestamp {fields} }}' if names else "",
        f"events({window}) {{ timestamp name source durationNs metadata }}" if events else "",
    ]
    return f"query ($id: Int!, $from: Time!, $to: Time!) {{ {' '.join(filter(None, parts))} }}"


def _is_about_all(error: GraphQLError, partly: frozenset[str]) -> bool:
    """Whether an error leaves nothing to read: it names no field below the parts of the answer."""
    names = [part for part in error.path or () if isinstance(part, str)]
    return len(names) < 2 and not (names and names[0] in partly)


def _failure(error: GraphQLError | None, about: str, requests: int) -> Exception:
    words = printable(error.message) if error is not None else "no data"
    told = f"The {TELEMETRY.name} refused {about} ({words})"
    if any(sign in words for sign in _TOO_LONG):
        return TooMuchAskedError(f"{told}; ask for a shorter time at once.", requests)
    if words.startswith("unauthorized") and "privilege" in words:
        return NotSharedError(f"{told}; ask its owner to grant that.")
    if words.startswith("unauthorized") or (error is not None and error.code in ("FORBIDDEN", "NOT_FOUND")):
        return VehicleRefusedError(f"{told}; check that the vehicle shares its signals with this licence.")
    return RequestRefusedError(f"{told}; check DIMO_TELEMETRY_URL.")
