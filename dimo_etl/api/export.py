"""The export job of the Device Data API: asked for here, it mails its owner a link to every document of a device.

The job takes no dates and tells nothing of how it goes; the link it mails is good for 24 hours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from dimo_etl.api.decode import decoded
from dimo_etl.api.messages import DEVICE_DATA, HttpRefusedError, Request, Response
from dimo_etl.api.owner_calls import OwnerCalls
from dimo_etl.api.text import printable
from dimo_etl.errors import AuthError, RequestRefusedError, VehicleRefusedError

if TYPE_CHECKING:
    from dimo_etl.api.auth import AccessTokens
    from dimo_etl.api.transport import Transport
    from dimo_etl.config import Settings


class _Started(msgspec.Struct):
    message: str = ""


class Exports:
    """Asks for exports of the account's own devices."""

    def __init__(self, transport: Transport, access_tokens: AccessTokens, settings: Settings) -> None:
        self._calls = OwnerCalls(transport, access_tokens)
        self._base = settings.device_data_url

    def request(self, user_device_id: str) -> str:
        """Start the export of a device.

        Returns:
            What the service says about it.

        Raises:
            VehicleRefusedError: the account has no such device.
            RequestRefusedError: the account has no verified mail address, or the request itself is refused.
            AuthError: the developer token is refused.
            ServiceError: no usable answer after every retry.
        """
        request = Request(
            service=DEVICE_DATA,
            about=f"the export of device {user_device_id}",
            method="POST",
            url=f"{self._base}/v1/user/device-data/{user_device_id}/export/json/email",
        )
        try:
            return self._calls.call(request, _read).value
        except HttpRefusedError as refused:
            raise _refusal(refused) from refused


def _read(response: Response) -> str:
    return printable(decoded(response.body, _Started).message)


def _refusal(refused: HttpRefusedError) -> Exception:
    if refused.status == 409:
        return RequestRefusedError(
            f"{refused}; the link comes by mail, so verify the account's address in the DIMO app, then ask again."
        )
    if refused.status == 404 and not refused.message.startswith("Cannot POST"):
        return VehicleRefusedError(f"{refused}; only its owner's account can ask for it.")
    if refused.status in (401, 403):
        return AuthError(f"{refused}; check the licence, its key and DIMO_ENVIRONMENT.")
    return RequestRefusedError(f"{refused}; check DIMO_DEVICE_DATA_URL.")
