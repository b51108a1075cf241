"""Documents of nothing but values nested with their source and time, read without a dictionary for each value.

They are many times the size of flat documents, and it is their dictionaries that would take the time.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

Stamp = str | int | float


class Wrapped(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """A value with its time, and its source where it has one."""

    value: Any
    timestamp: Stamp
    source: str | UnsetType = UNSET

    def plain(self) -> dict[str, object]:
        """The object that was read."""
        found = {"value": self.value, "timestamp": self.timestamp}
        return found if self.source is UNSET else found | {"source": self.source}


class NestedDocument(msgspec.Struct, gc=False):
    """What counts of a document whose `data` has nested values, and perhaps plain ones."""

    data: dict[str, Wrapped | Stamp]
    source: Any = None
    time: Any = None


_decode_first = msgspec.json.Decoder(NestedDocument).decode
_decode_many = msgspec.json.Decoder(list[NestedDocument | str]).decode


def read_nested(first: bytes, joined: bytes) -> list[NestedDocument | str] | None:
    """The documents, and texts, of a JSON array; None where there are others than those described.

    Args:
        first: the first document, which tells whether it is worth trying.
        joined: the array.
    """
    try:
        if not any(type(value) is Wrapped for value in _decode_first(first).data.values()):
            return None
        return _decode_many(joined)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
