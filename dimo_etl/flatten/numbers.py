"""JSON text to Python values without losing a digit.

orjson is fast and exact for what cars send. A number it would round (more digits than a 64-bit integer or a float64
holds) is told from the text before, and such a document is read by the standard library, which hands the digits over.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

import orjson

# 17 significant digits always survive float64 and 18 digits always fit 64 bits; more may not.
_LONG_RUN = b"0" * 18
_DIGITS_TO_ZERO = bytes.maketrans(b"123456789", b"0" * 9)
_FLOAT_DIGITS = 17
_EXACT_INTEGERS = 2**53


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
    if _LONG_RUN not in payload.translate(_DIGITS_TO_ZERO, b"."):
        try:
            return orjson.loads(payload)
        except orjson.JSONDecodeError:
            pass  # the careful reader below says what is wrong with it, or reads it
    return _parse_carefully(payload)


def to_json(value: object) -> JsonText:
    """A value as JSON text, long numbers with every digit."""
    try:
        return JsonText(orjson.dumps(value, default=_long_number).decode())
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


def _parse_carefully(payload: bytes) -> object:
    try:
        value = json.loads(
            payload.decode("utf-8"), parse_int=_integer, parse_float=_decimal, parse_constant=_refuse_constant
        )
        orjson.dumps(value, default=_long_number)  # refuses lone surrogates and depths no reader would follow
    except UnicodeDecodeError as error:
        raise UnreadableError(f"not UTF-8 at byte {error.start}") from error
    except json.JSONDecodeError as error:
        raise UnreadableError(f"not JSON: {error.msg} at character {error.pos}") from error
    except RecursionError as error:
        raise UnreadableError("nested too deeply") from error
    except orjson.JSONEncodeError as error:
        raise UnreadableError(f"holds what UTF-8 JSON cannot: {error}") from error
    return value


def _integer(text: str) -> int | LongNumber:
    if len(text) > 400:
        return LongNumber(text)
    number = int(text)
    return number if fits_float(number) else LongNumber(text)


def _decimal(text: str) -> float | LongNumber:
    mantissa = text.lower().partition("e")[0]
    digits = mantissa.replace(".", "").lstrip("-0")
    number = float(text)
    if len(digits.rstrip("0")) > _FLOAT_DIGITS or number in (float("inf"), float("-inf")) or (digits and not number):
        return LongNumber(text)
    return number


def _refuse_constant(text: str) -> object:
    raise UnreadableError(f"not JSON: {text} is not a number")


def _long_number(value: object) -> orjson.Fragment:
    if isinstance(value, LongNumber):
        return orjson.Fragment(value.text)
    raise TypeError(type(value).__name__)
