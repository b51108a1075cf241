"""How the history routes read the two ends of a range: Go checks the form, Elasticsearch fills what is missing.

Both ends are inclusive. A missing part is filled downward at the start and upward at the end, to the millisecond;
a fraction that is written is taken as it is, cut to the millisecond of the index.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from dimo_etl.model import DAY_MS

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DATE = re.compile(r"(\d{4})-(\d\d)-(\d\d)", re.ASCII)
_RFC3339 = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:[.,](\d+))?(?:Z|([+-])(\d\d):(\d\d))", re.ASCII)


def start_ms(text: str) -> int | None:
    """The first millisecond of a range whose start is written so; None where it is not a date or RFC 3339."""
    return _bound(text, day_fill_ms=0, second_fill_ms=0)


def end_ms(text: str) -> int | None:
    """The last millisecond of a range whose end is written so; None where it is not a date or RFC 3339."""
    return _bound(text, day_fill_ms=DAY_MS - 1, second_fill_ms=999)


def go_date_error(text: str) -> str | None:
    """What Go's time.Parse("2006-01-02", text) says is wrong; None where nothing is."""
    quoted = f'parsing time "{text}"'
    if (match := _DATE.match(text)) is None:
        rest, layout = text, "2006"
        for digits, part in ((r"\d{4}-", "2006"), (r"\d\d-", "01"), (r"\d\d", "02")):
            layout = part
            found = re.match(digits, rest, re.ASCII)
            if found is None:
                break
            rest = rest[found.end() :]
        return f'{quoted} as "2006-01-02": cannot parse "{rest}" as "{layout}"'
    if not 1 <= int(match[2]) <= 12:
        return f"{quoted}: month out of range"
    if _bound(match[0], 0, 0) is None:
        return f"{quoted}: day out of range"
    return f'{quoted}: extra text: "{text[match.end() :]}"' if match.end() < len(text) else None


def _bound(text: str, day_fill_ms: int, second_fill_ms: int) -> int | None:
    if match := _DATE.fullmatch(text):
        moment = _moment(*map(int, match.groups()))
        return None if moment is None else _milliseconds(moment) + day_fill_ms
    if (match := _RFC3339.fullmatch(text)) is None:
        return None
    moment = _moment(*map(int, match.groups()[:6]))
    if moment is None:
        return None
    offset_ms = 0
    if match[8] is not None:
        hours, minutes = int(match[9]), int(match[10])
        if hours > 24 or minutes > 60:
            return None
        offset_ms = (hours * 60 + minutes) * (60_000 if match[8] == "+" else -60_000)
    fraction = second_fill_ms if match[7] is None else int(match[7][:3].ljust(3, "0"))
    return _milliseconds(moment) - offset_ms + fraction


def _moment(year: int, month: int, day: int, hour: int = 0, minute: int = 0, second: int = 0) -> datetime | None:
    try:
        return datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None


def _milliseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(milliseconds=1)
