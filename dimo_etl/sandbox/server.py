"""The sandbox as a real HTTP server on loopback: in a thread for tests and the demo, or in the foreground."""

from __future__ import annotations

import asyncio
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, date, datetime
from types import TracebackType
from typing import Self, cast

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from dimo_etl.config import SANDBOX_LICENCE, SANDBOX_PORT
from dimo_etl.errors import InputError
from dimo_etl.sandbox.app import build_app
from dimo_etl.sandbox.export import Exports
from dimo_etl.sandbox.faults import Faults
from dimo_etl.sandbox.fleet import HISTORY_DAYS, Fleet, end_of_day
from dimo_etl.sandbox.front import TRANSPORT, RequestLog
from dimo_etl.sandbox.tokens import VEHICLE_LIFETIME_S

_HOST = "127.0.0.1"
_PREFIXES = {
    "DIMO_AUTH_URL": "auth",
    "DIMO_TOKEN_EXCHANGE_URL": "token-exchange-api",
    "DIMO_DEVICE_DATA_URL": "device-data-api",
    "DIMO_DEVICES_URL": "devices-api",
    "DIMO_IDENTITY_URL": "identity-api",
    "DIMO_FETCH_URL": "fetch-api",
    "DIMO_TELEMETRY_URL": "telemetry-api",
}


class SandboxServer:
    """A sandbox that runs while its `with` block does.

    Attributes:
        port: where it listens on 127.0.0.1; known once the block is entered where 0 was asked for.
        today: the day the fleet lives in, of which all has happened; None lives with the clock. May be changed.
        fleet: the simulated fleet, the truth behind every answer.
        faults: what goes wrong; may be set at any time.
        requests: every request served so far.
        exports: the export jobs asked for so far.
    """

    def __init__(
        self,
        port: int = SANDBOX_PORT,
        *,
        seed: int = 1,
        today: date | None = None,
        faults: Faults | None = None,
        clock: Callable[[], float] = time.time,
        vehicle_token_lifetime_s: int = VEHICLE_LIFETIME_S,
        history_days: int = HISTORY_DAYS,
        raw: bool = False,
    ) -> None:
        """Prepare a sandbox; nothing listens yet.

        Args:
            port: the port to listen on; 0 takes a free one.
            seed: chooses the fleet and the draws.
            today: see the attribute.
            faults: what goes wrong from the start.
            clock: seconds since the epoch, for tokens, the cache, and the fleet where `today` is None.
            vehicle_token_lifetime_s: how long a vehicle token is good for.
            history_days: how many days before today the documents begin.
            raw: with the vehicles that only the Fetch and Telemetry APIs know.
        """
        self.port = port
        self.today = today
        self.faults = faults or Faults()
        self.requests = RequestLog()
        self._clock = clock
        self.fleet = Fleet(seed, self._now, history_days=history_days, raw=raw)
        self.exports = Exports(self.fleet, clock)
        app = build_app(
            self.fleet,
            self.faults,
            self.requests,
            self.exports,
            clock,
            seed=seed,
            vehicle_token_lifetime_s=vehicle_token_lifetime_s,
        )
        self._server = _Server(
            uvicorn.Config(
                app,
                http=_Protocol,
                loop="asyncio",
                lifespan="off",
                log_config=None,
                log_level="warning",
                access_log=False,
                timeout_graceful_shutdown=1,
            )
        )
        self._thread: threading.Thread | None = None

    @property
    def environ(self) -> dict[str, str]:
        """The environment variables that point this project at the sandbox."""
        urls = {name: f"http://{_HOST}:{self.port}/{prefix}" for name, prefix in _PREFIXES.items()}
        return {"DIMO_ENVIRONMENT": "sandbox", **urls, **SANDBOX_LICENCE}

    def __enter__(self) -> Self:
        """Start to listen; when this returns, requests are served.

        Raises:
            InputError: the port is taken.
        """
        listener = self._listen()
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [listener]}, name="dimo-sandbox", daemon=True
        )
        self._thread.start()
        self._server.ready.wait()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop: open connections are closed, the port is free again."""
        self._server.should_exit = True
        if self._thread is not None:
            self._thread.join()

    def run(self) -> None:
        """Serve in the foreground until Ctrl-C.

        Raises:
            InputError: the port is taken.
        """
        listener = self._listen()
        lines = [f"The sandbox listens on http://{_HOST}:{self.port}; Ctrl-C stops it.", ""]
        lines += [f"export {name}={value}" for name, value in self.environ.items()]
        sys.stdout.write("\n".join(lines) + "\n")
        sys.stdout.flush()
        self.exports.deliver = _show_mail
        with suppress(KeyboardInterrupt):  # the server stops in order, then passes Ctrl-C on
            self._server.run(sockets=[listener])

    def _listen(self) -> socket.socket:
        # With the protocol named, asyncio sends small answers at once (TCP_NODELAY) instead of 40 ms later.
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((_HOST, self.port))
            listener.listen(128)  # who connects from now on is served, if not at once
        except OSError as error:
            listener.close()
            raise InputError(
                f"The sandbox cannot listen on port {self.port} ({error.strerror}); give another with --port."
            ) from error
        self.port = cast("tuple[str, int]", listener.getsockname())[1]
        return listener

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), UTC) if self.today is None else end_of_day(self.today)


def serve(port: int = SANDBOX_PORT, seed: int = 1, *, raw: bool = False) -> None:
    """Run the sandbox in the foreground until Ctrl-C, with the address and the variables to export printed first.

    Raises:
        InputError: the port is taken.
    """
    SandboxServer(port, seed=seed, raw=raw).run()


def _show_mail(link: str) -> None:
    """What the account's mail would say; the link is plain http, which an import does not follow."""
    sys.stdout.write(f"\nMail: your export is at '{link}'; download it, then import the file.\n")
    sys.stdout.flush()


class _Server(uvicorn.Server):
    """A server that says when it serves."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()


class _Protocol(H11Protocol):
    """HTTP/1.1 that hands its transport to the application, so that faults can break the connection."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.app_state = {**self.app_state, TRANSPORT: transport}
        super().connection_made(transport)
