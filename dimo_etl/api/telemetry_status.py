"""The newest value of each signal, as the Telemetry API shows it now, in place of the Device Data API's status."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from dimo_etl.api.decode import decoded
from dimo_etl.api.status import Endpoint, Status
from dimo_etl.api.telemetry import PLACE

if TYPE_CHECKING:
    from dimo_etl.api.graphql import Reply
    from dimo_etl.api.telemetry import Telemetry
    from dimo_etl.model import Vehicle

_QUERY = f"""query ($id: Int!) {{
  signalsSnapshot(tokenId: $id) {{
    lastSeen
    signals {{ name timestamp valueNumber valueString valueLocation {{ {PLACE} }} }}
  }}
}}"""


class _Snapshot(msgspec.Struct):
    shown: msgspec.Raw = msgspec.field(name="signalsSnapshot", default=msgspec.Raw(b"null"))


class _Signals(msgspec.Struct):
    signals: list[msgspec.Raw] | None = None


class TelemetryStatus:
    """See `snapshots.take.StatusSource`."""

    endpoints = (Endpoint.SIGNALS,)

    def __init__(self, service: Telemetry) -> None:
        self._telemetry = service

    def status(self, vehicle: Vehicle, endpoint: Endpoint) -> Status | None:
        """Ask what the newest values of a vehicle are.

        Args:
            vehicle: asked for by its token id.
            endpoint: the one there is.

        Returns:
            The answer; None where the vehicle has no token id, the only name the service knows.

        Raises:
            the errors of `Telemetry`.
        """
        if vehicle.token_id is None:
            return None
        about = f"the {endpoint.split('/')[1]} of vehicle {vehicle.vehicle_id}"
        answer = self._telemetry.ask(vehicle.token_id, _QUERY, _read, about=about)
        return Status(answer.value or None, answer.requests)


def _read(reply: Reply) -> bytes:
    """What is shown, as received; empty where that is nothing."""
    shown = bytes(reply.read(_Snapshot).shown)
    signals = decoded(shown, _Signals | None)  # type: ignore[arg-type]  # a union is a type to msgspec
    return shown if signals is not None and signals.signals else b""
