"""What the fields of the telemetry schema are made of: buckets, times, privileges, and words of refusal."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from graphql import GraphQLError, GraphQLResolveInfo, GraphQLScalarType, StringValueNode, ValueNode

from dimo_etl.sandbox.measured import aggregated
from dimo_etl.sandbox.privileges import APPROXIMATE_LOCATION, LOCATION_HISTORY, NAMES, NON_LOCATION_HISTORY
from dimo_etl.timestamps import to_us

if TYPE_CHECKING:
    from dimo_etl.sandbox.vss import Value

_DURATION = re.compile(r"(?:(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h))+", re.ASCII)
_PART = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)", re.ASCII)
_UNITS_US = {"ns": 0.001, "us": 1, "µs": 1, "ms": 1000, "s": 1e6, "m": 6e7, "h": 3.6e9}
_LOCATION = ("currentLocationAltitude", "currentLocationCoordinates", "currentLocationHeading")
_APPROXIMATE = "currentLocationApproximateCoordinates"


class Bucket(dict[str, list["Value"]]):
    """The values of each signal in one bucket, and when it starts."""

    def __init__(self, us: int) -> None:
        super().__init__()
        self.us = us


def resolver(name: str, *, in_buckets: bool) -> Callable[..., object]:
    """What gives a field of a bucket or of the newest values, or refuses it for want of a privilege."""

    def value(source: Mapping[str, object], info: GraphQLResolveInfo, agg: str = "LAST") -> object:
        if isinstance(source, Bucket) and name == "timestamp":
            return source.us
        if name == "lastSeen":
            return source[name]
        refusal = refusal_of(name, info.context.privileges)
        if refusal is not None:
            raise GraphQLError(refusal)
        held = source.get(name)
        return aggregated(agg, held) if in_buckets and isinstance(held, list) else held

    return value


def refusal_of(name: str, privileges: frozenset[int]) -> str | None:
    """What the service says where the privileges do not show a signal."""
    needs, words = [LOCATION_HISTORY if name in _LOCATION else NON_LOCATION_HISTORY], "missing required privilege(s)"
    if name == _APPROXIMATE:
        needs, words = [APPROXIMATE_LOCATION, LOCATION_HISTORY], "requires at least one of"
    return None if privileges & {*needs} else f"unauthorized: {words} {' '.join(NAMES[one] for one in needs)}"


def require(info: GraphQLResolveInfo, *privileges: int) -> None:
    """Refuse a query whose token lacks one of the privileges."""
    missing = [NAMES[one] for one in privileges if one not in info.context.privileges]
    if missing:
        raise GraphQLError(f"unauthorized: missing required privilege(s) {' '.join(missing)}")


def interval_us(text: str) -> int:
    """A Go duration in microseconds; Go has no unit for days."""
    if _DURATION.fullmatch(text) is None:
        raise GraphQLError(f'failed parsing interval: time: invalid duration "{text}"')
    us = int(sum(float(number) * _UNITS_US[unit] for number, unit in _PART.findall(text)))
    if us < 1:
        raise bad_request("invalid argument: interval is not a positive integer")
    return us


def bad_request(message: str) -> GraphQLError:
    """The error of a request that the service does not run."""
    return GraphQLError(message, extensions={"code": "BAD_REQUEST", "reason": "Internal Server Error"})


def give_times(scalar: GraphQLScalarType) -> None:
    """Have a scalar stand for microseconds since the epoch."""

    def literal(node: ValueNode, variables: object = None) -> int:  # noqa: ARG001 (what the library calls it with)
        return _moment(node.value if isinstance(node, StringValueNode) else None)

    scalar.serialize = _rfc3339  # type: ignore[assignment]
    scalar.parse_value = _moment  # type: ignore[assignment]
    scalar.parse_literal = literal  # type: ignore[method-assign]


def _rfc3339(us: int) -> str:
    """A time as Go prints it: without the zeros that end its fraction."""
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=us)
    fraction = f".{moment.microsecond:06d}".rstrip("0").rstrip(".")
    return f"{moment:%Y-%m-%dT%H:%M:%S}{fraction}Z"


def _moment(text: object) -> int:
    us = to_us(text) if isinstance(text, str) else None
    if us is None:
        raise GraphQLError(f"{text} is not a time")
    return us
