"""Days as a user types them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

from dimo_etl.errors import InputError
from dimo_etl.model import consecutive, days_between


def parse_days(first: str, last: str, *, start: date, now: datetime) -> list[date]:
    """The UTC days from `first` to `last`, both included.

    Args:
        first: such as 2026-01-05.
        last: such as 2026-01-07.
        start: the first day there is, from DIMO_START_DATE.
        now: the time; only days that are over can be brought.

    Raises:
        InputError: a text is no day, or the days are reversed, not over, or before the first.
    """
    begin, end = parse_day("--from", first), parse_day("--to", last)
    newest = now.astimezone(UTC).date() - timedelta(days=1)
    if begin > end:
        raise InputError(f"--from {begin} is after --to {end}; give the earlier day first.")
    if end > newest:
        raise InputError(
            f"The day {end} is not over yet in UTC, so it cannot be complete; the newest day to bring is {newest}."
        )
    if begin < start:
        raise InputError(f"The day {begin} is before the first, {start}; set DIMO_START_DATE to bring earlier days.")
    return days_between(begin, end)


def days_told(days: Iterable[date]) -> str:
    """Days in order, such as `3 days from 2026-01-01 to 2026-01-03, 2026-01-06`."""
    return ", ".join(
        f"{run[0]}" if len(run) == 1 else f"{len(run):,} days from {run[0]} to {run[-1]}" for run in consecutive(days)
    )


def parse_day(option: str, text: str) -> date:
    """A day as ISO 8601 writes it.

    Raises:
        InputError: the text is no day; the message names the option.
    """
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise InputError(f"{option} {text!r} is not a day; give one such as 2026-01-05.") from None
