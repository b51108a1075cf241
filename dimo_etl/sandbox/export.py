"""The export job of the Device Data API: it is asked for here, and what it makes comes by mail, as a link to a file.

The file is written as the service writes it, quirks included: by Go (keys sorted, markup escaped, numbers as float64),
ascending, page by page without a tiebreaker, and with a comma too many where the last page is full.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

import orjson
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from dimo_etl.model import days_between
from dimo_etl.sandbox.document import rfc3339

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from starlette.requests import Request

    from dimo_etl.sandbox.document import Document, Json
    from dimo_etl.sandbox.fleet import Fleet
    from dimo_etl.sandbox.tokens import Claims
    from dimo_etl.sandbox.vehicles import SimVehicle

PAGE_SIZE = 10_000
_LINK_LIFETIME_S = 86_400
_STARTED = "your request has been received; data will be sent to the email associated with your account"
_NO_ADDRESS = "Your account does not have a verified email address. Please verify one and try again."
_DENIED = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>'
)
_GO_ESCAPES = str.maketrans({mark: f"\\u{ord(mark):04x}" for mark in "<>&\u2028\u2029"})


@dataclass(frozen=True, slots=True)
class _Job:
    vehicle: SimVehicle
    requested_ms: int
    signature: str


class Exports:
    """The export jobs asked for so far, and the files they made.

    Attributes:
        verified: whether the account has a verified email address; may be set at any time.
        requested: the user device ids a job was started for, in order.
        mailed: the link of each job, in the same order.
        deliver: told each link that is mailed.
        page_size: documents on a page of the search behind a file.
    """

    def __init__(self, fleet: Fleet, clock: Callable[[], float]) -> None:
        """Start without a job, with a verified address.

        Args:
            fleet: holds the documents.
            clock: seconds since the epoch; a link is good for a day.
        """
        self.verified = True
        self.requested: list[str] = []
        self.mailed: list[str] = []
        self.deliver: Callable[[str], object] = lambda _: None
        self.page_size = PAGE_SIZE
        self._fleet = fleet
        self._clock = clock
        self._jobs: dict[str, _Job] = {}

    def routes(self) -> list[Route]:
        """Where the files lie, below the store's base."""
        return [Route("/{name}", self._file)]

    def request(self, caller: Claims, vehicle: SimVehicle, store: str) -> Response:
        """The answer to a request for a device's export.

        Args:
            caller: the claims of the token of who asks.
            vehicle: whose documents are wanted.
            store: the address the file is mailed as part of.
        """
        named = {"userId": str(caller.get("sub")), "userDeviceId": vehicle.user_device_id}
        if not self.verified:
            return JSONResponse({"status": "error", **named, "message": _NO_ADDRESS}, 409)
        name = f"{vehicle.user_device_id}-{len(self.mailed)}.json"
        job = _Job(vehicle, int(self._clock() * 1000), secrets.token_hex(32))
        self._jobs[name] = job
        self.requested.append(vehicle.user_device_id)
        self.mailed.append(f"{store}/{name}?X-Amz-Expires={_LINK_LIFETIME_S}&X-Amz-Signature={job.signature}")
        self.deliver(self.mailed[-1])
        return JSONResponse({"status": "success", **named, "message": _STARTED})

    def _file(self, request: Request) -> Response:
        job = self._jobs.get(request.path_params["name"])
        is_good = job is not None and secrets.compare_digest(
            request.query_params.get("X-Amz-Signature", "").encode(), job.signature.encode()
        )
        if job is None or not is_good or self._clock() * 1000 > job.requested_ms + _LINK_LIFETIME_S * 1000:
            return Response(_DENIED, 403, media_type="application/xml")
        return StreamingResponse(self._written(job), media_type="application/json")

    def _written(self, job: _Job) -> Iterator[bytes]:
        head = {"userDeviceId": job.vehicle.user_device_id, "requestTimestamp": rfc3339(job.requested_ms)}
        yield orjson.dumps(head)[:-1] + b',"data":['
        today = self._fleet.now().date()
        documents = (
            document
            for day in days_between(self._fleet.first_day, today)
            for document in self._fleet.indexed(job.vehicle.token_id, day)
        )
        yield from as_written(documents, self.page_size)
        yield b"]}"


def as_written(documents: Iterable[Document], page_size: int) -> Iterator[bytes]:
    """The documents between the brackets of an export.

    Args:
        documents: ascending by time.
        page_size: after so many, the search goes on beyond the time of the last; others of that time are lost.
    """
    count, page_end_ms = 0, None
    for document in documents:
        if document.measured_ms == page_end_ms:
            continue
        yield (b"," if count % page_size else b"") + as_go_writes(document.payload)
        count += 1
        # A full page is followed by a comma, whether or not there is another.
        page_end_ms = None if count % page_size else document.measured_ms
        if page_end_ms is not None:
            yield b","


def as_go_writes(payload: bytes) -> bytes:
    """A document that Go has read into a map and written again."""
    value: Json = json.loads(payload, parse_int=_rounded)
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return text.translate(_GO_ESCAPES).encode()


def _rounded(text: str) -> int:
    return int(float(text))
