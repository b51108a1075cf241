"""Messages of Protocol Buffers, read without a schema: their members by number.

Rules: the wire format as its makers publish it (protobuf.dev/programming-guides/encoding). Of a message that is cut off
or is none, nothing is given.
"""

from __future__ import annotations

VARINT, BITS_64, BYTES, BITS_32 = 0, 1, 2, 5
_LENGTHS = {BITS_64: 8, BITS_32: 4}
Member = tuple[int, int, int | bytes]


class WireError(ValueError):
    """Bytes that are not such a message; says why."""


def read_members(message: bytes) -> list[Member]:
    """The members of a message, in order.

    Returns:
        For each its number, its wire type, and its value: of `VARINT` a whole number, of others bytes.

    Raises:
        WireError: it is no message.
    """
    members: list[Member] = []
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        number, kind = key >> 3, key & 7
        if number == 0:
            raise WireError(f"a member has no number at byte {at}")
        if kind == VARINT:
            value, at = _varint(message, at)
            members.append((number, kind, value))
            continue
        if kind == BYTES:
            length, at = _varint(message, at)
        elif kind in _LENGTHS:
            length = _LENGTHS[kind]
        else:
            raise WireError(f"a member of unknown type {kind} at byte {at}")
        if length > len(message) - at:
            raise WireError(f"{len(message) - at} bytes where {length} are announced at byte {at}")
        members.append((number, kind, message[at : at + length]))
        at += length
    return members


def signed(number: int) -> int:
    """A varint as the signed number of 64 bits that it stands for."""
    return number - (1 << 64) if number >> 63 else number


def _varint(message: bytes, at: int) -> tuple[int, int]:
    """The number that begins at a byte, cut to 64 bits, and the byte after it."""
    number = 0
    for place, byte in enumerate(message[at : at + 10]):
        number |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:
            return number & 0xFFFF_FFFF_FFFF_FFFF, at + place + 1
    raise WireError(f"a number without an end at byte {at}")
