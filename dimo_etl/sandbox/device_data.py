"""The Device Data API: history and status of a vehicle, for a vehicle token, and of a device, for its owner.

Left out: distances and the export by mail, which this project does not ask for.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from random import Random

import orjson
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from dimo_etl.sandbox import bounds, elasticsearch, snapshot
from dimo_etl.sandbox.cache import ResponseCache
from dimo_etl.sandbox.exchange import CONTRACT
from dimo_etl.sandbox.faults import Faults
from dimo_etl.sandbox.fleet import Fleet
from dimo_etl.sandbox.privileges import CURRENT_LOCATION, LOCATION_HISTORY, NON_LOCATION_HISTORY
from dimo_etl.sandbox.refusal import RefusedError
from dimo_etl.sandbox.tokens import InvalidTokenError, Issuer, bearer
from dimo_etl.sandbox.vehicles import SimVehicle

_STATUS_NEEDS = frozenset({NON_LOCATION_HISTORY, CURRENT_LOCATION, LOCATION_HISTORY})
_HISTORY_NEEDS = frozenset({NON_LOCATION_HISTORY, LOCATION_HISTORY})
_OWNER = frozenset({NON_LOCATION_HISTORY, CURRENT_LOCATION, LOCATION_HISTORY})
_DEFAULT_SPAN = timedelta(days=14)
Answer = Callable[[Request, int, frozenset[int]], Response]


class DeviceData:
    """The routes of the Device Data API."""

    def __init__(
        self,
        fleet: Fleet,
        faults: Faults,
        cache: ResponseCache,
        random: Random,
        *,
        developers: Issuer,
        vehicles: Issuer,
    ) -> None:
        """Serve device data.

        Args:
            fleet: holds the documents.
            faults: what goes wrong in a search.
            cache: remembers answers.
            random: makes the draws.
            developers: verifies developer tokens.
            vehicles: verifies vehicle tokens.
        """
        self._fleet = fleet
        self._faults = faults
        self._cache = cache
        self._random = random
        self._developers = developers
        self._vehicles = vehicles

    def routes(self) -> list[Route]:
        """Where the service answers, below its base."""
        device = "/v1/user/device-data/{user_device_id}"
        return [
            Route("/v1/vehicle/{token_id}/history", self._vehicle_route(self._history, _HISTORY_NEEDS)),
            Route("/v1/vehicle/{token_id}/status", self._vehicle_route(self._status, _STATUS_NEEDS)),
            Route("/v1/vehicle/{token_id}/status-raw", self._vehicle_route(self._status_raw, _STATUS_NEEDS)),
            Route("/v2/vehicle/{token_id}/status", self._vehicle_route(self._status_v2, _STATUS_NEEDS)),
            Route(f"{device}/historical", self._owner_route(self._historical)),
            Route(f"{device}/status", self._owner_route(self._status)),
            Route("/{path:path}", _no_route, methods=["GET", "POST", "PUT", "DELETE", "PATCH"]),
        ]

    def _vehicle_route(self, answer: Answer, needs: frozenset[int]) -> Callable[[Request], Response]:
        def endpoint(request: Request) -> Response:
            try:
                token_id, privileges = self._vehicle_caller(request, needs)
                return self._cache.around(request, lambda: answer(request, token_id, privileges))
            except RefusedError as refused:
                return refused.response()

        return endpoint

    def _owner_route(self, answer: Answer) -> Callable[[Request], Response]:
        def endpoint(request: Request) -> Response:
            try:
                token_id = self._owned_device(request).token_id
                return self._cache.around(request, lambda: answer(request, token_id, _OWNER))
            except RefusedError as refused:
                return refused.response()

        return endpoint

    def _vehicle_caller(self, request: Request, needs: frozenset[int]) -> tuple[int, frozenset[int]]:
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

    def _owned_device(self, request: Request) -> SimVehicle:
        try:
            claims = self._developers.verify(bearer(request.headers.get("authorization")) or "")
        except InvalidTokenError:
            raise RefusedError(401, "Invalid JWT.") from None
        vehicle = self._fleet.vehicle_of_device(request.path_params["user_device_id"])
        if vehicle is None or vehicle.owner.lower() != str(claims.get("ethereum_address")).lower():
            raise RefusedError(404, "Device not found.")
        return vehicle

    def _history(self, request: Request, token_id: int, privileges: frozenset[int]) -> Response:
        now = self._fleet.now()
        start = request.query_params.get("startDate") or f"{now - _DEFAULT_SPAN:%Y-%m-%dT%H:%M:%SZ}"
        end = request.query_params.get("endDate") or f"{now:%Y-%m-%dT%H:%M:%SZ}"
        start_ms, end_ms = bounds.start_ms(start), bounds.end_ms(end)
        if start_ms is None:
            raise RefusedError(400, "Invalid start date format")
        if end_ms is None:
            raise RefusedError(400, "Invalid end date format")
        return self._search(token_id, start_ms, end_ms, privileges)

    def _historical(self, request: Request, token_id: int, privileges: frozenset[int]) -> Response:
        today = self._fleet.now().date()
        start = request.query_params.get("startDate") or (today - _DEFAULT_SPAN).isoformat()
        end = request.query_params.get("endDate") or today.isoformat()
        for text in (start, end):
            if (problem := bounds.go_date_error(text)) is not None:
                raise RefusedError(400, problem)
        start_ms, end_ms = bounds.start_ms(start), bounds.end_ms(end)
        if start_ms is None or end_ms is None:
            raise AssertionError("a date that Go reads is a date")
        return self._search(token_id, start_ms, end_ms, privileges)

    def _search(self, token_id: int, start_ms: int, end_ms: int, privileges: frozenset[int]) -> Response:
        if self._faults.is_broken(token_id, start_ms, end_ms):
            raise RefusedError(500, "Internal error.")
        result = elasticsearch.search(self._fleet, token_id, start_ms, end_ms, self._random)
        if (fault := self._faults.take_search()) is not None:
            result = elasticsearch.damage(result, fault)
        return Response(elasticsearch.body(result, privileges), media_type="application/json")

    def _status(self, request: Request, token_id: int, privileges: frozenset[int]) -> Response:
        readings = snapshot.latest(self._fleet, token_id)
        if not readings:
            raise RefusedError(
                404, "no status updates yet" if "token_id" in request.path_params else "No status updates yet."
            )
        return JSONResponse(snapshot.v1(readings, privileges))

    def _status_raw(self, request: Request, token_id: int, privileges: frozenset[int]) -> Response:  # noqa: ARG002
        readings = snapshot.latest(self._fleet, token_id)
        return PlainTextResponse(orjson.dumps(snapshot.raw(readings, privileges)))

    def _status_v2(self, request: Request, token_id: int, privileges: frozenset[int]) -> Response:  # noqa: ARG002
        status = snapshot.v2(snapshot.latest(self._fleet, token_id), privileges)
        if status["recordUpdatedAt"] is None:
            raise RefusedError(500, "Internal error.")
        return JSONResponse(status)


def _no_route(request: Request) -> Response:
    # Known only to the mount, the path is shown as the service would see it.
    return PlainTextResponse(f"Cannot {request.method} /{request.path_params['path']}", 404)
