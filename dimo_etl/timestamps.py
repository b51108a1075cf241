"""Times as vehicles and services write them, read to whole microseconds since the epoch in UTC.

Seen in the field: RFC 3339 with 0 to 9 fraction digits, with `Z`, an offset or no zone (then UTC), and epoch
numbers in seconds or milliseconds. Digits below the microsecond are cut off; the raw document keeps them.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

_RFC3339 = re.compile(
    r"\s*(\d{4})-(\d\d)-(\d\d)(?:[Tt ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9})\d*)?)?)?"
    r"\s*(?:([Zz])|([+-])(\d\d):?(\d\d))?\s*",
    re.ASCII,
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Beyond these a number or a text is not a time a car could have measured, and Arrow could not hold its nanoseconds.
EARLIEST_US = -2_208_988_800_000_000  # 1900
LATEST_US = 7_258_118_400_000_000  # 2200


def to_us(value: object) -> int | None:
    """Microseconds since the epoch of a time in any of the forms seen; None where it is not a time.

    An epoch number is taken as seconds, milliseconds, microseconds or nanoseconds by its magnitude: each of the
    four covers the years 1973 to 5138 without overlap.
    """
    if isinstance(value, str):
        us = _text_to_us(value)
    elif isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e20:
        return None
    else:
        us = _number_to_us(value)
    return us if us is not None and EARLIEST_US <= us <= LATEST_US else None


def _number_to_us(value: float) -> int:
    size = abs(value)
    if size < 1e11:
        return round(value * 1_000_000)
    if size < 1e14:
        return round(value * 1_000)
    return int(value) if size < 1e17 else int(value) // 1_000


@lru_cache(maxsize=8_192)
def _text_to_us(text: str) -> int | None:
    """The time a text says; the signals of a document mostly share one, so it is read once."""
    if text.endswith("Z") and text[10:11] == "T":
        try:
            since = datetime.fromisoformat(text) - _EPOCH
        except ValueError:
            pass  # not the common form: the pattern below decides
        else:
            return since.days * 86_400_000_000 + since.seconds * 1_000_000 + since.microseconds
    match = _RFC3339.fullmatch(text)
    if match is None:
        return None
    year, month, day, hour, minute, second, fraction, _, sign, offset_hour, offset_minute = match.groups()
    try:
        moment = datetime(
            int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0), tzinfo=UTC
        )
    except ValueError:
        return None
    offset = timedelta(hours=int(offset_hour or 0), minutes=int(offset_minute or 0))
    seconds = (moment - _EPOCH) // timedelta(seconds=1)
    seconds -= int(offset.total_seconds()) * (-1 if sign == "-" else 1)
    return seconds * 1_000_000 + (int(fraction.ljust(9, "0")) // 1_000 if fraction else 0)
