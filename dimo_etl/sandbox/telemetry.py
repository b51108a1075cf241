"""The Telemetry API: signals in buckets, the newest of each, what is stored in all, events, and days of use."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from graphql import GraphQLError, GraphQLObjectType, GraphQLResolveInfo, GraphQLScalarType
from starlette.responses import Response
from starlette.routing import Route

from dimo_etl.sandbox.activity import Wish, daily_activity, segments
from dimo_etl.sandbox.exchange import CHAIN_ID
from dimo_etl.sandbox.graphql import GraphQLService
from dimo_etl.sandbox.happenings import NAMES, happenings
from dimo_etl.sandbox.measured import Measured, Seen
from dimo_etl.sandbox.privileges import LOCATION_HISTORY, NON_LOCATION_HISTORY
from dimo_etl.sandbox.telemetry_fields import (
    Bucket,
    bad_request,
    give_times,
    interval_us,
    refusal_of,
    require,
    resolver,
)

if TYPE_CHECKING:
    from starlette.requests import Request

    from dimo_etl.sandbox.faults import Faults
    from dimo_etl.sandbox.fleet import Fleet
    from dimo_etl.sandbox.tokens import Issuer

_COMPLEXITY = 100
# The service's successor counts a window's buckets, empty ones too, and refuses more.
_BUCKETS = 100_000
_TOO_LONG = "request exceeded or is estimated to exceed the maximum execution time"
_BEGINNING_OF_NOTHING_US = -2_208_988_800_000_000


class Telemetry:
    """The route of the Telemetry API, and the resolvers of its queries."""

    def __init__(self, fleet: Fleet, faults: Faults, vehicles: Issuer) -> None:
        """Serve telemetry.

        Args:
            fleet: what is measured.
            faults: what goes wrong.
            vehicles: verifies vehicle tokens.
        """
        self._fleet = fleet
        self._faults = faults
        self._vehicles = vehicles
        self._measured = Measured(fleet)
        self._graphql = GraphQLService("telemetry", complexity=_COMPLEXITY)
        types = self._graphql.schema.type_map
        self._fields: set[str] = set()
        for kind in (types["SignalAggregations"], types["SignalCollection"]):
            for name, field in kind.fields.items() if isinstance(kind, GraphQLObjectType) else ():
                field.resolve = resolver(name, in_buckets=kind.name == "SignalAggregations")
                self._fields.add(name)
        if isinstance(types["Time"], GraphQLScalarType):
            give_times(types["Time"])

    def routes(self) -> list[Route]:
        """Where the service answers, below its base."""
        return [Route("/query", self._query, methods=["GET", "POST"])]

    async def _query(self, request: Request) -> Response:
        root: dict[str, Callable[..., object]] = {
            "signals": self._signals,
            "signalsLatest": self._latest,
            "signalsSnapshot": self._snapshot,
            "availableSignals": self._available,
            "dataSummary": self._summary,
            "events": self._events,
            "segments": self._segments,
            "dailyActivity": self._daily_activity,
        }
        return await self._graphql.answer_vehicle(request, root, self._vehicles)

    # The resolvers' arguments have the names of the schema, and `from` is a word of Python.
    def _signals(self, info: GraphQLResolveInfo, **given: object) -> list[Bucket] | None:
        token_id = _vehicle(info, given)
        from_us, end_us = _span(given)
        width_us = interval_us(str(given["interval"]))
        if (end_us - from_us) / width_us > _BUCKETS:
            raise bad_request("interval too small for the requested window, use a larger interval or a smaller window")
        limit = self._faults.telemetry_span
        if limit is not None and timedelta(microseconds=end_us - from_us) > limit:
            raise bad_request(_TOO_LONG)
        if not self._is_from(token_id, given.get("filter")):
            return None
        names = {
            node.name.value
            for field in info.field_nodes
            for node in (field.selection_set.selections if field.selection_set else ())
            if hasattr(node, "name")
        }
        buckets: dict[int, Bucket] = {}
        for name, rows in self._measured.between(token_id, from_us, end_us, names).items():
            for us, value in zip(rows.times_us, rows.values, strict=True):
                start_us = us - (us - from_us) % width_us
                if start_us not in buckets:
                    buckets[start_us] = Bucket(start_us)
                buckets[start_us].setdefault(name, []).append(value)
        # Go gives null for a list that nothing was put into.
        return [buckets[start_us] for start_us in sorted(buckets)] or None

    def _latest(self, info: GraphQLResolveInfo, **given: object) -> dict[str, object]:
        token_id = _vehicle(info, given)
        newest = self._measured.latest(token_id) if self._is_from(token_id, given.get("filter")) else {}
        values: dict[str, object] = {one.name: {"timestamp": one.us, "value": one.value} for one in newest.values()}
        return values | {"lastSeen": max((one.us for one in newest.values()), default=None)}

    def _snapshot(self, info: GraphQLResolveInfo, **given: object) -> dict[str, object]:
        token_id = _vehicle(info, given)
        newest = self._measured.latest(token_id) if self._is_from(token_id, given.get("filter")) else {}
        signals = [
            {
                "name": one.name,
                "timestamp": one.us,
                "valueNumber": one.value if isinstance(one.value, float) else None,
                "valueString": one.value if isinstance(one.value, str) else None,
                "valueLocation": one.value if isinstance(one.value, dict) else None,
            }
            for one in newest.values()
            if one.name in self._fields and refusal_of(one.name, info.context.privileges) is None
        ]
        return {"lastSeen": max((one.us for one in newest.values()), default=None), "signals": signals}

    def _available(self, info: GraphQLResolveInfo, **given: object) -> list[str] | None:
        token_id = _vehicle(info, given)
        seen = self._measured.seen(token_id) if self._is_from(token_id, given.get("filter")) else {}
        return sorted(seen.keys() & self._fields) or None

    def _summary(self, info: GraphQLResolveInfo, **given: object) -> dict[str, object]:
        token_id = _vehicle(info, given)
        seen = self._measured.seen(token_id) if self._is_from(token_id, given.get("filter")) else {}
        return {
            "numberOfSignals": sum(one.rows for one in seen.values()),
            "availableSignals": sorted(seen),
            "firstSeen": min((one.first_us for one in seen.values()), default=self._now_us()),
            "lastSeen": max((one.last_us for one in seen.values()), default=_BEGINNING_OF_NOTHING_US),
            "signalDataSummary": [_summed(name, one, "numberOfSignals") for name, one in sorted(seen.items())],
            # Only where it is asked for: looking at every drive there was takes its time.
            "eventDataSummary": lambda _info: self._events_seen(token_id) if seen else [],
        }

    def _events_seen(self, token_id: int) -> list[dict[str, object]]:
        by_name: dict[str, list[int]] = {}
        for one in happenings(self._fleet, token_id, _BEGINNING_OF_NOTHING_US, self._now_us()):
            by_name.setdefault(one.name, []).append(one.us)
        events = {name: Seen(len(times), min(times), max(times)) for name, times in sorted(by_name.items())}
        return [_summed(name, one, "numberOfEvents") for name, one in events.items()]

    def _events(self, info: GraphQLResolveInfo, **given: object) -> list[dict[str, object]]:
        token_id = _vehicle(info, given)
        require(info, NON_LOCATION_HISTORY, LOCATION_HISTORY)
        source = self._measured.source(token_id)
        wanted = given.get("filter")
        found = [
            {
                "timestamp": one.us,
                "name": one.name,
                "source": source,
                "durationNs": one.duration_ns,
                "metadata": one.metadata,
            }
            for one in happenings(self._fleet, token_id, *_span(given))
        ]
        if not isinstance(wanted, dict):
            return found
        return [one for one in found if all(_passes(str(one[key]), test) for key, test in wanted.items())]

    def _segments(self, info: GraphQLResolveInfo, **given: object) -> list[dict[str, object]]:
        wish = _wish(info, given)
        limit, after = given["limit"], given.get("after")
        if not isinstance(limit, int) or not 1 <= limit <= 200:
            raise bad_request("limit must be between 1 and 200")
        found = segments(self._fleet, self._measured, wish)
        later = [one for one in found if not isinstance(after, int) or one["start"]["timestamp"] > after]  # type: ignore[index]
        return later[:limit]

    def _daily_activity(self, info: GraphQLResolveInfo, **given: object) -> list[dict[str, object]]:
        zone = given.get("timezone")
        return daily_activity(self._fleet, self._measured, _wish(info, given), str(zone) if zone else None)

    def _is_from(self, token_id: int, wanted: object) -> bool:
        source = wanted.get("source") if isinstance(wanted, dict) else None
        held = f"did:ethr:{CHAIN_ID}:{self._measured.source(token_id)}"
        return source is None or str(source).lower() == held.lower()

    def _now_us(self) -> int:
        return int(self._fleet.now().timestamp() * 1000) * 1000 + 1000


def _vehicle(info: GraphQLResolveInfo, given: Mapping[str, object]) -> int:
    if info.context.token_id is None:
        raise GraphQLError("unauthorized: jwt missing")
    if given["tokenId"] != info.context.token_id:
        raise GraphQLError("unauthorized: token id does not match")
    return int(info.context.token_id)


def _span(given: Mapping[str, object]) -> tuple[int, int]:
    from_us, end_us = given["from"], given["to"]
    if not isinstance(from_us, int) or not isinstance(end_us, int) or from_us > end_us:
        raise bad_request("invalid argument: from timestamp is after to timestamp")
    return from_us, end_us


def _wish(info: GraphQLResolveInfo, given: Mapping[str, object]) -> Wish:
    token_id = _vehicle(info, given)
    require(info, NON_LOCATION_HISTORY, LOCATION_HISTORY)
    from_us, end_us = _span(given)
    config = given.get("config")
    defaults = {"maxGapSeconds": 300, "minSegmentDurationSeconds": 240, "signalCountThreshold": 10}
    return Wish(
        token_id=token_id,
        from_us=from_us,
        to_us=end_us,
        mechanism=str(given["mechanism"]),
        config=defaults | (config if isinstance(config, dict) else {}),
        signals=[(str(one["name"]), str(one["agg"])) for one in _objects(given.get("signalRequests"))],
        events=[str(one["name"]) for one in _objects(given.get("eventRequests"))] or NAMES,
    )


def _objects(value: object) -> Sequence[Mapping[str, object]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _summed(name: str, seen: Seen, key: str) -> dict[str, object]:
    return {"name": name, key: seen.rows, "firstSeen": seen.first_us, "lastSeen": seen.last_us}


def _passes(text: str, test: object) -> bool:
    if not isinstance(test, dict):
        return True
    checks: dict[str, Callable[[object], bool]] = {
        "eq": lambda value: text == value,
        "neq": lambda value: text != value,
        "in": lambda value: isinstance(value, list) and text in value,
        "notIn": lambda value: isinstance(value, list) and text not in value,
        "startsWith": lambda value: text.startswith(str(value)),
    }
    return all(checks[key](value) for key, value in test.items() if value is not None)
