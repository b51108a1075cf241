"""What only the services can tell: whether they answer, what time it is, and what they let this licence read."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from dimo_etl.api.auth import access_tokens
from dimo_etl.api.exchange import VehicleTokens
from dimo_etl.api.graphql import query_request
from dimo_etl.api.messages import (
    AUTH,
    DEVICE_DATA,
    DEVICES,
    FETCH,
    IDENTITY,
    TELEMETRY,
    TOKEN_EXCHANGE,
    Request,
    Service,
)
from dimo_etl.api.tokens import read_token
from dimo_etl.api.transport import Transport
from dimo_etl.config import Settings
from dimo_etl.connection import Connection
from dimo_etl.doctor.findings import Finding, looked
from dimo_etl.doctor.here import moment
from dimo_etl.errors import AuthError, ConfigError, ServiceError, VehicleRefusedError
from dimo_etl.model import Vehicle

# Tokens, signatures and schedules bear a minute of error, not more.
_SKEW_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Skew:
    """How far this machine's clock is ahead of a service's, in seconds."""

    service: Service
    seconds: float


class Services:
    """The services of the settings, asked once each.

    Args:
        settings: their addresses and the credentials.
        connection: asks them.
        clock: seconds since the epoch, as this machine has it.
    """

    def __init__(self, settings: Settings, connection: Connection, clock: Callable[[], float]) -> None:
        self._settings = settings
        self._connection = connection
        self._transport: Transport = connection.transport
        self._clock = clock
        self._source = connection.source()
        self._access = access_tokens(self._transport, settings)
        self._skew: Skew | None = None
        self.vehicles: list[Vehicle] = []

    @property
    def all(self) -> tuple[Service, ...]:
        """Those that bringing history needs; the listing of devices only for vehicles named by user device id."""
        by_device = any(not name.isdecimal() for name in self._settings.vehicles)
        return (AUTH, TOKEN_EXCHANGE, self._source.service, IDENTITY, *((DEVICES,) if by_device else ()))

    def reach(self, service: Service) -> str:
        """How long a service takes to answer.

        Raises:
            ServiceError: it cannot be reached, or is in trouble.
        """
        request = _harmless(service, self._settings)
        asked, started = self._clock(), time.monotonic()
        response = self._transport.once(request)
        seconds = time.monotonic() - started
        if response.status >= 500:
            raise ServiceError(
                f"The {service.name} answered {response.status}; try again later, or check {service.variable}."
            )
        if self._skew is None and "date" in response.headers:
            # The Date header has whole seconds: half of one is the best guess at what was cut off.
            told = parsedate_to_datetime(response.headers["date"]).timestamp() + 0.5
            self._skew = Skew(service, asked + seconds / 2 - told)
        return f"{request.url} answered {response.status} in {seconds * 1000:,.0f} ms"

    def clock(self) -> str:
        """How far this machine's clock is off.

        Raises:
            ServiceError: no service told the time.
            ConfigError: the clock is too far off.
        """
        if self._skew is None:
            raise ServiceError("No service told the time; see the lines above.")
        off, service = self._skew.seconds, self._skew.service
        words = f"{abs(off):,.0f} s {'ahead of' if off > 0 else 'behind'} that of the {service.name}"
        if abs(off) > _SKEW_SECONDS:
            raise ConfigError(f"This machine's clock is {words}; set it by network time (NTP).")
        return f"{words}"

    def developer_token(self) -> str:
        """Until when the developer token is good, as it says itself.

        Raises:
            AuthError, ServiceError: there is none to be had.
        """
        now = self._clock()
        expires = read_token(self._access.current().reveal(), now).expires_at
        if expires is None:
            return "got; it does not tell its end"
        if expires <= now:
            raise AuthError(f"The developer token expired {moment(expires)}; set a new DIMO_ACCESS_TOKEN.")
        return f"got, good until {moment(expires)} ({(expires - now) / 3600:,.0f} h)"

    def listing(self) -> str:
        """How many vehicles there are to read.

        Raises:
            ConfigError, ServiceError, RequestRefusedError: the listing is not to be had, or is empty.
        """
        self.vehicles = self._connection.described_vehicles()
        if not self.vehicles:
            raise ConfigError("No vehicle is shared with this licence; ask an owner to share one.")
        named = "named by DIMO_VEHICLES" if self._settings.vehicles else "shared with the licence"
        return f"{len(self.vehicles):,} {named}"

    def permissions(self) -> list[Finding]:
        """For each vehicle whether a token is to be had, and what it reads."""
        granted = self._connection.listing.granted if self._connection.listing else {}
        hints = {v.token_id: granted[v.vehicle_id] for v in self.vehicles if v.token_id and v.vehicle_id in granted}
        purpose = self._source.purpose
        tokens = VehicleTokens(self._transport, self._access, self._settings, purpose=purpose, granted=hints)

        def one(vehicle: Vehicle) -> Finding:
            return looked(f"vehicle {vehicle.vehicle_id}", lambda: _reads(vehicle, tokens))

        with ThreadPoolExecutor(self._settings.concurrency) as pool:
            return list(pool.map(one, self.vehicles))


def _reads(vehicle: Vehicle, tokens: VehicleTokens) -> str:
    parts = (vehicle.make, vehicle.model, vehicle.year)
    name = " ".join(str(part) for part in parts if part is not None) or "make not known"
    if vehicle.token_id is None:
        return f"{name}: has no token id here; read by its user device id, whole days at a time"
    try:
        privileges = tokens.get(vehicle.token_id).privileges
    except VehicleRefusedError as error:
        raise VehicleRefusedError(f"{name}: {error}") from error
    if 7 in privileges:
        return f"{name}: all history"
    if 4 not in privileges:
        return f"{name}: no location (privilege 4 not granted); ask its owner to grant it"
    if 1 not in privileges:
        return f"{name}: nothing but location (privilege 1 not granted); ask its owner to grant it"
    return f"{name}: all history"


def _harmless(service: Service, settings: Settings) -> Request:
    """A request that changes nothing and that any version of a service answers."""
    about = "a sign of life"
    graphql = {IDENTITY: settings.identity_url, FETCH: settings.fetch_url, TELEMETRY: settings.telemetry_url}
    if service in graphql:
        return query_request(service, graphql[service], "{__typename}", about=about)
    url = {
        AUTH: f"{settings.auth_url}/keys",
        TOKEN_EXCHANGE: f"{settings.token_exchange_url}/",
        DEVICE_DATA: f"{settings.device_data_url}/",
        DEVICES: f"{settings.devices_url}/",
    }[service]
    return Request(service, about, "GET", url)
