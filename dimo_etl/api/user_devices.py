"""The devices of an account: which it has, and the history of one by its user device id.

Rules: the route takes dates, not times, so a UTC day is the least it can be asked for; only the owner may ask.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from dimo_etl.api.decode import decoded
from dimo_etl.api.device_data import REFRESH, Draw, no_such_route, read_answer
from dimo_etl.api.messages import DEVICE_DATA, DEVICES, HttpRefusedError, Request
from dimo_etl.api.owner_calls import OwnerCalls
from dimo_etl.errors import AuthError, RequestRefusedError, VehicleRefusedError
from dimo_etl.model import day_of_us

if TYPE_CHECKING:
    from dimo_etl.api.auth import AccessTokens
    from dimo_etl.api.messages import Response
    from dimo_etl.api.transport import Transport
    from dimo_etl.config import Settings
    from dimo_etl.model import Window


@dataclass(frozen=True, slots=True)
class Device:
    """A device that an account has or was shared; `token_id` is None where it was never minted."""

    user_device_id: str
    token_id: int | None


class _Nft(msgspec.Struct):
    token_id: int | None = msgspec.field(name="tokenId", default=None)


class _Device(msgspec.Struct):
    id: str
    nft: _Nft | None = None


class _Listing(msgspec.Struct):
    user_devices: list[_Device] | None = msgspec.field(name="userDevices", default=None)
    # Null, and not an empty list, in some versions of the service.
    shared_devices: list[_Device] | None = msgspec.field(name="sharedDevices", default=None)


class UserDevices:
    """What an account may ask of its own devices, for any number of threads."""

    def __init__(self, transport: Transport, access_tokens: AccessTokens, settings: Settings) -> None:
        self._calls = OwnerCalls(transport, access_tokens)
        self._settings = settings

    def history(self, user_device_id: str, window: Window, *, refresh: bool = False) -> Draw:
        """Ask for the events of whole UTC days.

        Args:
            user_device_id: the device.
            window: from a midnight to the last millisecond of a day.
            refresh: whether to pass the service's cache by.

        Raises:
            VehicleRefusedError: there is no such device, or the account does not own it.
            AuthError: the developer token is refused.
            RequestRefusedError: the request itself is refused.
            ServiceError: no usable answer after every retry.
        """
        first, last = day_of_us(window.start_ms * 1000), day_of_us(window.end_ms * 1000)
        span = {"startDate": first.isoformat(), "endDate": last.isoformat()}
        request = Request(
            service=DEVICE_DATA,
            about=f"the history of device {user_device_id}, {first} to {last}",
            method="GET",
            url=f"{self._settings.device_data_url}/v1/user/device-data/{user_device_id}/historical",
            params=span | REFRESH if refresh else span,
            retry_params=REFRESH,
        )
        try:
            answer = self._calls.call(request, read_answer)
        except HttpRefusedError as refused:
            raise _refusal(refused) from refused
        found, size = answer.value
        return Draw(
            window=window,
            total=found.total,
            exact=found.exact,
            hits=found.hits,
            requests=answer.requests,
            privileges=None,
            size_bytes=size,
        )

    def listing(self) -> list[Device]:
        """The devices the account has, then those shared with it, each with its token id where it has one.

        Raises:
            AuthError: the developer token is refused.
            RequestRefusedError: the request itself is refused.
            ServiceError: no usable answer after every retry.
        """
        request = Request(
            service=DEVICES,
            about="the devices of the account",
            method="GET",
            url=f"{self._settings.devices_url}/v1/user/devices/me",
        )
        try:
            listing = self._calls.call(request, _read_listing).value
        except HttpRefusedError as refused:
            if refused.status == 401:
                raise AuthError(f"{refused}; check the licence, its key and DIMO_ENVIRONMENT.") from refused
            raise RequestRefusedError(f"{refused}; check DIMO_DEVICES_URL.") from refused
        devices = [*(listing.user_devices or []), *(listing.shared_devices or [])]
        return [Device(device.id, device.nft.token_id if device.nft else None) for device in devices]


def _read_listing(response: Response) -> _Listing:
    return decoded(response.body, _Listing)


def _refusal(refused: HttpRefusedError) -> Exception:
    if refused.status == 401:
        return AuthError(f"{refused}; check the licence, its key and DIMO_ENVIRONMENT.")
    if refused.status in (403, 404) and not no_such_route(refused):
        return VehicleRefusedError(
            f"{refused}; only the account that owns a device may ask by its user device id, anybody else by token id."
        )
    return RequestRefusedError(f"{refused}; check DIMO_DEVICE_DATA_URL and the dates.")
