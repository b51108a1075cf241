"""What is sent and what comes back: requests, responses, and the signals between the transport and its callers.

The three signals below never reach a user: each caller turns them into the error that fits what it asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from dimo_etl.config import Secret

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Service:
    """A service as messages name it, and the variable that holds its address."""

    name: str
    variable: str


AUTH = Service("authentication service", "DIMO_AUTH_URL")
TOKEN_EXCHANGE = Service("token exchange API", "DIMO_TOKEN_EXCHANGE_URL")
DEVICE_DATA = Service("device data API", "DIMO_DEVICE_DATA_URL")
DEVICES = Service("devices API", "DIMO_DEVICES_URL")
IDENTITY = Service("identity API", "DIMO_IDENTITY_URL")
FETCH = Service("Fetch API", "DIMO_FETCH_URL")
TELEMETRY = Service("telemetry API", "DIMO_TELEMETRY_URL")


@dataclass(frozen=True, slots=True)
class Request:
    """One request, which the transport may send several times.

    Attributes:
        service: whom it goes to.
        about: what is asked for, as a message names it: `the history of vehicle 4711`.
        method: the HTTP method.
        url: the address, without a query.
        params: the query.
        retry_params: merged into the query of every attempt after the first.
        bearer: the token of the Authorization header.
        content: the body.
        content_type: the type of the body.
        read_seconds: the wait for the next bytes, where it is another than the transport's own.
    """

    service: Service
    about: str
    method: str
    url: str
    params: Mapping[str, str] = field(default_factory=dict)
    retry_params: Mapping[str, str] = field(default_factory=dict)
    bearer: Secret | None = field(default=None, repr=False)
    content: bytes | None = field(default=None, repr=False)
    content_type: str | None = None
    read_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Response:
    """A whole answer: the body is decompressed, and complete as far as HTTP can tell."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Answer(Generic[T]):
    """What a call gave, and the requests it took, retries included."""

    value: T
    requests: int


class UnusableResponseError(Exception):
    """A 200 that is not what it should be; the reason completes "the answer was unusable: …"."""


class TransientError(Exception):
    """An attempt failed in a way that may pass.

    Attributes:
        what: what happened, as a verb phrase: `answered 503`.
        advice: what to do when it does not pass.
        retry_after: seconds the service asks to wait; None where it does not say.
    """

    def __init__(self, what: str, advice: str, retry_after: float | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.advice = advice
        self.retry_after = retry_after


class HttpRefusedError(Exception):
    """The service refused the request for good; its text is a clause that a sentence can begin with.

    Attributes:
        status: the HTTP status.
        message: the service's own words, made safe to show; empty where it had none.
        requests: the requests it took to learn that.
    """

    def __init__(self, request: Request, status: int, message: str, requests: int = 1) -> None:
        words = f"{status}: {message}" if message else str(status)
        super().__init__(f"The {request.service.name} refused {request.about} ({words})")
        self.status = status
        self.message = message
        self.requests = requests
