"""Which vehicle a name stands for: a user device id that is known to have a token id names the token id's vehicle.

So a vehicle is one vehicle under either of its names, and is asked for by the route that can be completed.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Iterable

from dimo_etl.api.user_devices import Device
from dimo_etl.errors import DimoError
from dimo_etl.model import Vehicle

_log = logging.getLogger("dimo_etl")


class Names:
    """What is known of the two names of vehicles.

    Args:
        known: vehicles seen before.
        ask: lists the devices of the account; asked at most once, and only for a device that is not known.
    """

    def __init__(self, known: Iterable[Vehicle], ask: Callable[[], list[Device]]) -> None:
        self._token_ids = {
            vehicle.user_device_id: vehicle.token_id
            for vehicle in known
            if vehicle.user_device_id is not None and vehicle.token_id is not None
        }
        self._ask = ask
        self._listed: set[str] | None = None

    def vehicle(self, name: str) -> Vehicle:
        """The vehicle that a token id or a user device id stands for."""
        if name.isdecimal():
            return self.with_device(Vehicle(name, token_id=int(name)))
        if name not in self._token_ids:
            self._look()
        token_id = self._token_ids.get(name)
        if token_id is None:
            return Vehicle(name, user_device_id=name)
        return Vehicle(str(token_id), token_id=token_id, user_device_id=name)

    def with_device(self, vehicle: Vehicle) -> Vehicle:
        """The vehicle with its user device id, where that is known."""
        found = (device for device, token_id in self._token_ids.items() if token_id == vehicle.token_id)
        return dataclasses.replace(vehicle, user_device_id=vehicle.user_device_id or next(found, None))

    def is_listed(self, user_device_id: str) -> bool:
        """Whether the account's listing, as far as it was asked, names a device."""
        return user_device_id in (self._listed or ())

    def _look(self) -> None:
        if self._listed is not None:
            return
        self._listed = set()
        try:
            devices = self._ask()
        except DimoError as error:
            # What is named is asked for by the name it was given.
            _log.warning("Which token ids the user device ids stand for is not known: %s", error)
            return
        self._listed = {device.user_device_id for device in devices}
        self._token_ids |= {device.user_device_id: device.token_id for device in devices if device.token_id is not None}
