"""The distances of the Device Data API: how far DIMO says a vehicle was driven, in all and on each of the last days.

A vehicle with a token id is asked for by it, another by its user device id. A service may not offer these routes; then
there is no answer, and nothing more is asked of that route.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Protocol, TypeVar

import msgspec

from dimo_etl.api.decode import decoded
from dimo_etl.api.messages import DEVICE_DATA, HttpRefusedError, Request, Response, UnusableResponseError
from dimo_etl.api.owner_calls import OwnerCalls
from dimo_etl.api.vehicle_calls import VehicleCalls
from dimo_etl.errors import RequestRefusedError, VehicleRefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dimo_etl.api.auth import AccessTokens
    from dimo_etl.api.exchange import VehicleTokens
    from dimo_etl.api.transport import Transport
    from dimo_etl.config import Settings
    from dimo_etl.model import Vehicle

T = TypeVar("T")
_log = logging.getLogger("dimo_etl.api")
# The service caches for two minutes; past the cache the answer is of the moment it was asked at.
_REFRESH = {"refresh": "true"}


@dataclass(frozen=True, slots=True)
class DayDistance:
    """A local day's driving, as DIMO tells it.

    Attributes:
        km: the distance; None where DIMO has none: no odometer that day, or an invalid one.
        drives: how many drives began; None where the service does not tell.
        driving_s: for how long it drove, seconds; likewise.
    """

    day: date
    km: float | None
    drives: int | None = None
    driving_s: int | None = None


class DistanceSource(Protocol):
    """A service that tells distances; its methods raise DimoErrors."""

    @property
    def said_by(self) -> str:
        """What the lake calls it."""

    def total(self, vehicle: Vehicle) -> float | None:
        """How far the vehicle was driven in all, km; None where the service does not tell."""

    def daily(self, vehicle: Vehicle, time_zone: str) -> list[DayDistance] | None:
        """How far it was driven on each of the last local days; None where the service does not tell."""


class _Total(msgspec.Struct):
    distance_driven: float = msgspec.field(name="distanceDriven")
    units: str = "kilometers"


class _Day(msgspec.Struct):
    date: date
    distance: float | None = None


class _Days(msgspec.Struct):
    days: list[_Day] | None = None


@dataclass(frozen=True, slots=True)
class _Route:
    """An address for vehicles with a token id, and one for those without."""

    name: str
    of_vehicle: str
    of_device: str


_TOTAL = _Route("total distance", "/v2/vehicle/{}/analytics/total-distance", "/v1/user/device-data/{}/distance-driven")
_DAILY = _Route("daily distance", "/v2/vehicle/{}/analytics/daily-distance", "/v1/user/device-data/{}/daily-distance")


class Distances:
    """The distance routes, for any number of threads.

    Both methods raise VehicleRefusedError where there is no such vehicle or it does not share its distances,
    AuthError where the developer token is refused, RequestRefusedError where the request itself is, and ServiceError
    where there is no usable answer after every retry.
    """

    said_by = "device-data"

    def __init__(
        self, transport: Transport, tokens: VehicleTokens, access_tokens: AccessTokens, settings: Settings
    ) -> None:
        self._vehicles = VehicleCalls(transport, tokens)
        self._devices = OwnerCalls(transport, access_tokens)
        self._base = settings.device_data_url
        self._lock = threading.Lock()
        self._lacking: set[str] = set()

    def total(self, vehicle: Vehicle) -> float | None:
        """The greatest odometer ever received less the smallest, km; 0 also where there is none.

        Returns:
            None where the service does not offer the route.
        """
        return self._asked(_TOTAL, vehicle, _read_total)

    def daily(self, vehicle: Vehicle, time_zone: str) -> list[DayDistance] | None:
        """The distances of the last 14 local days, from the first to the last that has data.

        Args:
            vehicle: whose.
            time_zone: an IANA zone, which the service requires.

        Returns:
            None where the service does not offer the route.
        """
        return self._asked(_DAILY, vehicle, _read_days, {"time_zone": time_zone})

    def _asked(
        self, route: _Route, vehicle: Vehicle, parse: Callable[[Response], T], params: Mapping[str, str] | None = None
    ) -> T | None:
        token_id = vehicle.token_id
        path = route.of_vehicle if token_id is not None else route.of_device
        if path in self._lacking:
            return None
        request = Request(
            service=DEVICE_DATA,
            about=f"the {route.name} of vehicle {vehicle.vehicle_id}",
            method="GET",
            url=self._base + path.format(vehicle.user_device_id if token_id is None else token_id),
            params={**(params or {}), **_REFRESH},
        )
        try:
            if token_id is None:
                return self._devices.call(request, parse).value
            return self._vehicles.call(token_id, request, parse).value
        except HttpRefusedError as refused:
            if not _is_no_route(refused):
                raise _refusal(refused) from refused
        with self._lock:
            if path not in self._lacking:
                self._lacking.add(path)
                _log.info("The device data API offers no %s (404); it is left out.", route.name)
        return None


def _read_total(response: Response) -> float:
    total = decoded(response.body, _Total)
    if total.units != "kilometers":
        raise UnusableResponseError("its distance is not in kilometers")
    return total.distance_driven


def _read_days(response: Response) -> list[DayDistance]:
    return [DayDistance(day.date, day.distance) for day in decoded(response.body, _Days).days or []]


def _is_no_route(refused: HttpRefusedError) -> bool:
    # The service's own 404s are about the vehicle: "Device not found.", "NFT not found."
    words = refused.message.lower()
    return refused.status == 404 and not any(f"{what} not found" in words for what in ("device", "nft", "vehicle"))


def _refusal(refused: HttpRefusedError) -> Exception:
    # An unknown token id is a 400: "could find a device using provided tokenId!".
    is_about_the_vehicle = refused.status in (401, 403, 404) or "tokenid" in refused.message.lower()
    if is_about_the_vehicle:
        return VehicleRefusedError(f"{refused}; check that it shares its distances with this licence.")
    return RequestRefusedError(f"{refused}; check DIMO_DEVICE_DATA_URL and DIMO_TIME_ZONE.")
