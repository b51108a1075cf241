"""The Device Data API's routes to a vehicle's history, and which is taken: the first that knows it by a name it has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from dimo_etl.api.device_data import Draw
from dimo_etl.errors import VehicleRefusedError
from dimo_etl.history.complete import Ask, Reach
from dimo_etl.model import Vehicle, Window


class Route(Protocol):
    """A way to ask for the history of vehicles."""

    @property
    def reach(self) -> Reach:
        """How finely it can be asked."""

    def to(self, vehicle: Vehicle) -> Ask | None:
        """What asks for a vehicle; None where the vehicle lacks the name that this route goes by.

        Asking raises ServiceError, VehicleRefusedError, RequestRefusedError or AuthError.
        """


class TokenHistory(Protocol):
    """An endpoint that answers by token id."""

    def history(self, token_id: int, window: Window, *, refresh: bool = False) -> Draw:
        """One draw of a window."""


class DeviceHistory(Protocol):
    """An endpoint that answers by user device id."""

    def history(self, user_device_id: str, window: Window, *, refresh: bool = False) -> Draw:
        """One draw of whole UTC days."""


class ByTokenId:
    """The vehicle route: windows of any width, so that every day can be completed."""

    reach = Reach()

    def __init__(self, source: TokenHistory) -> None:
        self._source = source

    def to(self, vehicle: Vehicle) -> Ask | None:
        """See `Route`."""
        token_id = vehicle.token_id
        if token_id is None:
            return None
        return lambda window, refresh: self._source.history(token_id, window, refresh=refresh)


class ByUserDeviceId:
    """The device route: whole UTC days, for the account that owns the device."""

    reach = Reach(
        whole_days=True,
        advice="by user device id a day cannot be asked for in parts; name the vehicle by its token id, or import its "
        "export",
    )

    def __init__(self, source: DeviceHistory) -> None:
        self._source = source

    def to(self, vehicle: Vehicle) -> Ask | None:
        """See `Route`."""
        user_device_id = vehicle.user_device_id
        if user_device_id is None:
            return None
        return lambda window, refresh: self._source.history(user_device_id, window, refresh=refresh)


def route_to(vehicle: Vehicle, routes: Sequence[Route]) -> tuple[Ask, Reach]:
    """What asks for a vehicle by the first route that knows it, and how finely; where none does, asking is refused."""
    for route in routes:
        ask = route.to(vehicle)
        if ask is not None:
            return ask, route.reach

    def refuse(window: Window, refresh: bool) -> Draw:  # noqa: ARG001 (what every route is asked with)
        raise VehicleRefusedError(
            f"Vehicle {vehicle.vehicle_id} has neither a token id nor a user device id to ask by."
        )

    return refuse, Reach()
