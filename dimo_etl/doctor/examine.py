"""The checks in their order, and which needs which."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from pathlib import Path

from dimo_etl.api.retry import RetryPolicy
from dimo_etl.config import Settings, load_environment
from dimo_etl.connection import Connection
from dimo_etl.doctor import here, warehouse
from dimo_etl.doctor.findings import Checks, Finding, Verdict
from dimo_etl.doctor.services import Services
from dimo_etl.orchestrator import orchestrator

# Somebody waits: one more try tells a hiccup from an outage.
_POLICY = RetryPolicy(attempts=2, longest_asked_seconds=5.0)


def examine(environ: Mapping[str, str], folder: Path, clock: Callable[[], float]) -> Generator[Finding]:
    """Look at everything, one finding after the other.

    Args:
        environ: the environment.
        folder: the working directory, where `.env` may lie.
        clock: seconds since the epoch, as this machine has it.
    """
    checks = Checks()
    yield checks.make("versions", here.versions)
    yield checks.make("dagster", lambda: orchestrator().health())
    merged: dict[str, str] = {}

    def configured() -> str:
        merged.update(load_environment(environ, folder))
        return here.configuration(environ, merged, folder)

    configuration = checks.make("configuration", configured)
    yield configuration
    if configuration.verdict is not Verdict.OK:
        names = ("credentials", "services", "clock", "developer token", "vehicles", "warehouse", "disk", "duckdb")
        yield from (checks.make(name, str, needs=("configuration",)) for name in names)
        return
    settings = Settings.from_environment(merged)
    yield checks.make("credentials", lambda: here.credentials(settings, clock()))
    with Connection(settings, policy=_POLICY) as connection:
        yield from _services(checks, settings, Services(settings, connection, clock))
    yield checks.make("warehouse", lambda: warehouse.writable(settings.warehouse))
    yield checks.make("disk", lambda: warehouse.room(settings.warehouse))
    yield checks.make("duckdb", lambda: warehouse.views(settings.warehouse), needs=("warehouse",))


def _services(checks: Checks, settings: Settings, services: Services) -> Iterator[Finding]:
    for service in services.all:
        yield checks.make(service.name, lambda service=service: services.reach(service))  # type: ignore[misc]
    auth, exchange, _, identity, *_ = (service.name for service in services.all)
    yield checks.make("clock", services.clock)
    made_here = () if settings.access_token else (auth,)
    yield checks.make("developer token", services.developer_token, needs=("credentials", *made_here))
    yield checks.make("vehicles", services.listing, needs=() if settings.vehicles else (identity,))
    vehicles = checks.make("vehicle tokens", lambda: "", needs=("vehicles", "developer token", exchange))
    if vehicles.verdict is Verdict.OK:
        yield from services.permissions()
    else:
        yield vehicles
