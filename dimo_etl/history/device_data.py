"""The source `device-data`: the history endpoints of the Device Data API, completed from their random draws."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING

from dimo_etl.api.auth import access_tokens
from dimo_etl.api.device_data import DeviceData, Draw
from dimo_etl.api.exchange import HISTORY, VehicleTokens
from dimo_etl.api.messages import DEVICE_DATA
from dimo_etl.api.user_devices import UserDevices
from dimo_etl.events import device_of
from dimo_etl.history.complete import CompleteHistory
from dimo_etl.history.routes import ByTokenId, ByUserDeviceId, Route, route_to
from dimo_etl.history.source import Piece, Source, Visit
from dimo_etl.model import Window, day_of_us

if TYPE_CHECKING:
    from dimo_etl.api.transport import Transport
    from dimo_etl.config import Settings


def open_source(transport: Transport, settings: Settings, granted: Mapping[int, frozenset[int]]) -> Source:
    """The source as the settings have it."""
    access = access_tokens(transport, settings)
    tokens = VehicleTokens(transport, access, settings, granted=granted)
    return DeviceDataSource(
        [
            ByTokenId(DeviceData(transport, tokens, settings)),
            ByUserDeviceId(UserDevices(transport, access, settings)),
        ]
    )


class DeviceDataSource:
    """See `Source`."""

    name = "device-data"
    service = DEVICE_DATA
    purpose = HISTORY
    # What the Telemetry API gives is made of these documents.
    supersedes = frozenset({"telemetry"})

    def __init__(self, routes: Sequence[Route]) -> None:
        """Ask by the first route that knows a vehicle; those that can be completed come first."""
        self._routes = routes

    def pieces(self, visit: Visit, days: Sequence[date]) -> Iterator[Piece]:
        """See `Source`."""
        asked, reach = route_to(visit.vehicle, self._routes)

        def ask(window: Window, refresh: bool) -> Draw:
            draw = visit.ask(day_of_us(window.start_ms * 1000), lambda: asked(window, refresh))
            if visit.vehicle.user_device_id is None and visit.user_device_id is None and draw.hits:
                visit.user_device_id = device_of(draw.hits[0].source)
            return draw

        history = CompleteHistory(ask, visit.pool, ahead=visit.ahead, refresh=visit.refresh, reach=reach)
        return history.pieces(days)
