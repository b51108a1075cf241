"""The domain's own types: vehicles, windows of time, events, and what is known of a vehicle-day."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import msgspec

from dimo_etl.errors import InputError

DAY_MS = 86_400_000
_TOKEN_ID = re.compile(r"[0-9]{1,20}")
_USER_DEVICE_ID = re.compile(r"[0-9A-Za-z]{27}")


@dataclass(frozen=True, slots=True)
class Vehicle:
    """A vehicle as identity or the settings name it; `vehicle_id` is what the lake calls it."""

    vehicle_id: str
    token_id: int | None = None
    user_device_id: str | None = None
    make: str | None = None
    model: str | None = None
    year: int | None = None


@dataclass(frozen=True, slots=True, order=True)
class Window:
    """A span of time, both ends included, in whole milliseconds since the epoch (the index resolution)."""

    start_ms: int
    end_ms: int

    @property
    def span_ms(self) -> int:
        """The number of milliseconds in the window; 1 where start and end are the same."""
        return self.end_ms - self.start_ms + 1

    def __str__(self) -> str:
        return f"{rfc3339_ms(self.start_ms)} to {rfc3339_ms(self.end_ms)}"


class Event(msgspec.Struct, frozen=True, gc=False):
    """One document as received; a struct, since there are millions of them.

    Attributes:
        event_id: the CloudEvent's id, the index's id, or a stable hash of the content.
        timestamp_us: the document's own time, microseconds since the epoch; None where it has none.
        payload: the document's JSON text, byte for byte.
        content_id: a stable hash of the content, where the document has no id of its own.
    """

    event_id: str
    timestamp_us: int | None
    payload: bytes
    content_id: str | None = None


def rfc3339_ms(ms: int) -> str:
    """A time as the services take it, always with three fraction digits so that no server rounds it."""
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def day_window(day: date) -> Window:
    """The UTC day as a window, 00:00:00.000 to 23:59:59.999."""
    start = (day - date(1970, 1, 1)).days * DAY_MS
    return Window(start, start + DAY_MS - 1)


def day_of_us(timestamp_us: int) -> date:
    """The UTC day a time (microseconds since the epoch) falls in."""
    return date(1970, 1, 1) + timedelta(days=timestamp_us // 86_400_000_000)


def moment_of_us(timestamp_us: int) -> datetime:
    """A time (microseconds since the epoch), UTC."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=timestamp_us)


def days_between(first: date, last: date) -> list[date]:
    """Every day from `first` to `last`, both included."""
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]


def consecutive(days: Iterable[date]) -> list[list[date]]:
    """Days in order, in runs without a gap."""
    runs: list[list[date]] = []
    for day in days:
        if runs and day - runs[-1][-1] == timedelta(days=1):
            runs[-1].append(day)
        else:
            runs.append([day])
    return runs


def is_user_device_id(text: str) -> bool:
    """Whether a text can be a user device id: 27 letters and digits, a KSUID."""
    return _USER_DEVICE_ID.fullmatch(text) is not None


def parse_vehicle_id(text: str) -> str:
    """The vehicle id a user typed: a token id in decimal or a 27-character user device id.

    Raises:
        InputError: the text is neither, so it must not reach a path or an address.
    """
    cleaned = text.strip()
    if _TOKEN_ID.fullmatch(cleaned):
        return str(int(cleaned))
    if is_user_device_id(cleaned):
        return cleaned
    raise InputError(f"{text!r} is not a vehicle id; give a token id such as 4711 or a 27-character user device id.")
