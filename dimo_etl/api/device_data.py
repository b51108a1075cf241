"""The history endpoint of the Device Data API: what it says of a window, and the events it gives for it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dimo_etl.api.hits import Hit, Hits, read_hits
from dimo_etl.api.messages import DEVICE_DATA, HttpRefusedError, Request, Response
from dimo_etl.api.vehicle_calls import VehicleCalls
from dimo_etl.errors import RequestRefusedError, VehicleRefusedError
from dimo_etl.model import Window, rfc3339_ms

if TYPE_CHECKING:
    from dimo_etl.api.exchange import VehicleTokens
    from dimo_etl.api.transport import Transport
    from dimo_etl.config import Settings

# The service caches for two minutes, partial answers and samples included; this passes the cache by.
REFRESH = {"refresh": "true"}


@dataclass(frozen=True, slots=True)
class Draw:
    """One answer of the history endpoint: up to 1,000 events of a window, drawn at random where there are more.

    Attributes:
        window: the window that was asked for.
        total: events the service counts in it.
        exact: whether `total` is the number; if not, there are at least so many.
        hits: the events given, in no order.
        requests: history requests spent, retries included.
        privileges: those of the vehicle token, which decide what the events show; None where none was needed.
        size_bytes: size of the answer, decompressed.
    """

    window: Window
    total: int
    exact: bool
    hits: tuple[Hit, ...] = field(repr=False)
    requests: int
    privileges: tuple[int, ...] | None
    size_bytes: int


class DeviceData:
    """The Device Data API, for any number of threads."""

    def __init__(self, transport: Transport, tokens: VehicleTokens, settings: Settings) -> None:
        self._calls = VehicleCalls(transport, tokens)
        self._base = settings.device_data_url

    def history(self, token_id: int, window: Window, *, refresh: bool = False) -> Draw:
        """Ask for the events of a window, both ends included.

        Args:
            token_id: the vehicle.
            window: milliseconds since the epoch.
            refresh: whether to pass the service's cache by.

        Raises:
            VehicleRefusedError: there is no such vehicle, or it does not share its history with this licence.
            AuthError: the developer token is refused.
            RequestRefusedError: the request itself is refused.
            ServiceError: no usable answer after every retry.
        """
        # Both ends carry their milliseconds, since a server rounds a bare second up or down to fill it.
        span = {"startDate": rfc3339_ms(window.start_ms), "endDate": rfc3339_ms(window.end_ms)}
        request = Request(
            service=DEVICE_DATA,
            about=f"the history of vehicle {token_id}, {window}",
            method="GET",
            url=f"{self._base}/v1/vehicle/{token_id}/history",
            params=span | REFRESH if refresh else span,
            retry_params=REFRESH,
        )
        try:
            answer = self._calls.call(token_id, request, read_answer)
        except HttpRefusedError as refused:
            raise _refusal(refused) from refused
        found, size = answer.value
        return Draw(
            window=window,
            total=found.total,
            exact=found.exact,
            hits=found.hits,
            requests=answer.requests,
            privileges=answer.privileges,
            size_bytes=size,
        )


def read_answer(response: Response) -> tuple[Hits, int]:
    """The hits of a history answer, and its size in bytes."""
    return read_hits(response.body), len(response.body)


def no_such_route(refused: HttpRefusedError) -> bool:
    """Whether a refusal is the web framework's own 404, about the address; the service's are about the vehicle."""
    return refused.status == 404 and refused.message.startswith("Cannot GET")


def _refusal(refused: HttpRefusedError) -> Exception:
    if refused.status in (401, 403, 404) and not no_such_route(refused):
        return VehicleRefusedError(f"{refused}; check that it shares its history with this licence.")
    return RequestRefusedError(f"{refused}; check DIMO_DEVICE_DATA_URL and the dates.")
