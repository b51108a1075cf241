"""The rival service: authentication, token exchange, device data and identity on one port, and a strict protocol.

Written from the published behaviour: form-posted challenge answered as text/plain, single-use states, all-or-nothing
privileges, a search that gives at most 1,000 documents drawn at random with those of two fields ahead, both bounds
included and rounded, totals that stop at 10,000, and a cache of two minutes that keeps partial answers too.

Whatever a client must not do is written to `violations`; every history request to `asked`.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import hmac
import json
import random
import re
import secrets
import socket
import struct
import threading
import time
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self
from urllib.parse import parse_qs, unquote, urlsplit

from eth_account import Account
from eth_account.messages import encode_defunct

from tests.rival.documents import Document
from tests.serving import serving

LICENCE = Account.from_key("0x" + "7b" * 32)
DOMAIN = "https://rival.example.org/callback?x=1&y=ä"
AUTH, EXCHANGE, DATA, IDENTITY = "/deep/auth.svc", "/xchg", "/data/api", "/id"
_HISTORY = re.compile(r"/v1/vehicle/([^/]+)/history")
_BOUND = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:T(\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d))?",
)


@dataclass(slots=True)
class Asked:
    """A history request that was answered: its window in ms, how many documents are in it, and those given."""

    vehicle: int
    start_ms: int
    end_ms: int
    total: int
    given: list[Document]
    refresh: bool


@dataclass(slots=True)
class Vehicle:
    """What the service knows of a vehicle."""

    documents: list[Document] = field(default_factory=list)
    granted: frozenset[int] = frozenset({1, 3, 4})
    always: int | None = None
    listed: bool = True
    _times: list[int] = field(default_factory=list, repr=False)

    def __post_init__(self) -> None:
        self.documents.sort(key=lambda document: document.ms)
        self._times = [document.ms for document in self.documents]

    def add(self, documents: Iterable[Document]) -> None:
        self.documents = sorted([*self.documents, *documents], key=lambda document: document.ms)
        self._times = [document.ms for document in self.documents]

    def between(self, start_ms: int, end_ms: int) -> list[Document]:
        return self.documents[bisect_left(self._times, start_ms) : bisect_right(self._times, end_ms)]


# A fault takes the request's number and whether it asks for a refresh, and names what goes wrong, if anything.
Fault = Callable[[int, bool], str | None]


class Rival:
    """The service; a context manager."""

    def __init__(
        self,
        vehicles: dict[int, Vehicle],
        *,
        concurrency: int = 4,
        token_seconds: float = 600,
        page: int = 100,
        fault: Fault = lambda number, refresh: None,
        identity_faults: Iterable[str] = (),
        seed: int = 1,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.vehicles = vehicles
        self._clock = clock
        self.token_seconds = token_seconds
        self.page = page
        self.fault = fault
        self.identity_faults = list(identity_faults)
        self.violations: list[str] = []
        self.asked: list[Asked] = []
        self.calls: Counter[str] = Counter()
        self.most_at_once = 0
        self._concurrency = concurrency
        self._at_once = 0
        self._seed = seed
        self._draws: Counter[tuple[int, int, int]] = Counter()
        self._lock = threading.Lock()
        self._states: dict[str, str] = {}
        self._cache: dict[tuple[str, str], tuple[float, bytes]] = {}
        self._key = secrets.token_bytes(32)
        rival = self

        class Handler(_Handler):
            service = rival

        self._server = _Server(("127.0.0.1", 0), Handler)
        self._serving = serving(self._server)

    def __enter__(self) -> Self:
        self._serving.__enter__()
        return self

    def __exit__(self, *raised: object) -> None:
        self._serving.__exit__(*raised)

    @property
    def environment(self) -> dict[str, str]:
        """The variables that point a client here; bases have path prefixes and, some, slashes at their ends."""
        root = f"http://127.0.0.1:{self._server.server_address[1]}"
        return {
            "DIMO_ENVIRONMENT": "production",
            "DIMO_SOURCE": "device-data",
            "DIMO_CLIENT_ID": LICENCE.address,
            "DIMO_DOMAIN": DOMAIN,
            "DIMO_API_KEY": "7b" * 32,
            "DIMO_AUTH_URL": f"{root}{AUTH}/",
            "DIMO_TOKEN_EXCHANGE_URL": f"{root}{EXCHANGE}",
            "DIMO_DEVICE_DATA_URL": f"{root}{DATA}//",
            "DIMO_IDENTITY_URL": f"{root}{IDENTITY}/",
        }

    def history_requests(self) -> int:
        return self.calls["history"]

    def forget(self) -> None:
        """Start counting anew."""
        self.calls.clear()
        self.asked.clear()

    def arrive(self) -> None:
        with self._lock:
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
            if self._at_once > self._concurrency:
                self.violations.append(f"{self._at_once} requests at once")

    def leave(self) -> None:
        with self._lock:
            self._at_once -= 1

    def token(self, claims: dict[str, object], seconds: float) -> str:
        now = self._clock()
        body = {"iss": "https://rival", "iat": int(now), "exp": now + seconds, **claims}
        parts = [_b64(json.dumps({"alg": "RS256", "kid": "r1"}).encode()), _b64(json.dumps(body).encode())]
        signed = ".".join(parts)
        return f"{signed}.{_b64(hmac.new(self._key, signed.encode(), hashlib.sha256).digest())}"

    def claims(self, authorization: str | None) -> dict[str, object] | None:
        """The claims of a bearer token this service issued and that still lives."""
        if not authorization or not authorization.startswith("Bearer "):
            return None
        signed, _, signature = authorization[7:].rpartition(".")
        if _b64(hmac.new(self._key, signed.encode(), hashlib.sha256).digest()) != signature:
            return None
        body = signed.split(".")[1]
        claims: dict[str, object] = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        return claims if float(str(claims["exp"])) > self._clock() else None

    def next_number(self, what: str) -> int:
        with self._lock:
            self.calls[what] += 1
            return self.calls[what]

    def violate(self, what: str) -> None:
        with self._lock:
            self.violations.append(what)

    def search(self, token_id: int, start_ms: int, end_ms: int, refresh: bool, trap: str | None) -> bytes:
        """The body of a search; a trap makes it a partial one that is still a 200."""
        found = self.vehicles[token_id].between(start_ms, end_ms)
        total, relation = (len(found), "eq") if len(found) <= 10_000 else (10_000, "gte")
        window = (token_id, start_ms, end_ms)
        with self._lock:
            self._draws[window] += 1
            # Whatever else is asked for meanwhile, the same window is drawn the same.
            chance = random.Random(f"{self._seed} {window} {self._draws[window]}")
        scored = [((2 if doc.both_fields else 1) * chance.random(), n) for n, doc in enumerate(found)]
        drawn = sorted(scored, reverse=True)[:1000]
        failed = 0
        if trap == "shards":
            failed, drawn, total = 3, drawn[: len(drawn) // 2], len(drawn) // 2
        elif trap == "timeout":
            drawn = drawn[: len(drawn) // 3]
        elif trap == "short":
            drawn = drawn[: max(0, len(drawn) - 1)]
        if trap not in ("shards", "timeout", "short"):
            with self._lock:
                self.asked.append(Asked(token_id, start_ms, end_ms, len(found), [found[n] for _, n in drawn], refresh))
        head = {
            "took": 3,
            "timed_out": trap == "timeout",
            "_shards": {"total": 40, "successful": 40 - failed, "skipped": 20, "failed": failed},
        }
        hits = b",".join(
            b'{"_index":%b,"_id":%b,"_score":%.7f,"_source":%b}'
            % (json.dumps(doc.index).encode(), json.dumps(doc.doc_id).encode(), score, doc.payload)
            for score, doc in ((score, found[n]) for score, n in drawn)
        )
        best = f"{drawn[0][0]:.7f}" if drawn else "null"
        return b'%b,"hits":{"total":{"value":%d,"relation":"%b"},"max_score":%b,"hits":[%b]}}' % (
            json.dumps(head).encode()[:-1],
            total,
            relation.encode(),
            best.encode(),
            hits,
        )

    def cached(self, key: tuple[str, str]) -> bytes | None:
        with self._lock:
            kept = self._cache.get(key)
        return kept[1] if kept and kept[0] > time.monotonic() else None

    def keep(self, key: tuple[str, str], body: bytes) -> None:
        with self._lock:
            self._cache[key] = (time.monotonic() + 120, body)

    def new_state(self, challenge: str) -> str:
        state = secrets.token_hex(8)
        with self._lock:
            self._states[state] = challenge
        return state

    def spend_state(self, state: str) -> str | None:
        with self._lock:
            return self._states.pop(state, None)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that was killed is no news."""


class _Handler(BaseHTTPRequestHandler):
    service: Rival
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def log_message(self, *args: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        self._handle()

    def do_POST(self) -> None:
        self._handle()

    def _handle(self) -> None:
        self.service.arrive()
        self._left = False
        try:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self._route(body)
        finally:
            self._leave()

    def _leave(self) -> None:
        """Count the request as answered, before its last bytes go out."""
        if not self._left:
            self._left = True
            self.service.leave()

    def _route(self, body: bytes) -> None:
        path, service = urlsplit(self.path).path, self.service
        bearer = self.headers.get("Authorization")
        if path.startswith((AUTH, IDENTITY)) and bearer:
            service.violate(f"Authorization sent to {path}")
        if path == f"{AUTH}/auth/web3/generate_challenge":
            self._challenge(body)
        elif path == f"{AUTH}/auth/web3/submit_challenge":
            self._submit(body)
        elif path == f"{EXCHANGE}/v1/tokens/exchange":
            self._exchange(body, bearer)
        elif path == f"{IDENTITY}/query":
            self._identity(body)
        elif path.startswith(DATA) and _HISTORY.fullmatch(path[len(DATA) :]):
            self._history(path, bearer)
        else:
            service.violate(f"unknown route {self.command} {path}")
            self._send(404, f"Cannot {self.command} {path}".encode())

    def _form(self, body: bytes) -> dict[str, str]:
        if self.headers.get("Content-Type") != "application/x-www-form-urlencoded":
            self.service.violate("a form of another content type")
        return {key: values[0] for key, values in parse_qs(body.decode()).items()}

    def _challenge(self, body: bytes) -> None:
        self.service.next_number("challenge")
        form = self._form(body)
        if form.get("client_id") != LICENCE.address:
            self._send(404, b"<html><body><h1>404</h1>Invalid client_id (&#34;x&#34;).</body></html>", "text/html")
        elif form.get("domain") != DOMAIN:
            self._send(400, b"<html><body>Unregistered redirect_uri (&#34;y&#34;).</body></html>", "text/html")
        elif form.get("scope") != "openid email" or form.get("response_type") != "code":
            self._send(303, b"", location=f"{DOMAIN}&error=invalid_scope")
        else:
            text = f"rival wants you to sign in:\n{form['address']}\n\nNonce: {secrets.token_hex(8)} ünï\n "
            answer = {"state": self.service.new_state(text), "challenge": text}
            self._send(200, json.dumps(answer).encode(), "text/plain; charset=utf-8")

    def _submit(self, body: bytes) -> None:
        form = self._form(body)
        challenge = self.service.spend_state(form.get("state", ""))
        if challenge is None:
            self.service.violate("a state was used twice")
            self._send(400, b'{"status":400,"message":"Requested resource does not exist."}')
            return
        signer = Account.recover_message(encode_defunct(text=challenge), signature=form["signature"])
        if signer != LICENCE.address or form.get("grant_type") != "authorization_code":
            self._send(400, b'{"status":400,"message":"Could not verify signature."}')
            return
        token = self.service.token({"ethereum_address": LICENCE.address, "sub": "dev"}, self.service.token_seconds)
        self._send(200, json.dumps({"access_token": token, "token_type": "bearer", "expires_in": 1}).encode())

    def _exchange(self, body: bytes, bearer: str | None) -> None:
        service = self.service
        service.next_number("exchange")
        claims = service.claims(bearer)
        if claims is None:
            if not bearer:
                service.violate("token exchange without Authorization")
            self._send(401, b"Invalid or expired JWT", "text/plain")
            return
        if claims.get("sub") != "dev":
            service.violate("a vehicle token was sent to the token exchange")
        asked = json.loads(body)
        if type(asked["tokenId"]) is not int or not asked["nftContractAddress"].startswith("0xbA57"):
            service.violate(f"odd exchange {asked}")
        vehicle = service.vehicles.get(asked["tokenId"])
        if vehicle is None or not vehicle.granted.issuperset(asked["privileges"]):
            message = f"Address {LICENCE.address} lacks permissions {asked['privileges']} for asset did:x"
            self._send(403, json.dumps({"code": 403, "message": message}).encode())
            return
        token = service.token(
            {"token_id": str(asked["tokenId"]), "privilege_ids": asked["privileges"]}, service.token_seconds
        )
        self._send(200, json.dumps({"token": token}).encode())

    def _identity(self, body: bytes) -> None:
        service = self.service
        number = service.next_number("identity")
        if number <= len(service.identity_faults):
            match service.identity_faults[number - 1]:
                case "graphql":
                    self._send(200, b'{"errors":[{"message":"Internal system error"}],"data":null}')
                    return
                case "partial":
                    self._send(200, b'{"errors":[{"message":"boom","path":["vehicles"]}],"data":{"vehicles":null}}')
                    return
                case status:
                    self._send(int(status), b"<html>nope</html>", "text/html")
                    return
        query = re.sub(r"\s+", " ", json.loads(body)["query"])
        first = int(re.search(r"first: ?(\d+)", query)[1])
        after = re.search(r'vehicles\([^)]*after: ?"([^"]*)"', query)
        privileged = re.search(r'privileged: ?"([^"]*)"', query)
        if first > 100 or "last:" in query or privileged is None or privileged[1] != LICENCE.address:
            service.violate(f"odd identity query {query}")
        ids = sorted((token for token, vehicle in service.vehicles.items() if vehicle.listed), reverse=True)
        if after:
            ids = [token for token in ids if token < int(base64.b64decode(after[1]))]
        page = ids[: min(first, service.page)]
        nodes = [
            {
                "tokenId": token,
                "definition": None if token % 3 == 0 else {"make": "Škoda", "model": None, "year": 2020 + token % 5},
                "sacds": {"nodes": self._sacds(service.vehicles[token])},
            }
            for token in page
        ]
        cursor = base64.b64encode(str(page[-1]).encode()).decode() if page else None
        info = {"hasNextPage": len(ids) > len(page), "endCursor": cursor}
        answer = {"data": {"vehicles": {"totalCount": len(ids), "pageInfo": info, "nodes": nodes}}}
        self._send(200, json.dumps(answer).encode())

    def _sacds(self, vehicle: Vehicle) -> list[dict[str, object]]:
        bits = sum(3 << 2 * n for n in vehicle.granted)
        return [
            {"grantee": "0x" + "12" * 20, "permissions": "0x3ffc", "expiresAt": "2000-01-01T00:00:00Z"},
            {"grantee": LICENCE.address, "permissions": hex(bits), "expiresAt": "2099-01-01T00:00:00Z"},
        ][: 1 + len(vehicle.granted) % 2]

    def _history(self, path: str, bearer: str | None) -> None:
        service = self.service
        refresh = "refresh=true" in urlsplit(self.path).query.split("&")
        number = service.next_number("history")
        token_id = int(_HISTORY.fullmatch(path[len(DATA) :])[1])
        fault = service.fault(number, refresh)
        claims = service.claims(bearer)
        if claims is None or fault == "401":
            if not bearer:
                service.violate("history without Authorization")
            self._send(401, b'{"code":401,"message":"Invalid privilege token."}')
            return
        if claims.get("token_id") != str(token_id):
            service.violate(f"the token of {claims.get('token_id', 'a developer')} was used for vehicle {token_id}")
            self._send(401, b'{"code":401,"message":"Unauthorized! Wrong device token provided"}')
            return
        vehicle = service.vehicles[token_id]
        if vehicle.always:
            self._send(vehicle.always, b'{"code":%d,"message":"Internal error."}' % vehicle.always)
            return
        window = self._window()
        if window is None:
            service.violate(f"bounds in a wrong format: {self.path}")
            self._send(400, b'{"code":400,"message":"Invalid start date format"}')
            return
        if self._broken(fault):
            return
        key = (self.path, bearer or "")
        body = None if refresh else service.cached(key)
        hit = body is not None
        if body is None:
            body = service.search(token_id, *window, refresh, fault)
            if not refresh:
                service.keep(key, body)
        self._answer(body, fault, hit)

    def _window(self) -> tuple[int, int] | None:
        query = parse_qs(urlsplit(self.path).query, keep_blank_values=True)
        if set(query) - {"startDate", "endDate", "refresh"} or any(len(values) > 1 for values in query.values()):
            return None
        start = _bound(query.get("startDate", [""])[0], upward=False)
        end = _bound(query.get("endDate", [""])[0], upward=True)
        return None if start is None or end is None else (start, end)

    def _broken(self, fault: str | None) -> bool:
        """Answer with a failure, if the fault is one."""
        if fault == "429":
            self._send(429, b"slow down", "text/plain", retry_after="1")
        elif fault == "503":
            self._send(503, b"<html><head><title>503</title></head><body>nginx</body></html>", "text/html")
        elif fault in ("500", "502"):
            self._send(int(fault), b'{"code":500,"message":"Internal error."}')
        elif fault == "redirect":
            self._send(301, b"", location="/trap")
        elif fault == "html":
            self._send(200, b"<html>maintenance</html>", "text/html")
        elif fault == "empty":
            self._send(200, b"")
        elif fault == "long wait":
            self._send(429, b"slow down", "text/plain", retry_after="86400")
        elif fault == "reset":
            self._leave()
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
            self.close_connection = True
        else:
            return False
        return True

    def _answer(self, body: bytes, fault: str | None, hit: bool) -> None:
        zipped = fault in ("gzip", "gzip cut") or "gzip" in self.headers.get("Accept-Encoding", "")
        sent = gzip.compress(body, 1) if zipped else body
        length = len(sent)
        if fault == "cut":
            sent = sent[: len(sent) // 2]
        elif fault == "gzip cut":
            sent = sent[: len(sent) // 2]
            length = len(sent)
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("X-Cache", "hit" if hit else "miss")
        self.send_header("Content-Length", str(length))
        if zipped:
            self.send_header("Content-Encoding", "gzip")
        self.end_headers()
        if fault == "slow":
            for start in range(0, len(sent), max(1, len(sent) // 4)):
                self.wfile.write(sent[start : start + max(1, len(sent) // 4)])
                self.wfile.flush()
                time.sleep(0.05)
            return
        self._leave()
        self.wfile.write(sent)
        self.wfile.flush()
        if length != len(sent):
            self.close_connection = True

    def _send(
        self,
        status: int,
        body: bytes,
        kind: str = "application/json",
        *,
        retry_after: str | None = None,
        location: str | None = None,
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        if retry_after:
            self.send_header("Retry-After", retry_after)
        if location:
            self.send_header("Location", location.encode("ascii", "ignore").decode())
        self._leave()
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()


def _bound(text: str, *, upward: bool) -> int | None:
    """A bound as the index rounds it: what is missing is filled downward at the start, upward at the end."""
    match = _BOUND.fullmatch(unquote(text))
    if match is None:
        return None
    day, clock, fraction, zone = match.groups()
    moment = datetime.fromisoformat(f"{day}T{clock or '00:00:00'}{(zone or 'Z').replace('Z', '+00:00')}")
    ms = int(moment.astimezone(UTC).timestamp()) * 1000
    if clock is None:
        return ms + 86_399_999 if upward else ms
    if fraction is None:
        return ms + 999 if upward else ms
    return ms + int(fraction.ljust(3, "0")[:3])


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
