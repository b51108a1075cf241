"""Bad weather between a client and any service: a server that passes requests on, and spoils most of the answers.

It knows nothing of `dimo_etl`, and of the services only that they speak HTTP and JSON. What it may do to an answer is
in `FAULTS`, by name; which of them a request meets hangs on the seed, the request, and how often it was spoiled before,
so that threads that ask in another order meet the same weather. No request is spoiled more than `times`, so that a
client that is patient and careful gets every answer as if the day had been calm.

Whatever a client must not do is written to `violations`.
"""

from __future__ import annotations

import gzip
import http.client
import json
import random
import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self
from urllib.parse import urlsplit

from tests.serving import serving

HTML = b"<html><head><title>Sorry</title></head><body>We are <b>busy</b> \x1b[31m&#27;[2J</body></html>"
# Longer than any of a client's own waits, so that the waits it was asked for are known from the others.
ASKED_SECONDS = 17
_HOP_BY_HOP = ("connection", "keep-alive", "transfer-encoding", "host", "content-length", "accept-encoding")
_ENDLESS_BYTES = 1 << 30


@dataclass(slots=True)
class Answer:
    """What the service said."""

    status: int
    headers: dict[str, str]
    body: bytes

    def with_member(self, member: bytes) -> bytes:
        """The body with one more member ahead of its own; what is no object is left as it is."""
        text = self.body.lstrip()
        return b"{" + member + b"," + text[1:] if text.startswith(b"{") and len(text) > 2 else self.body

    def twice(self, *, wrong_last: bool) -> bytes:
        """The body with each of its members twice, once with a value of another type."""
        try:
            names = list(json.loads(self.body))
        except ValueError:
            return self.body
        wrong = b",".join(b'%b:[[],"%b"]' % (json.dumps(name).encode(), b"x" * 9) for name in names)
        if not names or not wrong or not self.body.startswith(b"{"):
            return b"[]"
        own = self.body.strip()
        return own[:-1] + b"," + wrong + b"}" if wrong_last else b"{" + wrong + b"," + own[1:]


Fault = Callable[["_Handler"], None]
_Asked = tuple[str, bytes]
BEFORE: dict[str, Fault] = {
    "429": lambda to: to.say(429, HTML, kind="text/html"),
    "429 in seconds": lambda to: to.say(429, b"slow down", **{"Retry-After": str(ASKED_SECONDS)}),
    "429 until a date": lambda to: to.say(429, b"", **{"Retry-After": to.later()}),
    "500": lambda to: to.say(500, b'{"code":500,"message":"Internal error."}'),
    "502": lambda to: to.say(502, HTML, kind="text/html"),
    "503": lambda to: to.say(503, b""),
    "503 until a date": lambda to: to.say(503, b"\xff\xfe", **{"Retry-After": to.later()}),
    "504": lambda to: to.say(504, b"null"),
    "302 elsewhere": lambda to: to.say(302, b"", Location=to.storm.elsewhere),
    "307 elsewhere": lambda to: to.say(307, b"", Location=to.storm.elsewhere),
    "204": lambda to: to.say(204, None),
    "reset": lambda to: to.reset(),
    "hang up": lambda to: to.hang_up(),
    "no HTTP": lambda to: to.raw(b"SSH-2.0-OpenSSH_9.9\r\n\r\n"),
    "a header without end": lambda to: to.raw(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000),
    "an HTML page": lambda to: to.say(200, HTML, kind="text/html"),
    "nothing": lambda to: to.say(200, b"", kind="application/json"),
    "a list": lambda to: to.say(200, b"[]"),
    "an empty object": lambda to: to.say(200, b"{}"),
    "null data": lambda to: to.say(200, b'{"data":null,"hits":null,"token":null}'),
    "another shape": lambda to: to.say(200, b'{"data":[{"hits":7}],"hits":{"total":"5","hits":{}},"token":5}'),
    "an error under 200": lambda to: to.say(200, b'{"errors":[{"message":"failed to query db"}],"data":null}'),
    "deep nesting": lambda to: to.say(200, b'{"data":' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
    "deep objects": lambda to: to.say(200, b'{"a":' * 50_000),
    "an encoding of its own": lambda to: to.say(200, b"\x1b\x2f", **{"Content-Encoding": "br"}),
    "no gzip": lambda to: to.say(200, b"plain", **{"Content-Encoding": "gzip"}),
    "a gzip bomb": lambda to: to.say(200, to.storm.bomb, **{"Content-Encoding": "gzip"}),
    "a body without end": lambda to: to.without_end(),
}
AFTER: dict[str, Callable[[_Handler, Answer], None]] = {
    "cut short": lambda to, it: to.cut(it.body, it.body[: len(it.body) // 2]),
    "cut in gzip": lambda to, it: to.say(
        200, gzip.compress(it.body)[: -9 - len(it.body) // 8], **{"Content-Encoding": "gzip"}
    ),
    "cut in chunks": lambda to, it: to.chunks(it.body[: 1 + len(it.body) // 2], ended=False),
    "reset within": lambda to, it: to.cut(it.body, it.body[: len(it.body) // 3], reset=True),
    "longer than it says": lambda to, it: to.cut(it.body[:-1], it.body + it.body),
    "another answer behind it": lambda to, it: to.say(
        it.status, it.body, extra=b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
    ),
    "slow": lambda to, it: to.slowly(it.body),
    "another content type": lambda to, it: to.say(it.status, it.body, kind="text/html; charset=utf-7"),
    "in many gzip members": lambda to, it: to.say(
        it.status, gzip.compress(b"") * 50 + gzip.compress(it.body), **{"Content-Encoding": "gzip"}
    ),
    "keys twice, the first wrong": lambda to, it: to.say(it.status, it.twice(wrong_last=False)),
    "keys twice, the last wrong": lambda to, it: to.say(200, it.twice(wrong_last=True)),
    "NaN": lambda to, it: to.say(200, it.with_member(b'"x":NaN')),
    "a huge number": lambda to, it: to.say(200, it.with_member(b'"x":1' + b"0" * 400 + b',"y":1e999')),
    "invalid UTF-8": lambda to, it: to.say(200, it.with_member(b'"x":"\xff\xfe\xed\xa0\x80"')),
    "a lone surrogate": lambda to, it: to.say(200, it.with_member(rb'"x":"\ud800"')),
    "a byte order mark": lambda to, it: to.say(200, b"\xef\xbb\xbf" + it.body),
    "in UTF-16": lambda to, it: to.say(200, it.body.decode("utf-8", "replace").encode("utf-16")),
    "a list around it": lambda to, it: to.say(200, b"[" + it.body + b"]"),
    "words ahead of it": lambda to, it: to.interim(it),
}
FAULTS = (*BEFORE, *AFTER)
# Asked a second time, a client has to take these for the answer.
_ONCE = frozenset({"a gzip bomb", "a body without end"})
# A submitted challenge is used up even where its answer was lost, and a client need not log in for ever.
_STATEFUL = "submit_challenge"
# A slow answer moves the one clock of the client on, so that what it reads at the same time is late as well.
_MOST_SLOW = 2


class Storm:
    """The weather; a context manager.

    Args:
        target: the service's root, `http://127.0.0.1:4711`.
        seed: chooses what happens to which request.
        times: how often one request is spoiled.
        expiring: the share of the requests whose token expires just before them, once for each.
        ahead: how far the clock of the service is ahead of the client's.
        bomb_bytes: what a gzip bomb inflates to.
        stall: told when an answer is slow, instead of being slow: moves the client's clock on.
    """

    def __init__(
        self,
        target: str,
        *,
        seed: int,
        times: int = 3,
        faults: Sequence[str] = FAULTS,
        expiring: float = 0.05,
        ahead: timedelta = timedelta(0),
        bomb_bytes: int = 1 << 26,
        stall: Callable[[], None] = lambda: None,
    ) -> None:
        self.violations: list[str] = []
        self.injected: Counter[str] = Counter()
        self.most_endless_bytes = 0
        self.expired = 0
        self.ahead = ahead
        self.stall = stall
        self.bomb = gzip.compress(bytes(bomb_bytes), 9)
        self._target = urlsplit(target)
        self._seed, self._times, self._faults, self._expiring = seed, times, list(faults), expiring
        self._spoiled: Counter[_Asked] = Counter()
        self._flooded: set[_Asked] = set()
        self._bore_a_token: set[_Asked] = set()
        self._lock = threading.Lock()
        self._servers = [_Server(("127.0.0.1", 0), kind) for kind in (_Handler, _Elsewhere)]
        for server in self._servers:
            server.storm = self
        self._serving = ExitStack()

    def __enter__(self) -> Self:
        for server in self._servers:
            self._serving.enter_context(serving(server))
        return self

    def __exit__(self, *_: object) -> None:
        self._serving.close()

    @property
    def elsewhere(self) -> str:
        """Another host, as far as a client can tell, which must never be asked."""
        return f"http://localhost:{self._servers[1].server_address[1]}/?state=secret"

    def environment(self, variables: Mapping[str, str]) -> dict[str, str]:
        """The variables of a client of the service, with this between them."""
        own = f"http://127.0.0.1:{self._servers[0].server_address[1]}"
        target = f"{self._target.scheme}://{self._target.netloc}"
        return {name: value.replace(target, own) for name, value in variables.items()}

    def now(self) -> datetime:
        """The time, by the service's clock."""
        return datetime.now(UTC) + self.ahead

    def violate(self, what: str) -> None:
        with self._lock:
            self.violations.append(what)

    def expires(self, path: str, body: bytes) -> bool:
        """Whether the token of a request is no good any more."""
        asked = _asked(path, body)
        with self._lock:
            expired = asked not in self._bore_a_token and self._chance("token", asked).random() < self._expiring
            self._bore_a_token.add(asked)
            self.expired += expired
            return expired

    def draw(self, path: str, body: bytes) -> str | None:
        """What happens to a request, if anything does."""
        asked = _asked(path, body)
        with self._lock:
            before = self._spoiled[asked]
            if before >= (1 if _STATEFUL in path else self._times):
                return None
            self._spoiled[asked] += 1
            fault = self._chance(before, asked).choice(self._faults)
            if (fault in _ONCE and asked in self._flooded) or (fault == "slow" and self.injected["slow"] == _MOST_SLOW):
                fault = "503"
            if fault in _ONCE:
                self._flooded.add(asked)
            self.injected[fault] += 1
            return fault

    def _chance(self, what: object, asked: _Asked) -> random.Random:
        return random.Random(f"{self._seed} {what} {asked}")


def _asked(path: str, body: bytes) -> _Asked:
    """What a request asks for; each login has a state of its own, and asks for the same."""
    return path, b"" if _STATEFUL in path else body


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64
    storm: Storm

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients hang up on purpose here."""


class _Elsewhere(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        what = "credentials" if self.headers.get("Authorization") else "a request"
        self.server.storm.violate(f"{what} followed a redirect to another host")
        self.send_error(404)

    do_POST = do_GET  # noqa: N815

    def log_message(self, *args: object) -> None:
        """Say nothing."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    @property
    def storm(self) -> Storm:
        return self.server.storm

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = self.path.replace("&refresh=true", "")
        fault = self.storm.draw(path, body)
        if fault in BEFORE:
            BEFORE[fault](self)
            return
        answer = self._passed_on(path, body)
        if fault is not None:
            AFTER[fault](self, answer)
            return
        self.say(answer.status, answer.body, kind=answer.headers.get("content-type", ""))

    do_POST = do_GET  # noqa: N815

    def log_message(self, *args: object) -> None:
        """Say nothing."""

    def date_time_string(self, timestamp: float | None = None) -> str:
        return format_datetime(self.storm.now(), usegmt=True)

    def later(self) -> str:
        """The date of a Retry-After."""
        return format_datetime(self.storm.now() + timedelta(seconds=ASKED_SECONDS), usegmt=True)

    def say(
        self, status: int, body: bytes | None, *, kind: str = "application/json", extra: bytes = b"", **headers: str
    ):
        """An answer that is as long as it says, and maybe more bytes behind it."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if body is not None:
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write((body or b"") + extra)
        self.wfile.flush()

    def cut(self, whole: bytes, sent: bytes, *, reset: bool = False) -> None:
        """A body that is another than its length says."""
        self.send_response(200)
        self.send_header("Content-Length", str(len(whole)))
        self.end_headers()
        self.wfile.write(sent)
        self.wfile.flush()
        self.reset() if reset else self.hang_up()

    def chunks(self, body: bytes, *, ended: bool) -> None:
        """A body in chunks."""
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.write(b"%x\r\n%b\r\n" % (len(body), body) + (b"0\r\n\r\n" if ended else b""))
        self.wfile.flush()
        self.close_connection = not ended

    def without_end(self) -> None:
        """Chunks of white space until the client has had enough."""
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        chunk, sent = b"10000\r\n" + b" " * 0x10000 + b"\r\n", 0
        self.close_connection = True
        try:
            while sent < _ENDLESS_BYTES:
                self.wfile.write(chunk)
                sent += len(chunk)
        except OSError:
            pass
        self.storm.most_endless_bytes = max(self.storm.most_endless_bytes, sent)

    def slowly(self, body: bytes) -> None:
        """A body that takes minutes: half of it, a long time, the rest."""
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2])
        self.wfile.flush()
        self.storm.stall()
        self.wfile.write(body[len(body) // 2 :])
        self.wfile.flush()

    def interim(self, answer: Answer) -> None:
        """Informational answers ahead of the real one."""
        for _ in range(5):
            self.send_response_only(103)
            self.end_headers()
        self.say(answer.status, answer.body)

    def raw(self, text: bytes) -> None:
        """Something that is no answer."""
        self.wfile.write(text)
        self.wfile.flush()
        self.close_connection = True

    def hang_up(self) -> None:
        """Close the connection, in order."""
        self.wfile.flush()
        self.close_connection = True

    def reset(self) -> None:
        """Close the connection, as a process that dies does."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True

    def _passed_on(self, path: str, body: bytes) -> Answer:
        """The service's own answer; to a token that has expired, what it says to one that it does not know."""
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP_BY_HOP}
        bearer = headers.get("Authorization")
        if bearer is not None and self.storm.expires(path, body):
            headers["Authorization"] = bearer[:-6] + "expire"
        target = self.storm._target
        connection = http.client.HTTPConnection(target.hostname or "", target.port, timeout=60)
        try:
            connection.request(self.command, self.path, body or None, headers)
            response = connection.getresponse()
            kept = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, kept, response.read())
        finally:
            connection.close()
