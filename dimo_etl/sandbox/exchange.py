"""The token exchange: a vehicle JWT for a developer JWT, with all privileges asked for or none."""

from __future__ import annotations

import re
from dataclasses import dataclass

import orjson
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from dimo_etl.sandbox.fleet import Fleet
from dimo_etl.sandbox.privileges import NAMES, NUMBERS
from dimo_etl.sandbox.refusal import RefusedError
from dimo_etl.sandbox.tokens import InvalidTokenError, Issuer, bearer
from dimo_etl.sandbox.vehicles import LICENCE

ISSUER = "https://auth-roles-rights.dimo.zone"
CHAIN_ID = 137
CONTRACT = "0xbA5738a18d83D41847dfFbDC6101d37C69c9B0cF"
_ASSET = re.compile(r"did:erc721:(\d+):(0x[0-9a-fA-F]{40}):(\d+)")


@dataclass(frozen=True, slots=True)
class _Wish:
    contract: str
    token_id: int
    privileges: tuple[int, ...]
    events: list[object]
    audience: list[object]


def asset_did(token_id: int) -> str:
    """The DID of a vehicle's NFT."""
    return f"did:erc721:{CHAIN_ID}:{CONTRACT}:{token_id}"


class Exchange:
    """The route of the token exchange."""

    def __init__(self, fleet: Fleet, developers: Issuer, vehicles: Issuer) -> None:
        """Serve the exchange.

        Args:
            fleet: says which privileges are granted.
            developers: verifies the caller's token.
            vehicles: signs vehicle tokens.
        """
        self._fleet = fleet
        self._developers = developers
        self._vehicles = vehicles

    def routes(self) -> list[Route]:
        """Where the service answers, below its base."""
        return [Route("/v1/tokens/exchange", self._exchange, methods=["POST"])]

    async def _exchange(self, request: Request) -> Response:
        token = bearer(request.headers.get("authorization"))
        if token is None:
            return PlainTextResponse("missing or malformed JWT", 400)
        try:
            address = self._developers.verify(token).get("ethereum_address")
        except InvalidTokenError:
            return PlainTextResponse("Invalid or expired JWT", 401)
        try:
            return JSONResponse({"token": self._vehicles.issue(self._granted(address, await request.body()))})
        except RefusedError as refused:
            return refused.response()

    def _granted(self, address: object, body: bytes) -> dict[str, object]:
        if not isinstance(address, str):
            raise RefusedError(401, "No Ethereum address claim found.")
        if address.lower() != LICENCE.lower():
            raise RefusedError(403, f"not a dev license: {address}")
        wish = _read(body)
        vehicle = self._fleet.vehicle(wish.token_id)
        granted = vehicle.granted if vehicle else frozenset()
        missing = " ".join(NAMES[number] for number in wish.privileges if number not in granted)
        if missing:
            asset = asset_did(wish.token_id)
            raise RefusedError(403, f"Address {address} lacks permissions [{missing}] for asset {asset}.")
        return _claims(wish)


def _read(body: bytes) -> _Wish:
    try:
        given = orjson.loads(body)
    except orjson.JSONDecodeError:
        given = None
    if not isinstance(given, dict):
        raise RefusedError(400, "Couldn't parse request body.")
    contract, token_id = given.get("nftContractAddress", ""), given.get("tokenId", 0)
    if "asset" in given:
        asset = _ASSET.fullmatch(str(given["asset"]))
        if asset is None or int(asset[1]) != CHAIN_ID:
            raise RefusedError(400, f"Invalid asset DID {given['asset']!s}.")
        contract, token_id = asset[2], int(asset[3])
    if not isinstance(token_id, int) or isinstance(token_id, bool) or token_id < 0:
        raise RefusedError(400, "Couldn't parse request body.")
    if str(contract).lower() != CONTRACT.lower():
        raise RefusedError(400, f'Invalid NFT contract address "{contract}".')
    privileges = _privileges(given)
    cloud_events = given.get("cloudEvents")
    events = cloud_events.get("events", []) if isinstance(cloud_events, dict) else []
    if not privileges and not events:
        raise RefusedError(400, "Please provide at least one privilege or cloudevent")
    return _Wish(CONTRACT, token_id, privileges, events, given.get("audience") or ["dimo.zone"])


def _privileges(given: dict[str, object]) -> tuple[int, ...]:
    by_name, by_number = given.get("permissions"), given.get("privileges")
    wanted = by_name or by_number or []
    if not isinstance(wanted, list):
        raise RefusedError(400, "Couldn't parse request body.")
    numbers = [NUMBERS.get(str(item), item) for item in wanted] if by_name else wanted
    unknown = [item for item in numbers if item not in NAMES]
    if unknown:
        raise RefusedError(400, f"unknown privileges [{' '.join(map(str, unknown))}]")
    return tuple(dict.fromkeys(numbers))


def _claims(wish: _Wish) -> dict[str, object]:
    return {
        "sub": LICENCE,
        "aud": wish.audience,
        "asset": asset_did(wish.token_id),
        "permissions": [NAMES[number] for number in wish.privileges],
        "cloud_events": {"events": wish.events},
        "contract_address": wish.contract.lower(),
        "token_id": str(wish.token_id),
        "privilege_ids": list(wish.privileges),
    }
