"""The services a run talks to, opened from the settings and closed with it."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from types import TracebackType

from dimo_etl.api.auth import access_tokens
from dimo_etl.api.device_data import DeviceData
from dimo_etl.api.distances import Distances
from dimo_etl.api.exchange import DISTANCES, STATUS, VehicleTokens
from dimo_etl.api.identity import SharedVehicle, shared_vehicles
from dimo_etl.api.retry import RetryPolicy
from dimo_etl.api.status import StatusRoutes
from dimo_etl.api.transport import Transport
from dimo_etl.config import Settings
from dimo_etl.errors import DimoError, InputError
from dimo_etl.lake.vehicles import KnownVehicle, Listing
from dimo_etl.model import Vehicle

_log = logging.getLogger("dimo_etl")


class Connection:
    """A licence's way to its vehicles.

    Args:
        settings: the services and the licence.
        known: vehicles seen before; what they granted then chooses what is asked for now, until the service tells.
        policy: how patiently requests are repeated.

    Attributes:
        transport: counts the requests and retries sent.
        listing: what the identity service listed; None as long as it was not asked.
    """

    def __init__(
        self, settings: Settings, known: Iterable[KnownVehicle] = (), *, policy: RetryPolicy | None = None
    ) -> None:
        self._settings = settings
        self._granted = {
            one.vehicle.token_id: frozenset(one.sharing.permissions)
            for one in known
            if one.vehicle.token_id is not None and one.sharing.permissions is not None
        }
        self.listing: Listing | None = None
        self.transport = Transport.for_settings(settings, policy)

    def vehicles(self) -> list[Vehicle]:
        """The vehicles the settings name, else all that are shared with the licence, by id.

        Raises:
            ConfigError, ServiceError, RequestRefusedError: the listing is needed and not to be had.
        """
        named = self._settings.vehicles
        if not named:
            return [shared.vehicle for shared in self._shared()]
        return sorted((_bare(name) for name in named), key=lambda vehicle: vehicle.vehicle_id)

    def described_vehicles(self) -> list[Vehicle]:
        """The same vehicles with make, model and year, where the identity API tells them.

        Raises:
            the errors of `vehicles`.
        """
        vehicles = self.vehicles()
        if not self._settings.vehicles or self._settings.client_id is None:
            return vehicles
        try:
            known = {shared.vehicle.vehicle_id: shared.vehicle for shared in self._shared()}
        except DimoError as error:
            # The vehicles are named already; the listing would only tell their makes.
            _log.warning("The makes of the vehicles that DIMO_VEHICLES names are not known: %s", error)
            return vehicles
        return [known.get(vehicle.vehicle_id, vehicle) for vehicle in vehicles]

    def device_data(self) -> DeviceData:
        """The Device Data API; what `vehicles` learned of privileges saves it from asking for too many."""
        access = access_tokens(self.transport, self._settings)
        tokens = VehicleTokens(self.transport, access, self._settings, granted=self._granted)
        return DeviceData(self.transport, tokens, self._settings)

    def distances(self) -> Distances:
        """The distances that DIMO computes."""
        access = access_tokens(self.transport, self._settings)
        tokens = VehicleTokens(self.transport, access, self._settings, purpose=DISTANCES, granted=self._granted)
        return Distances(self.transport, tokens, access, self._settings)

    def status_routes(self) -> StatusRoutes:
        """The newest values of each vehicle, as the service shows them now."""
        access = access_tokens(self.transport, self._settings)
        tokens = VehicleTokens(self.transport, access, self._settings, purpose=STATUS, granted=self._granted)
        return StatusRoutes(self.transport, tokens, access, self._settings)

    def __enter__(self) -> Connection:
        self.transport.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.transport.__exit__(kind, error, trace)

    def _shared(self) -> list[SharedVehicle]:
        shared = shared_vehicles(self.transport, self._settings)
        self.listing = Listing(datetime.now(UTC), {found.vehicle.vehicle_id: found.granted for found in shared})
        self._granted |= {int(found.vehicle.vehicle_id): found.granted for found in shared}
        return shared


def choose(vehicles: Sequence[Vehicle], wanted: Sequence[str]) -> list[Vehicle]:
    """The vehicles a user asked for by id; all of them where none was named.

    Raises:
        InputError: an id is not among the vehicles.
    """
    if not wanted:
        return list(vehicles)
    by_name = {vehicle.vehicle_id: vehicle for vehicle in vehicles}
    by_name |= {vehicle.user_device_id: vehicle for vehicle in vehicles if vehicle.user_device_id}
    unknown = [name for name in wanted if name not in by_name]
    if unknown:
        known = ", ".join(sorted(by_name)[:10]) or "none"
        raise InputError(
            f"Vehicle {unknown[0]} is not among those shared with this licence (known: {known}); "
            "check the id, or ask the owner to share it."
        )
    return list(dict.fromkeys(by_name[name] for name in wanted))


def _bare(name: str) -> Vehicle:
    return Vehicle(name, token_id=int(name)) if name.isdecimal() else Vehicle(name, user_device_id=name)
