"""The identity API: which vehicles are shared with the licence, what they are, and which privileges they grant."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Generic, TypeVar

import msgspec

from dimo_etl.api.graphql import query_request, read_reply
from dimo_etl.api.messages import IDENTITY, HttpRefusedError, Response
from dimo_etl.api.text import printable
from dimo_etl.errors import ConfigError, RequestRefusedError, ServiceError
from dimo_etl.model import Vehicle

if TYPE_CHECKING:
    from dimo_etl.api.transport import Transport
    from dimo_etl.config import Settings

T = TypeVar("T")
# The literals stand in the text, as the service's own documentation shows the query.
_QUERY = """
{
  vehicles(first: 100, after: AFTER, filterBy: {privileged: LICENCE}) {
    pageInfo { hasNextPage endCursor }
    nodes {
      tokenId
      definition { make model year }
      sacds(first: 100) { nodes { grantee permissions expiresAt } }
    }
  }
}
"""


@dataclass(frozen=True, slots=True)
class SharedVehicle:
    """A vehicle, and the privileges that its owner granted the licence.

    Owned vehicles and classic privileges do not show in `granted`: an empty set is no proof that nothing is shared.
    """

    vehicle: Vehicle
    granted: frozenset[int]


class _Sacd(msgspec.Struct):
    grantee: str
    permissions: str
    expires_at: str | None = msgspec.field(name="expiresAt", default=None)


class _Nodes(msgspec.Struct, Generic[T]):
    nodes: list[T] = []


class _Definition(msgspec.Struct):
    make: str | None = None
    model: str | None = None
    year: int | None = None


class _Vehicle(msgspec.Struct):
    token_id: int = msgspec.field(name="tokenId")
    definition: _Definition | None = None
    sacds: _Nodes[_Sacd] | None = None


class _PageInfo(msgspec.Struct):
    has_next_page: bool = msgspec.field(name="hasNextPage")
    end_cursor: str | None = msgspec.field(name="endCursor", default=None)


class _Page(msgspec.Struct):
    page_info: _PageInfo = msgspec.field(name="pageInfo")
    nodes: list[_Vehicle]


class _SharedData(msgspec.Struct):
    vehicles: _Page


def shared_vehicles(transport: Transport, settings: Settings) -> list[SharedVehicle]:
    """Every vehicle shared with the licence, by token id.

    Raises:
        ConfigError: no licence is set.
        RequestRefusedError: the service says that the query is wrong.
        ServiceError: no usable answer after every retry, or pages that do not end.
    """
    licence = settings.client_id
    if licence is None:
        raise ConfigError("Whose vehicles is not known: set DIMO_CLIENT_ID, or name vehicles in DIMO_VEHICLES.")
    found: dict[int, SharedVehicle] = {}
    seen: set[str | None] = set()
    cursor: str | None = None
    while True:
        query = _QUERY.replace("LICENCE", json.dumps(licence)).replace("AFTER", json.dumps(cursor))
        data = _asked(transport, settings, query)
        if data is None:
            raise ServiceError("The identity API knows no vehicles of this licence; check DIMO_CLIENT_ID.")
        for vehicle in data.vehicles.nodes:
            found[vehicle.token_id] = _shared(vehicle, licence)
        seen.add(cursor)
        cursor = data.vehicles.page_info.end_cursor
        if not data.vehicles.page_info.has_next_page:
            return [found[token_id] for token_id in sorted(found)]
        if cursor is None or cursor in seen:
            raise ServiceError("The identity API gives the same page again and again; try again later.")


def granted_privileges(permissions: str) -> frozenset[int]:
    """The privileges in a SACD's permissions: hexadecimal, two bits each, granted where both are set."""
    try:
        bits = int(permissions, 16)
    except ValueError:
        return frozenset()
    return frozenset(n for n in range(1, 128) if bits >> 2 * n & 3 == 3)


def _shared(found: _Vehicle, licence: str | None) -> SharedVehicle:
    definition = found.definition or _Definition()
    sacds = found.sacds.nodes if found.sacds else []
    ours = [sacd for sacd in sacds if licence and sacd.grantee.lower() == licence.lower() and _holds(sacd)]
    granted = frozenset[int]().union(*(granted_privileges(sacd.permissions) for sacd in ours))
    named = Vehicle(
        vehicle_id=str(found.token_id),
        token_id=found.token_id,
        make=definition.make or None,
        model=definition.model or None,
        year=definition.year or None,
    )
    return SharedVehicle(named, granted)


def _holds(sacd: _Sacd) -> bool:
    if sacd.expires_at is None:
        return True
    try:
        return datetime.fromisoformat(sacd.expires_at).timestamp() > time.time()
    except ValueError:
        # What is granted only chooses which token is asked for first, so a doubt costs one request at most.
        return False


def _asked(transport: Transport, settings: Settings, query: str) -> _SharedData | None:
    """The data of a query; None where the service says NOT_FOUND."""
    request = query_request(IDENTITY, settings.identity_url, query, about="the shared vehicles")
    try:
        return transport.call(request, _data).value
    except HttpRefusedError as refused:
        raise RequestRefusedError(f"{refused}; check DIMO_IDENTITY_URL and DIMO_CLIENT_ID.") from refused


def _data(response: Response) -> _SharedData | None:
    reply = read_reply(response)
    if not reply.errors:
        return reply.read(_SharedData)
    error = reply.errors[0]
    if error.code == "NOT_FOUND":
        return None
    raise RequestRefusedError(f"The identity API refused the query ({printable(error.message)}); check DIMO_CLIENT_ID.")
