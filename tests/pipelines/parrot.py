"""A server before the services that says back what it was told in confidence: in pages, headers, redirects and JSON.

It passes on what it does not spoil, and remembers every credential that went through it, in either direction.
"""

from __future__ import annotations

import http.client
import json
import re
import threading
from collections import Counter
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self
from urllib.parse import urlsplit

from tests.serving import serving

_JWT = re.compile(rb"eyJ[\w-]+\.[\w-]+\.[\w-]+")
_OWN = ("connection", "transfer-encoding", "host", "content-length", "accept-encoding", "content-encoding", "date")


class Parrot:
    """The server; a context manager.

    Args:
        target: the services' root, `http://127.0.0.1:4711`.
        vehicle: whose history ends in a refusal, after failures of every kind.
        last: the vehicle to which no token is given, after that, whatever developer token is shown.
    """

    def __init__(self, target: str, vehicle: int, last: int) -> None:
        self.target = urlsplit(target)
        self.vehicle, self.last = vehicle, last
        self.told: set[bytes] = set()
        self.said: Counter[str] = Counter()
        self.refused = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.parrot = self
        self._serving = serving(self._server)

    def __enter__(self) -> Self:
        self._serving.__enter__()
        return self

    def __exit__(self, *raised: object) -> None:
        self._serving.__exit__(*raised)

    def environment(self, variables: Mapping[str, str]) -> dict[str, str]:
        """The variables of a client of the services, with this between them."""
        own = f"http://127.0.0.1:{self._server.server_address[1]}"
        target = f"{self.target.scheme}://{self.target.netloc}"
        return {name: value.replace(target, own) for name, value in variables.items()}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        parrot: Parrot = self.server.parrot
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        secret = self.headers.get("Authorization", "").removeprefix("Bearer ")
        parrot.told |= set(_JWT.findall(secret.encode()))
        if f"/vehicle/{parrot.vehicle}/" in self.path:
            self._say_back(f"your token is {secret}", secret)
        elif b'"tokenId":%d' % parrot.last in body:
            parrot.refused.wait(60)
            self._answer(401, json.dumps({"message": f"no good: {secret}"}).encode(), secret)
        else:
            self._pass_on(body, secret)

    do_POST = do_GET  # noqa: N815

    def _say_back(self, words: str, secret: str) -> None:
        parrot: Parrot = self.server.parrot
        number = sum(parrot.said.values())
        ways = ("page", "redirect", "JSON", "no JSON", "refusal")
        way = ways[min(number, len(ways) - 1)]
        parrot.said[way] += 1
        if way == "page":
            self._answer(
                500, f"<html><body><p>{words}</p>Authorization: Bearer {secret}</body></html>".encode(), secret
            )
        elif way == "redirect":
            self._answer(302, words.encode(), secret, location=f"http://localhost:1/?token={secret}")
        elif way == "JSON":
            self._answer(503, json.dumps({"error": {"token": secret}, "message": words}).encode(), secret)
        elif way == "no JSON":
            self._answer(200, words.encode(), secret)
        else:
            self._answer(400, json.dumps({"code": 400, "message": words}).encode(), secret)
            parrot.refused.set()

    def _pass_on(self, body: bytes, secret: str) -> None:
        parrot: Parrot = self.server.parrot
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _OWN}
        connection = http.client.HTTPConnection(parrot.target.hostname, parrot.target.port, timeout=60)
        try:
            connection.request(self.command, self.path, body or None, headers)
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        parrot.told |= set(_JWT.findall(content))
        self._answer(answer.status, content, secret)

    def _answer(self, status: int, body: bytes, secret: str, *, location: str = "") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Your-Token", secret)
        self.send_header("Set-Cookie", f"token={secret}")
        if location:
            self.send_header("Location", location)
        self.end_headers()
        self.wfile.write(body)
