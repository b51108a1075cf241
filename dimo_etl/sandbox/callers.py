"""Who calls: the vehicle a vehicle token is for, or the device that a developer token's account owns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dimo_etl.sandbox.exchange import CONTRACT
from dimo_etl.sandbox.refusal import RefusedError
from dimo_etl.sandbox.tokens import Claims, InvalidTokenError, Issuer, bearer

if TYPE_CHECKING:
    from starlette.requests import Request

    from dimo_etl.sandbox.fleet import Fleet
    from dimo_etl.sandbox.vehicles import SimVehicle


@dataclass(frozen=True, slots=True)
class GraphQLCaller:
    """Whose token a query came with, and its privileges; no vehicle without a token."""

    token_id: int | None
    privileges: frozenset[int] = frozenset()


def graphql_caller(request: Request, vehicles: Issuer) -> GraphQLCaller | None:
    """Who sent a query; None where the token is not good, which the GraphQL services tell apart from none.

    Args:
        request: the query.
        vehicles: verifies vehicle tokens.
    """
    token = bearer(request.headers.get("authorization"))
    if token is None:
        return GraphQLCaller(None)
    try:
        claims = vehicles.verify(token)
    except InvalidTokenError:
        return None
    held = claims.get("privilege_ids")
    return GraphQLCaller(int(str(claims["token_id"])), frozenset(held if isinstance(held, list) else ()))


class Callers:
    """Reads tokens, and refuses as the REST services do."""

    def __init__(self, fleet: Fleet, *, developers: Issuer, vehicles: Issuer) -> None:
        """Know who calls.

        Args:
            fleet: says who owns what.
            developers: verifies developer tokens.
            vehicles: verifies vehicle tokens.
        """
        self._fleet = fleet
        self._developers = developers
        self._vehicles = vehicles

    def vehicle(self, request: Request, needs: frozenset[int]) -> tuple[int, frozenset[int]]:
        """The vehicle of the path and the privileges of the caller's token.

        Args:
            request: with `token_id` in its path.
            needs: privileges of which one must be held.

        Raises:
            RefusedError: the token is not one for this.
        """
        try:
            claims = self._vehicles.verify(bearer(request.headers.get("authorization")) or "")
        except InvalidTokenError:
            raise RefusedError(401, "Invalid privilege token.") from None
        if str(claims.get("contract_address")).lower() != CONTRACT.lower():
            raise RefusedError(401, f"Provided token is for the wrong contract: {claims.get('contract_address')}")
        # The service compares texts: a path that is no number matches no token.
        if claims.get("token_id") != request.path_params["token_id"]:
            raise RefusedError(401, "Unauthorized! Wrong device token provided")
        held = claims.get("privilege_ids")
        privileges = frozenset(held if isinstance(held, list) else ())
        if not privileges & needs:
            raise RefusedError(401, "Unauthorized! Token does not contain required privileges")
        return int(str(claims["token_id"])), privileges

    def account(self, request: Request) -> Claims:
        """The claims of the caller's developer token.

        Raises:
            RefusedError: there is none that is good.
        """
        try:
            return self._developers.verify(bearer(request.headers.get("authorization")) or "")
        except InvalidTokenError:
            raise RefusedError(401, "Invalid JWT.") from None

    def owned_device(self, request: Request) -> SimVehicle:
        """The device of the path, which the caller owns.

        Raises:
            RefusedError: the token is not good, or the device not the caller's.
        """
        claims = self.account(request)
        vehicle = self._fleet.vehicle_of_device(request.path_params["user_device_id"])
        if vehicle is None or not owns(claims, vehicle):
            raise RefusedError(404, "Device not found.")
        return vehicle


def owns(claims: Claims, vehicle: SimVehicle) -> bool:
    """Whether a developer token's account owns a vehicle."""
    return vehicle.owner.lower() == str(claims.get("ethereum_address")).lower()
