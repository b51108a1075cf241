"""The services in one application, each below the prefix that the sandbox environment's addresses name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.routing import Mount

from dimo_etl.sandbox import auth, exchange
from dimo_etl.sandbox.auth import Auth
from dimo_etl.sandbox.cache import ResponseCache
from dimo_etl.sandbox.callers import Callers
from dimo_etl.sandbox.device_data import DeviceData
from dimo_etl.sandbox.devices import Devices
from dimo_etl.sandbox.exchange import Exchange
from dimo_etl.sandbox.fetch import Fetch
from dimo_etl.sandbox.front import Front, RequestLog
from dimo_etl.sandbox.identity import Identity
from dimo_etl.sandbox.telemetry import Telemetry
from dimo_etl.sandbox.tokens import DEVELOPER_LIFETIME_S, Issuer

if TYPE_CHECKING:
    from collections.abc import Callable

    from dimo_etl.sandbox.export import Exports
    from dimo_etl.sandbox.faults import Faults
    from dimo_etl.sandbox.fleet import Fleet


def build_app(
    fleet: Fleet,
    faults: Faults,
    requests: RequestLog,
    exports: Exports,
    clock: Callable[[], float],
    *,
    seed: int,
    vehicle_token_lifetime_s: int,
) -> Front:
    """Every service of the sandbox as one ASGI application.

    Args:
        fleet: what the services know.
        faults: what goes wrong.
        requests: where every request is noted.
        exports: where the export jobs go.
        clock: seconds since the epoch, for tokens and the cache.
        seed: fixes the draws of the searches.
        vehicle_token_lifetime_s: how long a vehicle token is good for.
    """
    developers = Issuer(auth.ISSUER, DEVELOPER_LIFETIME_S, clock)
    vehicles = Issuer(exchange.ISSUER, vehicle_token_lifetime_s, clock)
    faults.on_expire(developers.expire_all)
    faults.on_expire(vehicles.expire_all)
    callers = Callers(fleet, developers=developers, vehicles=vehicles)
    data = DeviceData(
        fleet,
        faults,
        ResponseCache(clock),
        seed,
        callers,
        exports,
    )
    services = Starlette(
        routes=[
            Mount("/auth", routes=Auth(developers, clock).routes()),
            Mount("/token-exchange-api", routes=Exchange(fleet, developers, vehicles).routes()),
            Mount("/device-data-api", routes=data.routes()),
            Mount("/devices-api", routes=Devices(fleet, callers).routes()),
            Mount("/exports", routes=exports.routes()),
            Mount("/identity-api", routes=Identity(fleet).routes()),
            Mount("/fetch-api", routes=Fetch(fleet, faults, vehicles).routes()),
            Mount("/telemetry-api", routes=Telemetry(fleet, faults, vehicles).routes()),
        ]
    )
    return Front(services, faults, requests)
