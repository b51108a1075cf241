"""JSON text to Python values without losing a digit.

orjson is fast and exact for what cars send. A number it would round (more digits than a 64-bit integer or a float64
holds) is told from the text before, and such a document is read by the standard library, which hands the digits over.
`-0.0` keeps its sign; `-0` is a whole number, of which there is one zero.
"""

from __future__ import annotations

import json
import re
import secrets
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from string import ascii_letters

import numpy as np
import orjson

from dimo_etl.flatten.nested import read_nested

# No float64 needs more than 17 significant digits, and 18 digits always fit 64 bits; a longer number may lose some.
_LONG_RUN = b"0" * 18
# Below 1e-307 float64 loses digits, and at last the number; the pattern leaves out what is only inside a string.
_SMALL_EXPONENT = b"0e-000"
_SMALL = re.compile(rb"[:,\[\s]-?[\d.]+[eE]-\d{3}")
_SHAPE = bytes.maketrans(b"123456789E", b"000000000e")
_FLOAT_DIGITS = 17
_NUMERALS = np.uint8(12)  # `.` to `9`: the slash between is no harm
_BRACKET = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[\]{}]', re.DOTALL)
# orjson writes no deeper than this, and no reader would follow; a text with fewer brackets cannot be deeper.
_WRITABLE_DEPTH = 250
_EXACT_INTEGERS = 2**53
_SMALLEST, _LARGEST = sys.float_info.min, sys.float_info.max
_INTEGERS_64 = range(-(2**63), 2**64)
# Between texts that are read at once; none of them can hold it. Letters alone: digits are looked at.
_MARK = "".join(secrets.choice(ascii_letters) for _ in range(24))
_BETWEEN = b',"%s",' % _MARK.encode()
# Dataclasses are passed through so that `default` writes a long number; orjson would write its fields.
_OPTIONS = orjson.OPT_PASSTHROUGH_DATACLASS


class UnreadableError(ValueError):
    """A document that cannot be understood; the message is the reason kept with it in quarantine."""


@dataclass(frozen=True, slots=True)
class LongNumber:
    """A number that float64 cannot hold, as its JSON text."""

    text: str


class JsonText(str):
    """JSON text that stands for a value which is not a number, a string or a boolean."""

    __slots__ = ()


def parse(payload: bytes) -> object:
    """The value of a JSON text; numbers float64 cannot hold come as LongNumber.

    Raises:
        UnreadableError: the text is not JSON that UTF-8 and a sane depth can hold.
    """
    if not _may_lose_digits(payload):
        try:
            value = orjson.loads(payload)
        except orjson.JSONDecodeError:
            pass  # the careful reader below says what is wrong with it, or reads it
        else:
            if payload.count(b"[") + payload.count(b"{") > _WRITABLE_DEPTH:
                to_json(value)
            return value
    return _parse_carefully(payload)


def parse_all(payloads: Sequence[bytes]) -> list[object]:
    """What `parse` gives of each of many texts, at once; for one that is unreadable, the error it raises.

    Documents of nested values may come as `NestedDocument`. Texts of as many bytes as a processor's cache holds are
    read fastest.
    """
    joined = b"[" + _BETWEEN.join(payloads) + b"]"
    if not payloads or (_is_suspect(joined) and _may_lose_digits(joined)):
        return list(map(_parsed, payloads))
    found: Sequence[object] | None = read_nested(payloads[0], joined)
    try:
        found = orjson.loads(joined) if found is None else found
    except orjson.JSONDecodeError:
        return list(map(_parsed, payloads))
    # A text that is not one whole value hides a mark, or moves those after it.
    if len(found) != 2 * len(payloads) - 1 or list(found[1::2]).count(_MARK) != len(payloads) - 1:
        return list(map(_parsed, payloads))
    values = list(found[::2])
    for number in _with_many_brackets(joined, payloads):
        if is_too_deep(payloads[number]):
            values[number] = _parsed(payloads[number])
    return values


def _parsed(payload: bytes) -> object:
    try:
        return parse(payload)
    except UnreadableError as error:
        return error


def _with_many_brackets(joined: bytes, payloads: Sequence[bytes]) -> list[int]:
    """Which of the texts, joined by marks, may be nested too deeply."""
    opening = np.flatnonzero((np.frombuffer(joined, np.uint8) | 0x20) == ord("{"))  # `[` differs by that bit alone
    sizes = np.fromiter(map(len, payloads), np.int64, len(payloads))
    ends = np.cumsum(sizes + len(_BETWEEN)) + 1
    counts = np.diff(np.searchsorted(opening, ends, "left"), prepend=1)
    return np.flatnonzero(counts > _WRITABLE_DEPTH).tolist()


def is_too_deep(payload: bytes) -> bool:
    """Whether a JSON text is nested so deeply that it must not be read by recursion.

    The interpreter's own limit is no guard: the library that signs raises it beyond what a stack holds.
    """
    if payload.count(b"[") + payload.count(b"{") <= _WRITABLE_DEPTH:
        return False
    depth = 0
    for match in _BRACKET.finditer(payload):
        token = match.group()
        depth += (token in b"[{") - (token in b"]}")
        if depth > _WRITABLE_DEPTH:
            return True
    return False


def to_json(value: object, *, sort_keys: bool = False) -> JsonText:
    """A value as JSON text, long numbers with every digit.

    Raises:
        UnreadableError: the value is nested too deeply.
    """
    try:
        return JsonText(orjson.dumps(value, _long_number, _OPTIONS | (orjson.OPT_SORT_KEYS * sort_keys)).decode())
    except orjson.JSONEncodeError as error:
        raise UnreadableError(f"its value cannot be written as JSON: {error}") from error


def fits_float(number: int) -> bool:
    """Whether float64 holds an integer exactly."""
    if -_EXACT_INTEGERS <= number <= _EXACT_INTEGERS:
        return True
    try:
        return int(float(number)) == number
    except OverflowError:
        return False


def _may_lose_digits(payload: bytes) -> bool:
    """Whether a text may hold a number that float64 does not."""
    shape = payload.translate(_SHAPE, b".")
    return _LONG_RUN in shape or (_SMALL_EXPONENT in shape and _SMALL.search(payload) is not None)


def _is_suspect(joined: bytes) -> bool:
    """Whether many texts are worth looking through for such a number; most are cleared at a fraction of the cost."""
    every = np.frombuffer(joined, np.uint8)
    fourth = every[::4] - ord(".") < _NUMERALS
    # A run is met at least four times by every fourth byte, first by one of its first four; few others are.
    first = 4 * np.flatnonzero(fourth[:-3] & fourth[1:-2] & fourth[2:-1] & fourth[3:])
    around = every.take(first[:, None] + np.arange(-3, len(_LONG_RUN) + 3), mode="clip") - ord(".") < _NUMERALS
    if any(around[:, start : start + len(_LONG_RUN)].all(axis=1).any() for start in range(4)):
        return True
    before_minus = np.flatnonzero(every[1:] == ord("-"))
    return bool((every[before_minus] | 0x20 == ord("e")).any())


def _parse_carefully(payload: bytes) -> object:
    if is_too_deep(payload):
        raise UnreadableError("nested too deeply")
    try:
        value = json.loads(
            payload.decode("utf-8"), parse_int=_integer, parse_float=_decimal, parse_constant=_refuse_constant
        )
        orjson.dumps(value, _long_number, _OPTIONS)  # refuses lone surrogates and depths no reader would follow
    except UnicodeDecodeError as error:
        raise UnreadableError(f"not UTF-8 at byte {error.start}") from error
    except json.JSONDecodeError as error:
        raise UnreadableError(f"not JSON: {error.msg} at character {error.pos}") from error
    except RecursionError as error:
        raise UnreadableError("nested too deeply") from error
    except orjson.JSONEncodeError as error:
        raise UnreadableError(f"holds what UTF-8 JSON cannot: {error}") from error
    return value


def _integer(text: str) -> int | float | LongNumber:
    if len(text) > 400:
        return LongNumber(text)
    number = int(text)
    if not fits_float(number):
        return LongNumber(text)
    return number if number in _INTEGERS_64 else float(number)  # exactly, and orjson can write it


def _decimal(text: str) -> float | LongNumber:
    mantissa = text.lower().partition("e")[0]
    digits = mantissa.replace(".", "").lstrip("-0")
    number = float(text)
    is_in_range = not digits or _SMALLEST <= abs(number) <= _LARGEST
    if len(digits.rstrip("0")) > _FLOAT_DIGITS or not is_in_range or Decimal(repr(number)) != Decimal(text):
        return LongNumber(text)
    return number


def _refuse_constant(text: str) -> object:
    raise UnreadableError(f"not JSON: {text} is not a number")


def _long_number(value: object) -> orjson.Fragment:
    if isinstance(value, LongNumber):
        return orjson.Fragment(value.text)
    raise TypeError(type(value).__name__)
