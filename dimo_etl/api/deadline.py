"""An end to each answer, its headers included.

httpx bounds the wait for the next bytes, and no more: a server that sends a byte of a header now and then would hold a
request for ever. httpx has no setting for it, so its connections are given streams that wait for no byte longer than
the answer may still take.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import httpcore
import httpx

if TYPE_CHECKING:
    import ssl

_left: ContextVar[Callable[[], float] | None] = ContextVar("left", default=None)


@contextmanager
def answered_within(seconds: float, clock: Callable[[], float]) -> Iterator[Callable[[], float]]:
    """Bound what this thread reads and writes in the block.

    Args:
        seconds: how long all of it may take.
        clock: seconds of a clock that never goes back.

    Yields:
        The seconds that are left; less than 0 once the time is up.
    """
    end = clock() + seconds

    def left() -> float:
        return end - clock()

    outer = _left.set(left)
    try:
        yield left
    finally:
        _left.reset(outer)


def bounded(client: httpx.Client) -> httpx.Client:
    """The client, whose new connections, through proxies too, heed `answered_within`."""
    for transport in (client._transport, *client._mounts.values()):
        if isinstance(transport, httpx.HTTPTransport):
            pool = transport._pool
            pool._network_backend = _Backend(pool._network_backend)
    return client


def _within(timeout: float | None, late: type[Exception]) -> float | None:
    """A bound on one step, cut to what is left of the whole."""
    left = _left.get()
    if left is None:
        return timeout
    seconds = left()
    if seconds <= 0:
        raise late("the answer takes too long")
    return seconds if timeout is None else min(timeout, seconds)


class _Backend(httpcore.NetworkBackend):
    def __init__(self, inner: httpcore.NetworkBackend) -> None:
        self._inner = inner

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        within = _within(timeout, httpcore.ConnectTimeout)
        return _Stream(self._inner.connect_tcp(host, port, within, local_address, socket_options))

    def sleep(self, seconds: float) -> None:
        self._inner.sleep(seconds)


class _Stream(httpcore.NetworkStream):
    def __init__(self, inner: httpcore.NetworkStream) -> None:
        self._inner = inner

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, _within(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, _within(timeout, httpcore.WriteTimeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        within = _within(timeout, httpcore.ConnectTimeout)
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, within))

    def get_extra_info(self, info: str) -> Any:  # noqa: ANN401 (as httpcore has it)
        return self._inner.get_extra_info(info)
