"""The services a run talks to, opened from the settings and closed with it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from importlib import import_module
from types import TracebackType
from typing import cast

from dimo_etl.api.auth import AccessTokens, access_tokens
from dimo_etl.api.distances import Distances, DistanceSource
from dimo_etl.api.exchange import DISTANCES, SIGNALS, STATUS, VehicleTokens
from dimo_etl.api.identity import SharedVehicle, shared_vehicles
from dimo_etl.api.retry import RetryPolicy
from dimo_etl.api.status import StatusRoutes
from dimo_etl.api.telemetry import Telemetry
from dimo_etl.api.telemetry_distances import TelemetryDistances
from dimo_etl.api.telemetry_status import TelemetryStatus
from dimo_etl.api.transport import Transport
from dimo_etl.api.user_devices import Device, UserDevices
from dimo_etl.config import Settings
from dimo_etl.errors import DimoError, InputError
from dimo_etl.history.device_data import DeviceDataSource
from dimo_etl.history.source import Source
from dimo_etl.history.sources import SOURCES
from dimo_etl.lake.vehicles import KnownVehicle, Listing
from dimo_etl.model import Vehicle
from dimo_etl.names import Names
from dimo_etl.snapshots.take import StatusSource

_log = logging.getLogger("dimo_etl")


class Connection:
    """A licence's way to its vehicles.

    Args:
        settings: the services and the licence.
        known: vehicles seen before; what they granted then chooses what is asked for now, until the service tells,
            and the two names of each are known from them.
        policy: how patiently requests are repeated.

    Attributes:
        transport: counts the requests and retries sent.
        listing: what the identity service listed; None as long as it was not asked.
    """

    def __init__(
        self, settings: Settings, known: Iterable[KnownVehicle] = (), *, policy: RetryPolicy | None = None
    ) -> None:
        self._settings = settings
        known = list(known)
        self._names = Names([one.vehicle for one in known], self._devices_of_account)
        self._granted = {
            one.vehicle.token_id: frozenset(one.sharing.permissions)
            for one in known
            if one.vehicle.token_id is not None and one.sharing.permissions is not None
        }
        self.listing: Listing | None = None
        self.transport = Transport.for_settings(settings, policy)

    def vehicles(self, only: Sequence[str] = ()) -> list[Vehicle]:
        """The vehicles the settings name, else all that are shared with the licence, by id.

        A vehicle named by a user device id that has a token id is the token id's vehicle.

        Args:
            only: token ids and user device ids to choose from them; empty for all of them. Without vehicles in the
                settings, a device of the licence's own account may be chosen, too.

        Raises:
            InputError: an id of `only` is not among them.
            ConfigError, ServiceError, RequestRefusedError: the listing is needed and not to be had.
        """
        named = self._settings.vehicles
        if named:
            found = {vehicle.vehicle_id: vehicle for vehicle in map(self._names.vehicle, named)}
        else:
            shared = [self._names.with_device(shared.vehicle) for shared in self._shared()]
            found = {vehicle.vehicle_id: vehicle for vehicle in shared}
        if not only:
            return [found[vehicle_id] for vehicle_id in sorted(found)]
        chosen: list[Vehicle] = []
        for name in only:
            vehicle = self._names.vehicle(name)
            if vehicle.vehicle_id not in found and (named or not self._names.is_listed(name)):
                raise _unknown(name, sorted(found))
            chosen.append(found.get(vehicle.vehicle_id, vehicle))
        return list(dict.fromkeys(chosen))

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
        return [self._names.with_device(known.get(vehicle.vehicle_id, vehicle)) for vehicle in vehicles]

    def source(self) -> Source:
        """The source of history; what `vehicles` learned of privileges saves asking for too many."""
        module = import_module(SOURCES[self._settings.source])
        return cast("Source", module.open_source(self.transport, self._settings, self._granted))

    def distances(self, now: Callable[[], datetime]) -> DistanceSource:
        """The distances that DIMO computes, by the service that history comes from, or by its like.

        Args:
            now: the time.
        """
        access = access_tokens(self.transport, self._settings)
        if self._settings.source != DeviceDataSource.name:
            return TelemetryDistances(self._telemetry(access), now)
        tokens = VehicleTokens(self.transport, access, self._settings, purpose=DISTANCES, granted=self._granted)
        return Distances(self.transport, tokens, access, self._settings)

    def status_source(self) -> StatusSource:
        """The newest values of each vehicle, as a service shows them now: the one that history comes from, or its like.

        The Device Data API has none for who may not read history there, and the telemetry API has them of every source.
        """
        access = access_tokens(self.transport, self._settings)
        if self._settings.source != DeviceDataSource.name:
            return TelemetryStatus(self._telemetry(access))
        tokens = VehicleTokens(self.transport, access, self._settings, purpose=STATUS, granted=self._granted)
        return StatusRoutes(self.transport, tokens, access, self._settings)

    def _telemetry(self, access: AccessTokens) -> Telemetry:
        tokens = VehicleTokens(self.transport, access, self._settings, purpose=SIGNALS, granted=self._granted)
        return Telemetry(self.transport, tokens, self._settings)

    def __enter__(self) -> Connection:
        self.transport.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.transport.__exit__(kind, error, trace)

    def _devices_of_account(self) -> list[Device]:
        # Without the listing a device is asked for by the name it was given, so it is not waited for long.
        with Transport.for_settings(self._settings, RetryPolicy(attempts=2)) as transport:
            return UserDevices(transport, access_tokens(self.transport, self._settings), self._settings).listing()

    def _shared(self) -> list[SharedVehicle]:
        shared = shared_vehicles(self.transport, self._settings)
        self.listing = Listing(datetime.now(UTC), {found.vehicle.vehicle_id: found.granted for found in shared})
        self._granted |= {int(found.vehicle.vehicle_id): found.granted for found in shared}
        return shared


def _unknown(name: str, known: Sequence[str]) -> InputError:
    return InputError(
        f"Vehicle {name} is not among those shared with this licence (known: {', '.join(known[:10]) or 'none'}); "
        "check the id, or ask the owner to share it."
    )
