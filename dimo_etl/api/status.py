"""The newest value of each signal, as a service shows it now; here the status routes of the Device Data API.

Three routes show the same values in three shapes. `status-raw` alone tells when and by which integration each was sent.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

from dimo_etl.api.decode import decoded
from dimo_etl.api.messages import DEVICE_DATA, HttpRefusedError, Request, Response
from dimo_etl.api.owner_calls import OwnerCalls
from dimo_etl.api.vehicle_calls import VehicleCalls
from dimo_etl.errors import RequestRefusedError, VehicleRefusedError

if TYPE_CHECKING:
    from dimo_etl.api.auth import AccessTokens
    from dimo_etl.api.exchange import VehicleTokens
    from dimo_etl.api.transport import Transport
    from dimo_etl.config import Settings
    from dimo_etl.model import Vehicle

# The service caches for two minutes; this passes the cache by, so that what is seen is what there is now.
_REFRESH = {"refresh": "true"}


class Endpoint(StrEnum):
    """What shows the newest values: a status route, by its version and name, or the telemetry API's query."""

    RAW = "v1/status-raw"
    V1 = "v1/status"
    V2 = "v2/status"
    SIGNALS = "telemetry/signalsSnapshot"


@dataclass(frozen=True, slots=True)
class Status:
    """One answer of a status route.

    Attributes:
        payload: the JSON object as received; None where the service has seen nothing of the vehicle yet.
        requests: requests spent, retries included.
    """

    payload: bytes | None = field(repr=False)
    requests: int


class StatusRoutes:
    """The status routes of vehicles and of the account's own devices, for any number of threads.

    Attributes:
        endpoints: those there are, the one that tells the most first.
    """

    endpoints = (Endpoint.RAW, Endpoint.V1, Endpoint.V2)

    def __init__(
        self, transport: Transport, tokens: VehicleTokens, access_tokens: AccessTokens, settings: Settings
    ) -> None:
        self._vehicles = VehicleCalls(transport, tokens)
        self._devices = OwnerCalls(transport, access_tokens)
        self._base = settings.device_data_url

    def status(self, vehicle: Vehicle, endpoint: Endpoint) -> Status | None:
        """Ask what the newest values of a vehicle are.

        Args:
            vehicle: asked for by its token id; by its user device id where that is all there is.
            endpoint: which of the three shapes to ask for.

        Returns:
            The answer; None where there is no such route: by user device id only the first version is served.

        Raises:
            VehicleRefusedError: there is no such vehicle, or it does not share its status with this licence.
            AuthError: the developer token is refused.
            RequestRefusedError: the service does not have this route.
            ServiceError: no usable answer after every retry.
        """
        version, name = endpoint.split("/")
        request = Request(
            service=DEVICE_DATA,
            about=f"the {name} of vehicle {vehicle.vehicle_id}",
            method="GET",
            url=f"{self._base}/{version}/vehicle/{vehicle.token_id}/{name}",
            params=_REFRESH,
        )
        try:
            if vehicle.token_id is not None:
                answer = self._vehicles.call(vehicle.token_id, request, _read)
                return Status(answer.value, answer.requests)
            if endpoint is not Endpoint.V1:
                return None
            request = replace(request, url=f"{self._base}/v1/user/device-data/{vehicle.user_device_id}/status")
            told = self._devices.call(request, _read)
            return Status(told.value, told.requests)
        except HttpRefusedError as refused:
            return _nothing_seen(refused)


def _read(response: Response) -> bytes:
    """The body of a status, which is a JSON object whatever its content type says (`status-raw` is sent as text)."""
    decoded(response.body, dict[str, msgspec.Raw])
    return response.body


def _nothing_seen(refused: HttpRefusedError) -> Status:
    """What a refused status means: that the service has seen nothing yet, or an error.

    Raises:
        VehicleRefusedError, RequestRefusedError: as the refusal says.
    """
    if refused.status == 404 and refused.message.lower().startswith("no status updates yet"):
        return Status(None, refused.requests)
    # The web framework's own 404 is about the address, the service's are about the vehicle.
    no_such_route = refused.status == 404 and refused.message.startswith("Cannot GET")
    if refused.status in (401, 403, 404) and not no_such_route:
        raise VehicleRefusedError(f"{refused}; check that it shares its status with this licence.") from refused
    raise RequestRefusedError(f"{refused}; check DIMO_DEVICE_DATA_URL.") from refused
