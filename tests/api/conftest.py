"""Real servers on the loopback, and a transport that does not really wait between its tries."""

from __future__ import annotations

import dataclasses
import json

import pytest

from dimo_etl.api.transport import Transport
from dimo_etl.config import SANDBOX_LICENCE, Settings
from tests.api.routes import Routes
from tests.api.server import Server


@pytest.fixture
def server():
    server = Server()
    yield server
    server.close()


@pytest.fixture
def service(server) -> Routes:
    """The token exchange and the routes under test, with answers lined up."""
    return Routes(server)


@pytest.fixture
def waits() -> list[float]:
    """The seconds the transport would have slept."""
    return []


@pytest.fixture
def make_transport(waits):
    made = []

    def make(**options) -> Transport:
        options = {"concurrency": 4, "sleep": waits.append, "uniform": lambda: 0.5} | options
        made.append(Transport(**options))
        return made[-1]

    yield make
    for transport in made:
        transport.__exit__(None, None, None)


@pytest.fixture
def transport(make_transport) -> Transport:
    return make_transport()


@pytest.fixture
def settings(server) -> Settings:
    """The sandbox's licence, with every service at the test's server."""
    names = ("AUTH", "TOKEN_EXCHANGE", "DEVICE_DATA", "DEVICES", "IDENTITY", "TELEMETRY", "FETCH")
    return Settings.from_environment(
        SANDBOX_LICENCE
        | {"DIMO_ENVIRONMENT": "production", "DIMO_MAX_RPS": "8"}
        | {f"DIMO_{name}_URL": server.url for name in names}
    )


@pytest.fixture
def change():
    """Settings with some fields changed."""
    return dataclasses.replace


@pytest.fixture
def as_json():
    return lambda value: json.dumps(value).encode()
