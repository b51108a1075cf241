"""What may pass and how long to wait for it: pure rules, without clocks or sleeping."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

# Too many requests, or asked too early: the client itself may be the cause.
BUSY_STATUSES = frozenset({429, 503})
_TRANSIENT_BELOW_500 = frozenset({408, 425, 429})
_SECONDS = re.compile(r"[0-9]{1,12}")


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how patiently a request is repeated.

    Attributes:
        attempts: requests at most, the first included.
        first_seconds: bound of the first wait; each further bound is twice the one before.
        longest_seconds: the bounds grow no further than this.
        longest_asked_seconds: the longest Retry-After that is obeyed; asked to wait longer, the call gives up.
    """

    attempts: int = 6
    first_seconds: float = 0.25
    longest_seconds: float = 8.0
    longest_asked_seconds: float = 120.0

    def wait_seconds(self, failures: int, asked: float | None, uniform: float) -> float:
        """Seconds to wait after so many failures.

        Args:
            failures: failed attempts so far, at least 1.
            asked: the service's Retry-After in seconds, if any.
            uniform: a random number of [0, 1): full jitter, so that clients that failed together part.
        """
        if asked:
            return asked * (1 + 0.1 * uniform)
        return uniform * min(self.longest_seconds, self.first_seconds * 2.0 ** (failures - 1))


def is_transient(status: int) -> bool:
    """Whether a status may pass by itself; gateways have 5xx codes of their own, so all of them count."""
    return status in _TRANSIENT_BELOW_500 or status >= 500


def retry_after_seconds(headers: Mapping[str, str], now: datetime) -> float | None:
    """The wait a service asks for (RFC 9110 §10.2.3), in seconds; None where it asks for none or is unreadable.

    A date is read against the answer's own Date where there is one, so a wrong clock here does not matter.
    """
    text = headers.get("retry-after", "").strip()
    if _SECONDS.fullmatch(text):
        return float(text)
    until = http_date(text)
    if until is None:
        return None
    sent = http_date(headers.get("date", "")) or now
    return max(0.0, (until - sent).total_seconds())


def http_date(text: str) -> datetime | None:
    """A time as HTTP headers write it, in UTC; None where it is none."""
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
