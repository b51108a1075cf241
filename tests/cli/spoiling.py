"""A server between the program and the sandbox that puts hostile texts into whatever it answers."""

from __future__ import annotations

import http.client
import itertools
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from dimo_etl.sandbox.server import SandboxServer
from tests.hostile import HOSTILE
from tests.serving import serving

# What the sandbox answers in these places is no number, time or address, so any text may stand there.
_FREE = {"make", "model", "source", "id", "message", "dtc", "description", "fuelType"}
_TEXTS = [text for text in HOSTILE.values() if text]


class _Spoiling(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    target: str
    refused: re.Pattern[str]
    texts: Iterator[str]

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        status, content = self._passed_on(body)
        if self.refused.search(f"{self.path} {body.decode()}"):
            # Each text at once, as one body: what the program says of it is of one line.
            status, content = 403, json.dumps({"code": 403, "message": "".join(_TEXTS)}).encode()
        elif status == 200 and b"challenge" not in content:
            content = json.dumps(self._spoiled(json.loads(content))).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_POST = do_GET  # noqa: N815

    def log_message(self, *_: object) -> None: ...

    def _passed_on(self, body: bytes) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(urlsplit(self.target).netloc, timeout=60)
        try:
            kept = {
                name: value for name, value in self.headers.items() if name.lower() not in ("host", "accept-encoding")
            }
            connection.request(self.command, self.path, body or None, kept)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def _spoiled(self, value: object) -> object:
        if isinstance(value, list):
            return [self._spoiled(one) for one in value]
        if not isinstance(value, dict):
            return value
        spoiled = {
            key: next(self.texts) if key in _FREE and isinstance(one, str) else self._spoiled(one)
            for key, one in value.items()
        }
        if "odometer" in value:
            # A signal more, under a name of that kind: in a document bare, in a status with its time.
            signal, text = value["odometer"], next(self.texts)
            spoiled[text] = signal | {"value": text, "source": text} if isinstance(signal, dict) else text
        return spoiled


@contextmanager
def spoiling(sandbox: SandboxServer, *, refused: str) -> Iterator[Mapping[str, str]]:
    """The variables of a client of a server that says hostile texts, and nothing else to some requests.

    Args:
        sandbox: what it asks.
        refused: matches the path and body of what is refused.
    """
    target = f"http://127.0.0.1:{sandbox.port}"
    answering = {"target": target, "refused": re.compile(refused), "texts": itertools.cycle(_TEXTS)}
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Spoiling,), answering))
    with serving(server):
        own = f"http://127.0.0.1:{server.server_port}"
        yield {name: value.replace(target, own) for name, value in sandbox.environ.items()}
