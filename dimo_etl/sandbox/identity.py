"""The Identity API: GraphQL over the fleet, no authentication, pages of at most 100, token ids descending."""

from __future__ import annotations

import base64

from graphql import GraphQLError, GraphQLResolveInfo
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dimo_etl.sandbox.exchange import asset_did
from dimo_etl.sandbox.fleet import Fleet
from dimo_etl.sandbox.graphql import GraphQLService
from dimo_etl.sandbox.nodes import Node, privileged_addresses, vehicle_node
from dimo_etl.sandbox.vehicles import SimVehicle

_LIMIT = 100


class Identity:
    """The route of the Identity API, and the resolvers of its two queries."""

    def __init__(self, fleet: Fleet) -> None:
        """Serve identity.

        Args:
            fleet: the vehicles, shared with the licence or not.
        """
        self._fleet = fleet
        self._graphql = GraphQLService("identity")

    def routes(self) -> list[Route]:
        """Where the service answers, below its base."""
        return [Route("/query", self._query, methods=["GET", "POST"])]

    async def _query(self, request: Request) -> Response:
        return await self._graphql.answer(request, {"vehicle": self._vehicle, "vehicles": self._vehicles})

    # The resolvers' arguments have the names of the schema.
    def _vehicle(
        self,
        _info: GraphQLResolveInfo,
        tokenId: int | None = None,  # noqa: N803
        tokenDID: str | None = None,  # noqa: N803
    ) -> Node:
        for vehicle in self._fleet.everyone:
            if vehicle.token_id == tokenId or asset_did(vehicle.token_id) == tokenDID:
                return vehicle_node(vehicle)
        name = f"token id {tokenId}" if tokenId is not None else f"token DID {tokenDID}"
        raise GraphQLError(f"No vehicle with {name}.", extensions={"code": "NOT_FOUND"})

    def _vehicles(
        self,
        _info: GraphQLResolveInfo,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
        filterBy: dict[str, object] | None = None,  # noqa: N803
    ) -> Node:
        size = _page_size(first, last)
        found = [v for v in reversed(self._fleet.everyone) if _passes(v, filterBy or {})]
        low = _token_of(before) if before is not None else None
        high = _token_of(after) if after is not None else None
        between = [
            vehicle
            for vehicle in found
            if (high is None or vehicle.token_id < high) and (low is None or vehicle.token_id > low)
        ]
        page = between[:size] if first is not None else between[-size:] if size else []
        nodes = [vehicle_node(vehicle) for vehicle in page]
        return {
            "totalCount": len(found),
            "nodes": nodes,
            "edges": [{"node": n, "cursor": cursor(v.token_id)} for n, v in zip(nodes, page, strict=True)],
            "pageInfo": {
                "startCursor": cursor(page[0].token_id) if page else None,
                "endCursor": cursor(page[-1].token_id) if page else None,
                "hasPreviousPage": bool(page) and page[0] is not found[0],
                "hasNextPage": bool(page) and page[-1] is not found[-1],
            },
        }


def cursor(token_id: int) -> str:
    """The cursor of a vehicle: its token id in decimal, base64."""
    return base64.b64encode(str(token_id).encode()).decode()


def _token_of(text: str) -> int:
    try:
        return int(base64.b64decode(text, validate=True))
    except ValueError:
        raise GraphQLError(f'invalid cursor "{text}"') from None


def _page_size(first: int | None, last: int | None) -> int:
    if first is not None and last is not None:
        raise GraphQLError("pass `first` or `last`, but not both")
    for name, value in (("first", first), ("last", last)):
        if value is None:
            continue
        if value < 0:
            raise GraphQLError(f"the value {value} for `{name}` is negative")
        if value > _LIMIT:
            raise GraphQLError(f"the value {value} for `{name}` exceeds the limit {_LIMIT}")
        return value
    raise GraphQLError("provide `first` or `last`")


def _passes(vehicle: SimVehicle, wanted: dict[str, object]) -> bool:
    held: dict[str, object] = {
        "owner": vehicle.owner.lower(),
        "make": vehicle.make.lower(),
        "model": vehicle.model.lower(),
        "year": vehicle.year,
    }
    for name, value in wanted.items():
        if value is None:
            continue
        text = value.lower() if isinstance(value, str) else value
        if name == "privileged":
            if text not in privileged_addresses(vehicle):
                return False
        elif held.get(name) != text:
            return False
    return True
