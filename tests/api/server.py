"""A small real HTTP server that answers what a test tells it to, and remembers what it was asked."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections import deque
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit


@dataclass
class Received:
    """A request as it arrived."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def form(self) -> dict[str, str]:
        return {key: values[0] for key, values in parse_qs(self.body.decode()).items()}

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def bearer(self) -> str:
        return self.headers.get("authorization", "").removeprefix("Bearer ")


@dataclass
class Reply:
    """An answer.

    Attributes:
        length: the Content-Length to claim, where it is not the body's.
        reset: whether to reset the connection after the body instead of ending it.
        drip: whether to go on sending a byte at a time until the client has had enough.
        drip_head: whether to do so ahead of the end of the headers.
        stay: whether to leave the connection open although the length is wrong.
    """

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    length: int | None = None
    reset: bool = False
    drip: bool = False
    drip_head: bool = False
    stay: bool = False


def ok(value, **headers: str) -> Reply:
    return Reply(200, json.dumps(value).encode(), {"Content-Type": "application/json", **headers})


def refusal(status: int, message: str) -> Reply:
    return Reply(status, json.dumps({"code": status, "message": message}).encode())


class Server:
    """Serves on a free port of the loopback until closed.

    It answers with the next reply that was lined up, and with the last one over and over; or, where `answer` is set,
    with what that function makes of the request.
    """

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.connections = 0
        self.answer = None
        self.in_flight = self.most_in_flight = 0
        self._replies: deque[Reply] = deque()
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._http = _Http(("127.0.0.1", 0), _Handler)
        self._http.owner = self
        self.host = f"127.0.0.1:{self._http.server_port}"
        self.url = f"http://{self.host}"
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def replies(self, *replies: Reply) -> None:
        self._replies = deque(replies)

    def close(self) -> None:
        self._closing.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def respond(self, request: Received) -> Reply:
        with self._lock:
            self.received.append(request)
            self.in_flight += 1
            self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            if self.answer:
                return self.answer(request)
            with self._lock:
                return self._replies.popleft() if len(self._replies) > 1 else self._replies[0]
        finally:
            with self._lock:
                self.in_flight -= 1

    def pause(self, seconds: float) -> bool:
        """Wait, unless the server closes; whether it does."""
        return self._closing.wait(seconds)


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    owner: Server

    def handle_error(self, request, client_address) -> None:
        """Clients hang up on purpose here."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Http

    def setup(self) -> None:
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.server.owner.connections += 1
        super().setup()

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {key.lower(): value for key, value in self.headers.items()}
        reply = self.server.owner.respond(Received(self.command, parts.path, query, headers, body))
        self.send_response_only(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(reply.body) if reply.length is None else reply.length))
        if reply.drip_head:
            self.flush_headers()
            self.wfile.write(b"X-Words: ")
            while not self.server.owner.pause(0.02):
                self.wfile.write(b"x")
        self.end_headers()
        self.wfile.write(reply.body)
        while reply.drip and not self.server.owner.pause(0.02):
            self.wfile.write(b" ")
        if reply.reset:
            self.request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if reply.reset or (reply.length is not None and not reply.stay):
            self.close_connection = True

    do_GET = do_POST = _serve  # noqa: N815

    def log_message(self, format, *args) -> None:  # noqa: A002
        pass
