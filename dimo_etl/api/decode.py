"""JSON bodies into typed structs; what does not fit is an unusable answer."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from dimo_etl.api.messages import UnusableResponseError

T = TypeVar("T")


def decoded(body: bytes, kind: type[T]) -> T:
    """The body as `kind`, whatever its content type says: some services send JSON as text/plain.

    Raises:
        UnusableResponseError: it is not JSON, or not of that shape.
    """
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise UnusableResponseError("it is not the JSON that belongs here") from None
