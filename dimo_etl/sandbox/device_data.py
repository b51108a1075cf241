"""The Device Data API: history, status and distances, of a vehicle for its token, of a device for its owner."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import timedelta

import orjson
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from dimo_etl.sandbox import bounds, distances, elasticsearch, snapshot
from dimo_etl.sandbox.cache import ResponseCache
from dimo_etl.sandbox.callers import Callers
from dimo_etl.sandbox.chance import chance
from dimo_etl.sandbox.export import Exports
from dimo_etl.sandbox.faults import Faults
from dimo_etl.sandbox.fleet import Fleet
from dimo_etl.sandbox.privileges import CURRENT_LOCATION, LOCATION_HISTORY, NON_LOCATION_HISTORY
from dimo_etl.sandbox.refusal import RefusedError

_STATUS_NEEDS = frozenset({NON_LOCATION_HISTORY, CURRENT_LOCATION, LOCATION_HISTORY})
_HISTORY_NEEDS = frozenset({NON_LOCATION_HISTORY, LOCATION_HISTORY})
_DISTANCE_NEEDS = frozenset({NON_LOCATION_HISTORY})
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
        seed: int,
        callers: Callers,
        exports: Exports,
    ) -> None:
        """Serve device data.

        Args:
            fleet: holds the documents.
            faults: what goes wrong in a search.
            cache: remembers answers.
            seed: fixes the draws: each depends on what is asked for and how often it was asked before.
            callers: knows who asks.
            exports: where the export jobs go.
        """
        self._fleet = fleet
        self._faults = faults
        self._cache = cache
        self._seed = seed
        self._asked: Counter[tuple[int, int, int]] = Counter()
        self._callers = callers
        self._exports = exports

    def routes(self) -> list[Route]:
        """Where the service answers, below its base."""
        device, analytics = "/v1/user/device-data/{user_device_id}", "/v2/vehicle/{token_id}/analytics"
        return [
            Route("/v1/vehicle/{token_id}/history", self._vehicle_route(self._history, _HISTORY_NEEDS)),
            Route("/v1/vehicle/{token_id}/status", self._vehicle_route(self._status, _STATUS_NEEDS)),
            Route("/v1/vehicle/{token_id}/status-raw", self._vehicle_route(self._status_raw, _STATUS_NEEDS)),
            Route("/v2/vehicle/{token_id}/status", self._vehicle_route(self._status_v2, _STATUS_NEEDS)),
            Route(f"{analytics}/daily-distance", self._vehicle_route(self._daily_distance, _DISTANCE_NEEDS)),
            Route(f"{analytics}/total-distance", self._vehicle_route(self._total_distance, _DISTANCE_NEEDS)),
            Route(f"{device}/historical", self._owner_route(self._historical)),
            Route(f"{device}/status", self._owner_route(self._status)),
            Route(f"{device}/distance-driven", self._owner_route(self._total_distance)),
            Route(f"{device}/daily-distance", self._owner_route(self._daily_distance)),
            Route(f"{device}/export/json/email", self._export, methods=["POST"]),
            Route("/{path:path}", _no_route, methods=["GET", "POST", "PUT", "DELETE", "PATCH"]),
        ]

    def _vehicle_route(self, answer: Answer, needs: frozenset[int]) -> Callable[[Request], Response]:
        def endpoint(request: Request) -> Response:
            try:
                token_id, privileges = self._callers.vehicle(request, needs)
                return self._cache.around(request, lambda: answer(request, token_id, privileges))
            except RefusedError as refused:
                return refused.response()

        return endpoint

    def _owner_route(self, answer: Answer) -> Callable[[Request], Response]:
        def endpoint(request: Request) -> Response:
            try:
                token_id = self._callers.owned_device(request).token_id
                return self._cache.around(request, lambda: answer(request, token_id, _OWNER))
            except RefusedError as refused:
                return refused.response()

        return endpoint

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
            # So long a wait is not waited for: the day fails at once.
            raise RefusedError(500, "Internal error.", retry_after="3600")
        asked = (token_id, start_ms, end_ms)
        self._asked[asked] += 1
        draw = chance(self._seed, "draw", *asked, self._asked[asked])
        result = elasticsearch.search(self._fleet, token_id, start_ms, end_ms, draw)
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

    def _total_distance(self, request: Request, token_id: int, privileges: frozenset[int]) -> Response:  # noqa: ARG002
        return JSONResponse(distances.total_distance(self._fleet, token_id))

    def _daily_distance(self, request: Request, token_id: int, privileges: frozenset[int]) -> Response:  # noqa: ARG002
        time_zone = request.query_params.get("time_zone", "")
        return JSONResponse(distances.daily_distance(self._fleet, token_id, time_zone))

    def _export(self, request: Request) -> Response:
        try:
            store = f"{request.url.scheme}://{request.url.netloc}/exports"
            return self._exports.request(self._callers.account(request), self._callers.owned_device(request), store)
        except RefusedError as refused:
            return refused.response()


def _no_route(request: Request) -> Response:
    # Known only to the mount, the path is shown as the service would see it.
    return PlainTextResponse(f"Cannot {request.method} /{request.path_params['path']}", 404)
