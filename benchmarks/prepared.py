"""A fast local service of prepared answers, and a sync from it through the library.

The service gives the documents of `responses.flat`, at most 1,000 an answer, drawn by the request's address, so that
the same requests always get the same bytes. Each answer is made once, gzipped as the real service's are.
"""

from __future__ import annotations

import gzip
import multiprocessing
import threading
import time
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from random import Random
from urllib.parse import parse_qs, urlsplit

import orjson

from benchmarks import responses
from dimo_etl.batch import fetch_days
from dimo_etl.config import Settings
from dimo_etl.history.fetch import Outcome
from dimo_etl.lake.signals import write_day
from dimo_etl.lake.stores import open_store

_CAP = 1_000


class Service:
    """A running service, in a process of its own.

    Attributes:
        base: its address.
    """

    def __init__(self, pipe: Pipe) -> None:
        self._pipe = pipe
        self.base: str = pipe.recv()

    def asked(self) -> list[str]:
        """The different history requests it was asked so far, as path and query."""
        self._pipe.send(None)
        paths: list[str] = self._pipe.recv()
        return paths


@contextmanager
def serving(vehicles: int, days: int, documents: int) -> Iterator[Service]:
    """Serve so many documents for each day of a fleet."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(theirs, vehicles, days, documents))
    process.start()
    try:
        yield Service(ours)
    finally:
        process.terminate()
        process.join()


@dataclass(frozen=True, slots=True)
class Synced:
    """What a sync took: requests, exchanges of tokens included, days' files made, and seconds for the two."""

    requests: int
    files: int
    fetch_s: float
    write_s: float


def settings(service: Service, root: Path, vehicles: Iterable[int]) -> Settings:
    """The settings to bring some vehicles, counted from 0, from the service."""
    return Settings.from_environment(
        {
            "DIMO_ENVIRONMENT": "sandbox",
            "DIMO_DEVICE_DATA_URL": service.base,
            "DIMO_TOKEN_EXCHANGE_URL": service.base,
            "DIMO_IDENTITY_URL": service.base,
            "DIMO_ACCESS_TOKEN": "ready-made",
            "DIMO_VEHICLES": ",".join(str(1_000 + number) for number in vehicles),
            "DIMO_WAREHOUSE": str(root),
        }
    )


def sync(service: Service, root: Path, vehicles: Iterable[int], days: Sequence[date]) -> Synced:
    """Bring days of some vehicles, counted from 0, as the command does."""
    chosen = settings(service, root, vehicles)
    started = time.perf_counter()
    fetched = fetch_days(chosen, days)
    brought = time.perf_counter()
    proved = (Outcome.COMPLETE, Outcome.ALREADY_COMPLETE)
    if not all(done.outcome in proved for day in fetched.days for done in day.vehicle_days):
        raise SystemExit("Not every day is complete.")
    with open_store(chosen.warehouse) as store:
        written = [write_day(store, day) for day in days]
    files = sum(one is not None and one.rewritten for one in written)
    return Synced(fetched.requests, files, brought - started, time.perf_counter() - brought)


def span(first: int, count: int) -> list[date]:
    """So many days of what is served."""
    return [responses.DAY + timedelta(days=first + number) for number in range(count)]


class _Prepared(BaseHTTPRequestHandler):
    """Answers the exchange with a token, and a window with its events; each answer is made once."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    hits: dict[str, tuple[list[int], list[bytes]]]
    answers: dict[str, bytes]

    def do_GET(self) -> None:
        """A window of a vehicle's history."""
        body = self.answers.get(self.path)
        if body is None:
            body = self.answers[self.path] = self._made()
        self._send(body, [("Content-Encoding", "gzip"), ("Content-Type", "application/json")])

    def do_POST(self) -> None:
        """The exchange of tokens; the identity API is not here."""
        self.rfile.read(int(self.headers["Content-Length"]))
        if self.path.endswith("/query"):
            self.send_error(404)
            return
        self._send(b'{"token":"of-the-vehicle"}', [("Content-Type", "application/json")])

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _made(self) -> bytes:
        address = urlsplit(self.path)
        asked = parse_qs(address.query)
        first, last = (_ms(asked[bound][0]) for bound in ("startDate", "endDate"))
        times, hits = self.hits[address.path.split("/")[3]]
        inside = hits[bisect_left(times, first) : bisect_right(times, last)]
        given = inside if len(inside) <= _CAP else Random(self.path).sample(inside, _CAP)
        total = b'{"took":3,"timed_out":false,"hits":{"total":{"value":%d,"relation":"eq"},"hits":[' % len(inside)
        return gzip.compress(total + b",".join(given) + b"]}}", 1)

    def _send(self, body: bytes, headers: list[tuple[str, str]]) -> None:
        self.send_response(200)
        for name, value in [*headers, ("Content-Length", str(len(body)))]:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


def _serve(pipe: Pipe, vehicles: int, days: int, documents: int) -> None:
    """Serve the history of a fleet; tells its address, and when asked what was asked of it."""
    _Prepared.hits = {}
    _Prepared.answers = {}
    for token_id in (str(1_000 + n) for n in range(vehicles)):
        found = []
        for day in (responses.DAY + timedelta(days=n) for n in range(days)):
            answer = orjson.loads(responses.flat(token_id, documents, day=day))
            found += [(_ms(hit["_source"]["time"]), orjson.dumps(hit)) for hit in answer["hits"]["hits"]]
        found.sort()
        _Prepared.hits[token_id] = [ms for ms, _ in found], [hit for _, hit in found]
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Prepared)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    pipe.send(f"http://127.0.0.1:{server.server_port}")
    pipe.recv()
    pipe.send(list(_Prepared.answers))
    pipe.recv()


def _ms(stamp: str) -> int:
    return round(datetime.fromisoformat(stamp).timestamp() * 1_000)
