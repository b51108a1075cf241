"""What went wrong on the wire, in words: httpx's exceptions become a verb phrase and an advice."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, TypeVar

import httpx

from dimo_etl.api.messages import TransientError
from dimo_etl.api.text import printable

if TYPE_CHECKING:
    from dimo_etl.api.messages import Request

LATER = "try again later"
BUSY = "try again later or lower DIMO_MAX_RPS"
Cause = TypeVar("Cause", bound=BaseException)


def wire_failure(request: Request, error: httpx.TransportError) -> TransientError:
    """The failure of an attempt that got no whole answer."""
    check = f"check {request.service.variable} and the network"
    certificate = _cause(error, ssl.SSLCertVerificationError)
    if certificate is not None:
        return TransientError(f"does not prove who it is ({printable(certificate.verify_message)})", check)
    match error:
        case httpx.ConnectTimeout():
            return TransientError("cannot be reached (timed out)", check)
        case httpx.ConnectError() | httpx.ProxyError():
            return TransientError(f"cannot be reached ({_reason(error)})", check)
        case httpx.TimeoutException():
            return TransientError("did not answer in time", LATER)
        case _:
            return TransientError(f"broke off its answer ({_reason(error)})", LATER)


def _reason(error: httpx.TransportError) -> str:
    broken = _cause(error, OSError)
    words = broken.strerror if broken and broken.strerror else str(error)
    return printable(words or "no reason given").rstrip(".").lower()


def _cause(error: BaseException, kind: type[Cause]) -> Cause | None:
    """The first exception of a kind among those that led to this one."""
    seen: BaseException | None = error
    while seen is not None and not isinstance(seen, kind):
        seen = seen.__cause__ or seen.__context__
    return seen
