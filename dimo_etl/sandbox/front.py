"""What stands before the services: it notes every request, and it is where connections and answers break."""

from __future__ import annotations

import asyncio
import socket
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from starlette.responses import HTMLResponse

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from dimo_etl.sandbox.faults import Faults

# Where the server keeps the connection's transport in the scope's state, see `server.py`.
TRANSPORT = "sandbox.transport"


@dataclass(frozen=True, slots=True)
class ServedRequest:
    """A request the sandbox served; `status` is None where the connection was reset instead."""

    method: str
    path: str
    query: str
    status: int | None


class RequestLog(list[ServedRequest]):
    """Every request served so far, oldest first. An entry is there before the client has its answer."""

    def below(self, path: str) -> list[ServedRequest]:
        """The requests whose path starts with `path`."""
        return [request for request in list(self) if request.path.startswith(path)]


class Front:
    """The application that notes requests and lets faults happen, around the services."""

    def __init__(self, services: ASGIApp, faults: Faults, requests: RequestLog) -> None:
        self._services = services
        self._faults = faults
        self._requests = requests

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._services(scope, receive, send)
            return
        fault = self._faults.take_http(scope["path"])

        async def noting(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._note(scope, message["status"])
            await send(message)

        if fault is None:
            await self._services(scope, receive, noting)
        elif fault.kind == "reset":
            self._note(scope, None)
            await _reset(scope)
        elif fault.kind == "answer":
            headers = {} if fault.retry_after is None else {"Retry-After": fault.retry_after}
            page = f"<html><head><title>{fault.status}</title></head><body>{fault.status}</body></html>"
            await HTMLResponse(page, fault.status, headers)(scope, receive, noting)
        elif fault.kind == "slow":
            await asyncio.sleep(fault.seconds)
            await self._services(scope, receive, noting)
        else:
            await self._cut(scope, receive, noting)

    async def _cut(self, scope: Scope, receive: Receive, send: Send) -> None:
        messages: list[Message] = []

        async def keep(message: Message) -> None:
            messages.append(message)

        await self._services(scope, receive, keep)
        content = b"".join(message.get("body", b"") for message in messages[1:])
        await send(messages[0])
        await send({"type": "http.response.body", "body": content[: len(content) // 2], "more_body": True})
        _transport(scope).close()
        await asyncio.sleep(0)  # so that the server knows the connection is gone before this returns

    def _note(self, scope: Scope, status: int | None) -> None:
        query = scope["query_string"].decode("latin-1")
        self._requests.append(ServedRequest(scope["method"], scope["path"], query, status))


async def _reset(scope: Scope) -> None:
    transport = _transport(scope)
    # Lingering for no time makes the system send a reset instead of an orderly end.
    connection = cast("socket.socket", transport.get_extra_info("socket"))
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
    await asyncio.sleep(0)


def _transport(scope: Scope) -> asyncio.Transport:
    return cast("asyncio.Transport", scope["state"][TRANSPORT])
