"""Randomness that repeats: the same words give the same numbers, in any process and on any day."""

from __future__ import annotations

from random import Random

_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_PAIRS = [first + second for first in _BASE62 for second in _BASE62]
# A KSUID counts seconds from 2014-05-13T16:53:20Z (github.com/segmentio/ksuid).
_KSUID_EPOCH_S = 1_400_000_000


def chance(*words: object) -> Random:
    """A random source that depends on `words` alone."""
    return Random("/".join(map(str, words)))  # noqa: S311 (simulation, not secrets)


def ksuid(epoch_s: int, random: Random) -> str:
    """A KSUID, the 27-character id DIMO gives devices and events.

    Args:
        epoch_s: the time in the id, seconds since the Unix epoch.
        random: gives the 128 random bits.
    """
    number = ((epoch_s - _KSUID_EPOCH_S) << 128) | random.getrandbits(128)
    pairs = []
    for _ in range(14):
        number, pair = divmod(number, len(_PAIRS))
        pairs.append(_PAIRS[pair])
    return "".join(reversed(pairs))[1:]
