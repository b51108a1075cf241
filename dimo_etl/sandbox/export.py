"""The export job of the Device Data API: it is asked for here, and what it makes comes by mail."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import JSONResponse

if TYPE_CHECKING:
    from starlette.responses import Response

    from dimo_etl.sandbox.tokens import Claims
    from dimo_etl.sandbox.vehicles import SimVehicle

_STARTED = "your request has been received; data will be sent to the email associated with your account"
_NO_ADDRESS = "Your account does not have a verified email address. Please verify one and try again."


class Exports:
    """The export jobs asked for so far.

    Attributes:
        verified: whether the account has a verified email address; may be set at any time.
        requested: the user device ids a job was started for, in order.
    """

    def __init__(self) -> None:
        """Start without a job, with a verified address."""
        self.verified = True
        self.requested: list[str] = []

    def request(self, caller: Claims, vehicle: SimVehicle) -> Response:
        """The answer to a request for a device's export.

        Args:
            caller: the claims of the token of who asks.
            vehicle: whose documents are wanted.
        """
        named = {"userId": str(caller.get("sub")), "userDeviceId": vehicle.user_device_id}
        if not self.verified:
            return JSONResponse({"status": "error", **named, "message": _NO_ADDRESS}, 409)
        self.requested.append(vehicle.user_device_id)
        return JSONResponse({"status": "success", **named, "message": _STARTED})
