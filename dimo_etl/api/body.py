"""A response's body, read whole: bounded in bytes after decompression and in time, and known to be complete.

Decompression is done here and not in httpx for two reasons: httpx inflates a chunk without a bound, so a small answer
could fill the memory, and it takes a gzip stream that stops in the middle for a whole one.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

from dimo_etl.api.messages import TransientError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

ACCEPT_ENCODING = "gzip"
_GZIP_WINDOW = 16 + zlib.MAX_WBITS
_STEP_BYTES = 1 << 20
_ADVICE = "try again later"


class BodyTooLargeError(Exception):
    """The body is larger than any answer should be."""


def read_body(chunks: Iterable[bytes], encoding: str, *, max_bytes: int, overdue: Callable[[], bool]) -> bytes:
    """The whole body.

    Args:
        chunks: the body as it comes off the wire.
        encoding: the Content-Encoding header.
        max_bytes: the largest body that is read, decompressed.
        overdue: whether the answer has taken too long.

    Raises:
        BodyTooLargeError: the body is larger than `max_bytes`.
        TransientError: it came too slowly, ends in the middle, or cannot be decoded.
    """
    body = bytearray()
    for part in decoded(chunks, encoding):
        body += part
        if len(body) > max_bytes:
            raise BodyTooLargeError
        if overdue():
            raise TransientError("answered too slowly", _ADVICE)
    return bytes(body)


def decoded(chunks: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    """The body piece by piece, each of a bounded size, however small the bytes that make it.

    Args:
        chunks: the body as it comes off the wire.
        encoding: the Content-Encoding header.

    Raises:
        TransientError: it ends in the middle, or cannot be decoded.
    """
    match encoding.strip().lower():
        case "" | "identity":
            return iter(chunks)
        case "gzip" | "x-gzip":
            return _gunzip(chunks)
        case _:
            raise TransientError("answered in an encoding that was not asked for", _ADVICE)


def _gunzip(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Inflate gzip members one after the other, a bounded step at a time."""
    inflater = zlib.decompressobj(_GZIP_WINDOW)
    started = False
    try:
        for chunk in chunks:
            rest = chunk
            while rest:
                if inflater.eof:
                    inflater = zlib.decompressobj(_GZIP_WINDOW)
                started = True
                yield inflater.decompress(rest, _STEP_BYTES)
                rest = inflater.unconsumed_tail or inflater.unused_data
    except zlib.error:
        raise TransientError("answered with a body that cannot be decompressed", _ADVICE) from None
    if started and not inflater.eof:
        raise TransientError("broke off in the middle of a compressed answer", _ADVICE)
