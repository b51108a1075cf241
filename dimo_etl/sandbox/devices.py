"""The devices API: which devices an account has, and the NFT of each, which maps its two names to each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from dimo_etl.sandbox.callers import owns
from dimo_etl.sandbox.refusal import RefusedError

if TYPE_CHECKING:
    from starlette.requests import Request

    from dimo_etl.sandbox.callers import Callers
    from dimo_etl.sandbox.document import JsonObject
    from dimo_etl.sandbox.fleet import Fleet
    from dimo_etl.sandbox.vehicles import SimVehicle


class Devices:
    """The routes of the devices API.

    Left out: everything but the listing.
    """

    def __init__(self, fleet: Fleet, callers: Callers) -> None:
        """Serve devices.

        Args:
            fleet: the devices there are.
            callers: knows who asks.
        """
        self._fleet = fleet
        self._callers = callers

    def routes(self) -> list[Route]:
        """Where the service answers, below its base."""
        return [Route("/v1/user/devices/me", self._mine)]

    def _mine(self, request: Request) -> Response:
        try:
            claims = self._callers.account(request)
        except RefusedError as refused:
            return refused.response()
        everyone = (*self._fleet.everyone, self._fleet.unminted)
        mine = [vehicle for vehicle in everyone if owns(claims, vehicle)]
        shared = [vehicle for vehicle in self._fleet.vehicles if not owns(claims, vehicle)]
        return JSONResponse({"userDevices": [*map(_device, mine)], "sharedDevices": [*map(_device, shared)]})


def _device(vehicle: SimVehicle) -> JsonObject:
    device: JsonObject = {
        "id": vehicle.user_device_id,
        "vin": vehicle.vin,
        "vinConfirmed": True,
        "name": None,
        "customImageUrl": None,
        "deviceDefinition": {
            "name": f"{vehicle.make} {vehicle.model} {vehicle.year}",
            "type": {"type": "Vehicle", "make": vehicle.make, "model": vehicle.model, "year": vehicle.year},
        },
        "countryCode": "DEU",
        "integrations": [],
        "metadata": {},
        "optedInAt": f"{vehicle.since.isoformat()}T00:00:00Z",
        "privilegedUsers": [],
    }
    if vehicle.minted:
        device["nft"] = {"tokenId": vehicle.token_id, "ownerAddress": vehicle.owner, "status": "Confirmed"}
    return device
