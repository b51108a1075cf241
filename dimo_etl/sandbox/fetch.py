"""The Fetch API: the fleet's documents as raw CloudEvents, the newest first, at most a thousand, and their number.

Rules: fetch-api's resolvers. Bounds are strict and cut to whole seconds; the limit is clamped without a word; a token
needs privilege 7, or 1 and 4 together; whatever is refused is refused under status 200.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING

import orjson
from graphql import GraphQLError, GraphQLResolveInfo
from starlette.responses import Response
from starlette.routing import Route

from dimo_etl.sandbox.callers import GraphQLCaller
from dimo_etl.sandbox.exchange import asset_did
from dimo_etl.sandbox.graphql import GraphQLService, coded
from dimo_etl.sandbox.privileges import LOCATION_HISTORY, NON_LOCATION_HISTORY, RAW_DATA
from dimo_etl.sandbox.stored import CloudEvent, Stored
from dimo_etl.timestamps import to_us

if TYPE_CHECKING:
    from starlette.requests import Request

    from dimo_etl.sandbox.faults import Faults
    from dimo_etl.sandbox.fleet import Fleet
    from dimo_etl.sandbox.tokens import Issuer

_COMPLEXITY = 100
_MOST, _DEFAULT = 1000, 10
_TOO_LONG = "request exceeded or is estimated to exceed the maximum execution time"
Node = dict[str, object]


class Fetch:
    """The route of the Fetch API, and the resolvers of its queries."""

    def __init__(self, fleet: Fleet, faults: Faults, vehicles: Issuer) -> None:
        """Serve raw events.

        Args:
            fleet: who sent them.
            faults: what goes wrong.
            vehicles: verifies vehicle tokens.
        """
        self._stored = Stored(fleet)
        self._faults = faults
        self._vehicles = vehicles
        self._graphql = GraphQLService("fetch", complexity=_COMPLEXITY)

    def routes(self) -> list[Route]:
        """Where the service answers, below its base."""
        return [Route("/query", self._query, methods=["GET", "POST"])]

    async def _query(self, request: Request) -> Response:
        root: dict[str, Callable[..., object]] = {
            "cloudEvents": self._cloud_events,
            "latestCloudEvent": self._latest,
            "indexes": self._indexes,
            "latestIndex": self._latest_index,
            "availableCloudEventTypes": self._types,
        }
        return await self._graphql.answer_vehicle(request, root, self._vehicles)

    # The resolvers' arguments have the names of the schema.
    def _cloud_events(self, info: GraphQLResolveInfo, **given: object) -> list[Node]:
        found = self._found(info, given)[: _limit(given.get("limit"))]
        lost = self._faults.take_rows()
        return [_node(event) for event in found[lost:]]

    def _latest(self, info: GraphQLResolveInfo, **given: object) -> Node:
        return _node(self._newest(info, given))

    def _indexes(self, info: GraphQLResolveInfo, **given: object) -> list[Node]:
        return [_index(event) for event in self._found(info, given)[: _limit(given.get("limit"))]]

    def _latest_index(self, info: GraphQLResolveInfo, **given: object) -> Node:
        return _index(self._newest(info, given))

    def _types(self, info: GraphQLResolveInfo, **given: object) -> list[Node]:
        by_type: dict[str, list[CloudEvent]] = {}
        for event in self._found(info, given):
            by_type.setdefault(event.type, []).append(event)
        return [
            {"type": name, "count": len(events), "firstSeen": events[-1].time, "lastSeen": events[0].time}
            for name, events in sorted(by_type.items())
        ]

    def _newest(self, info: GraphQLResolveInfo, given: Mapping[str, object]) -> CloudEvent:
        found = self._found(info, given)
        if not found:
            raise coded(GraphQLError("no rows in result set"), "NOT_FOUND")
        return found[0]

    def _found(self, info: GraphQLResolveInfo, given: Mapping[str, object]) -> list[CloudEvent]:
        """What a query asks for, the newest first."""
        token_id = _allowed(info.context, str(given["did"]))
        wanted = given.get("filter")
        test = wanted if isinstance(wanted, dict) else {}
        after_ms, before_ms = _bound(test.get("after")), _bound(test.get("before"))
        earliest, latest = self._stored.span_ms()
        from_ms = earliest if after_ms is None else max(earliest, after_ms + 1)
        to_ms = latest if before_ms is None else min(latest, before_ms)
        if self._faults.is_broken(token_id, from_ms + 1000, to_ms - 1):
            raise coded(GraphQLError("failed to query db"), "INTERNAL_SERVER_ERROR")
        limit = self._faults.fetch_span
        if limit is not None and timedelta(milliseconds=to_ms - from_ms) > limit:
            raise coded(GraphQLError(_TOO_LONG), "BAD_REQUEST")
        return [event for event in self._stored.between(token_id, from_ms, to_ms) if _passes(event, test)]


def _allowed(caller: GraphQLCaller, did: str) -> int:
    if caller.token_id is None:
        raise GraphQLError("unauthorized: no token claims")
    held = caller.privileges
    if RAW_DATA not in held and not {NON_LOCATION_HISTORY, LOCATION_HISTORY} <= held:
        raise GraphQLError("unauthorized: token does not have required permission for this operation")
    if did != asset_did(caller.token_id):
        raise GraphQLError("unauthorized: token does not have access to this subject")
    return caller.token_id


def _limit(given: object) -> int:
    return min(given, _MOST) if isinstance(given, int) and given > 0 else _DEFAULT


def _bound(given: object) -> int | None:
    """A bound in milliseconds, cut to its second as the driver of the service's database does."""
    if given is None:
        return None
    time_us = to_us(given) if isinstance(given, str) else None
    if time_us is None:
        raise GraphQLError(f"{given} is not a time")
    return time_us // 1_000_000 * 1000


def _passes(event: CloudEvent, test: Mapping[str, object]) -> bool:
    types = test.get("types")
    if isinstance(types, list) and event.type not in types:
        return False
    return all(getattr(event, name) == test[name] for name in ("id", "type", "source", "producer") if test.get(name))


def _node(event: CloudEvent) -> Node:
    return {
        "header": _header(event),
        "data": orjson.loads(event.data),
    }


def _index(event: CloudEvent) -> Node:
    return {"header": _header(event), "indexKey": f"{event.subject}/{event.time}/{event.type}/{event.id}"}


def _header(event: CloudEvent) -> Node:
    return {
        "specversion": "1.0",
        "type": event.type,
        "source": event.source,
        "subject": event.subject,
        "id": event.id,
        "time": event.time,
        "dataversion": event.dataversion,
        "producer": event.producer,
        "tags": [],
    }
