"""The one place that sends requests: bounded in time, bytes, number and rate, and patient with what may pass.

Redirects are never followed, so credentials go to the configured host and nowhere else. Neither headers, bodies nor
queries appear in logs or errors. A wait for the next bytes ends after `read_seconds`, an answer, headers and body,
after `answer_seconds`, headers at 100 kB (h11's bound).
"""

from __future__ import annotations

import logging
import random
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import TYPE_CHECKING, TypeVar

import httpx

from dimo_etl.api.body import ACCEPT_ENCODING, BodyTooLargeError, read_body
from dimo_etl.api.deadline import answered_within, bounded
from dimo_etl.api.failures import BUSY, LATER, wire_failure
from dimo_etl.api.messages import Answer, HttpRefusedError, Response, TransientError, UnusableResponseError
from dimo_etl.api.ratelimit import RateLimiter
from dimo_etl.api.retry import BUSY_STATUSES, RetryPolicy, http_date, is_transient, retry_after_seconds
from dimo_etl.api.text import printable, server_words
from dimo_etl.errors import ConfigError, ServiceError, TooMuchAskedError

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from dimo_etl.api.messages import Request
    from dimo_etl.config import Settings

T = TypeVar("T")
_log = logging.getLogger("dimo_etl.api")
_TOO_LARGE = ("answered with far too much", "check its address")
# One answer without end may be a fault on the way; two are what the question brings.
_LARGE_ANSWERS = 2
# Found, Temporary Redirect: by their meaning they pass, as a page for the time of maintenance does.
_PASSING_REDIRECTS = frozenset({302, 307})
_REDIRECTED = "a redirect, which is not followed"
# What came behind an answer and was not asked for. httpx does not show it, and would take it for the next answer.
_behind = attrgetter("stream._stream._httpcore_stream._stream._connection._h11_state.trailing_data")


@dataclass(frozen=True, slots=True)
class Limits:
    """The bounds of one attempt: seconds for each step, and bytes of the decompressed body."""

    connect_seconds: float = 10.0
    read_seconds: float = 30.0
    write_seconds: float = 30.0
    answer_seconds: float = 120.0
    body_bytes: int = 64 * 1024 * 1024


def _now() -> datetime:
    return datetime.now(UTC)


class Transport:
    """Sends requests for any number of threads over one pool of connections.

    Args:
        concurrency: requests in flight at once.
        limiter: requests a second; None for no limit.
        policy: how a request is repeated.
        limits: the bounds of each attempt.
        sleep: waits for seconds.
        clock: seconds of a clock that never goes back.
        now: the time, for a Retry-After that is a date, and to be held against the services' clocks.
        uniform: random numbers of [0, 1).
    """

    def __init__(
        self,
        *,
        concurrency: int,
        limiter: RateLimiter | None = None,
        policy: RetryPolicy | None = None,
        limits: Limits | None = None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = _now,
        uniform: Callable[[], float] = random.random,
    ) -> None:
        self._limiter = limiter
        self._policy = policy or RetryPolicy()
        self._limits = limits or Limits()
        self._sleep, self._clock, self._now, self._uniform = sleep, clock, now, uniform
        self._in_flight = threading.BoundedSemaphore(concurrency)
        self._counting = threading.Lock()
        self._requests = self._retries = 0
        self._ahead: timedelta | None = None
        self._client = _client(concurrency, self._limits)

    @classmethod
    def for_settings(cls, settings: Settings, policy: RetryPolicy | None = None) -> Transport:
        """The transport that the settings ask for."""
        limiter = RateLimiter(settings.max_rps) if settings.max_rps else None
        return cls(concurrency=settings.concurrency, limiter=limiter, policy=policy)

    def __enter__(self) -> Transport:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    @property
    def requests(self) -> int:
        """Requests sent so far, retries included."""
        return self._requests

    @property
    def retries(self) -> int:
        """Requests sent so far that repeated an earlier one."""
        return self._retries

    @property
    def ahead(self) -> timedelta:
        """How far this machine's clock is ahead of the services', at least: by the answer that says the least.

        Zero where it is not ahead, or none told the time.
        """
        return max(timedelta(0), self._ahead or timedelta(0))

    def call(self, request: Request, parse: Callable[[Response], T]) -> Answer[T]:
        """Send a request until it is answered.

        Args:
            request: what to send.
            parse: turns a 200 into a value, or raises `UnusableResponseError`, which is retried like a 503.

        Raises:
            HttpRefusedError: the service refused it for good (3xx that do not pass, 4xx).
            TooMuchAskedError: two answers in all were too large.
            ServiceError: no usable answer after every attempt.
        """
        attempt = large = 0
        while True:
            attempt += 1
            try:
                response = self._send(request, retry=attempt > 1)
                return Answer(_value(request, response, parse, self._now()), attempt)
            except HttpRefusedError as refused:
                refused.requests = attempt
                raise
            except BodyTooLargeError:
                large += 1
                what = f"answered with more than {self._limits.body_bytes / 2**20:g} MiB"
                if large == _LARGE_ANSWERS or attempt >= self._policy.attempts:
                    sentence = f"{_subject(request)} {what} when asked for {request.about}"
                    raise TooMuchAskedError(f"{sentence}; ask for less at once.", attempt) from None
                self._wait(request, TransientError(what, LATER), attempt)
            except TransientError as failure:
                self._wait(request, failure, attempt)

    def once(self, request: Request) -> Response:
        """Send a request one time; whatever is answered, with any status, is the answer.

        Raises:
            ServiceError: no whole answer came.
        """
        try:
            return self._send(request, retry=False)
        except (TransientError, BodyTooLargeError) as failure:
            what, advice = (failure.what, failure.advice) if isinstance(failure, TransientError) else _TOO_LARGE
            raise ServiceError(f"{_subject(request)} {what}; {advice}.", 1) from failure

    def _send(self, request: Request, *, retry: bool) -> Response:
        """One attempt."""
        with self._in_flight:
            if self._limiter:
                self._limiter.wait(_host(request))
            with self._counting:
                self._requests += 1
                self._retries += retry
            sent_at = self._now()
            try:
                response = self._exchange(request, retry=retry)
            except httpx.TransportError as error:
                raise wire_failure(request, error) from error
            self._compare_clocks(sent_at, response)
            return response

    def _compare_clocks(self, sent_at: datetime, response: Response) -> None:
        """Learn of an answer's Date, a time after the request was sent, cut to the second."""
        told = http_date(response.headers.get("date", ""))
        if told is not None:
            ahead = sent_at - told - timedelta(seconds=1)
            with self._counting:
                self._ahead = ahead if self._ahead is None else min(self._ahead, ahead)

    def _exchange(self, request: Request, *, retry: bool) -> Response:
        # httpx.Headers, unlike a dict, hides the credentials in its repr.
        headers = httpx.Headers()
        if request.content_type:
            headers["Content-Type"] = request.content_type
        if request.bearer:
            headers["Authorization"] = f"Bearer {request.bearer.reveal()}"
        with (
            answered_within(self._limits.answer_seconds, self._clock) as left,
            self._client.stream(
                request.method,
                request.url,
                params={**request.params, **(request.retry_params if retry else {})} or None,
                headers=headers,
                content=request.content,
                timeout=_timeout(self._limits, request.read_seconds),
            ) as response,
        ):
            body = read_body(
                response.iter_raw(),
                response.headers.get("content-encoding", ""),
                max_bytes=self._limits.body_bytes,
                overdue=lambda: left() < 0,
            )
            unasked, _ = _behind(response)
            if unasked:
                response.extensions["network_stream"].close()
                raise TransientError("sent more than its answer", LATER)
            return Response(response.status_code, response.headers, body)

    def _wait(self, request: Request, failure: TransientError, attempt: int) -> None:
        """Sleep before the next attempt, or raise where there is none.

        Raises:
            ServiceError: this was the last attempt, or the service asks for a longer wait than the policy obeys.
        """
        told = f"{_subject(request)} {failure.what}"
        asked = failure.retry_after
        if asked is not None and asked > self._policy.longest_asked_seconds:
            sentence = f"{told} and asks to wait {asked:.0f} s; run this again after that time."
            raise ServiceError(sentence, attempt) from failure
        if attempt >= self._policy.attempts:
            tries = f"after {attempt} tries" if attempt > 1 else "at the only try"
            raise ServiceError(f"{told} {tries} to get {request.about}; {failure.advice}.", attempt) from failure
        seconds = self._policy.wait_seconds(attempt, asked, self._uniform())
        level = logging.INFO if attempt < 3 else logging.WARNING
        _log.log(level, "%s when asked for %s; trying again in %.1f s", told, request.about, seconds)
        self._sleep(seconds)


def _client(concurrency: int, limits: Limits) -> httpx.Client:
    http_log = logging.getLogger("httpx")
    if http_log.level == logging.NOTSET:
        # httpx tells each request at INFO; what a user wants to see are the retries.
        http_log.setLevel(logging.WARNING)
    try:
        client = httpx.Client(
            headers={"User-Agent": "dimo-etl", "Accept-Encoding": ACCEPT_ENCODING},
            timeout=_timeout(limits),
            limits=httpx.Limits(max_connections=concurrency, max_keepalive_connections=concurrency),
            # Plain http is for this machine alone, so no proxy gets to see the credentials it carries.
            mounts={"http://": None},
            follow_redirects=False,
        )
        return bounded(client)
    except (ValueError, ImportError, OSError, httpx.InvalidURL) as error:
        # The text of the error may hold a proxy's password.
        raise ConfigError(
            f"No HTTP client can be made ({type(error).__name__}); check HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, "
            "SSL_CERT_FILE and SSL_CERT_DIR."
        ) from None


def _timeout(limits: Limits, read_seconds: float | None = None) -> httpx.Timeout:
    return httpx.Timeout(
        connect=limits.connect_seconds,
        read=read_seconds or limits.read_seconds,
        write=limits.write_seconds,
        pool=limits.answer_seconds,
    )


def _value(request: Request, response: Response, parse: Callable[[Response], T], now: datetime) -> T:
    """What an answer means: a value, a refusal, or a failure that may pass."""
    status = response.status
    if status == 200:
        try:
            return parse(response)
        except UnusableResponseError as error:
            why = printable(str(error), request.bearer)
            advice = f"check {request.service.variable}, or {LATER}"
            raise TransientError(f"gave no usable answer ({why})", advice) from error
    if status in _PASSING_REDIRECTS:
        raise TransientError(f"answered {status} ({_REDIRECTED})", f"check {request.service.variable}, or {LATER}")
    if 300 <= status < 400:
        raise HttpRefusedError(request, status, _REDIRECTED)
    words = server_words(response.body, request.bearer)
    if 400 <= status < 500 and not is_transient(status):
        raise HttpRefusedError(request, status, words)
    what = f"answered {status} ({words})" if words else f"answered {status}"
    advice = BUSY if status in BUSY_STATUSES else LATER
    raise TransientError(what, advice, retry_after_seconds(response.headers, now))


def _host(request: Request) -> str:
    return httpx.URL(request.url).netloc.decode("ascii")


def _subject(request: Request) -> str:
    return f"The {request.service.name} at {httpx.URL(request.url).scheme}://{_host(request)}"
