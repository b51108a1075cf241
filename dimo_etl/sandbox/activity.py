"""When a vehicle was in use: spans in which it reports often, and what each local day holds of them.

The two mechanisms that look at how often signals come are one here; the fleet sends no ignition, so that mechanism
finds nothing, and neither do those of idling and filling up.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from graphql import GraphQLError

from dimo_etl.sandbox.happenings import happenings
from dimo_etl.sandbox.measured import aggregated
from dimo_etl.sandbox.vss import ODOMETER, POSITION

if TYPE_CHECKING:
    from dimo_etl.sandbox.fleet import Fleet
    from dimo_etl.sandbox.measured import Measured, Rows

_BY_FREQUENCY = ("frequencyAnalysis", "changePointDetection")
_DAILY = (*_BY_FREQUENCY, "ignitionDetection")
_LONGEST = timedelta(days=32, seconds=1)
_MINUTE_US, _DAY_US = 60_000_000, 86_400_000_000
# Always told, whatever is asked for besides.
_DEFAULT = (("speed", "AVG"), ("speed", "MAX"), (ODOMETER, "FIRST"), (ODOMETER, "LAST"))
_NOWHERE = {"latitude": 0.0, "longitude": 0.0, "hdop": 0.0}


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked of the usage of a vehicle.

    Attributes:
        from_us, to_us: the span, microseconds since the epoch; the end is not part of it.
        signals: names and aggregations to tell of each span, besides those always told.
        events: names of the events to count.
    """

    token_id: int
    from_us: int
    to_us: int
    mechanism: str
    config: Mapping[str, int]
    signals: Sequence[tuple[str, str]] = ()
    events: Sequence[str] = ()


def segments(fleet: Fleet, measured: Measured, wish: Wish) -> list[dict[str, object]]:
    """The spans of use, oldest first."""
    end_us = _checked(fleet, wish)
    found = _spans(measured, wish, end_us)
    return [
        {
            "start": _place(measured, wish.token_id, first),
            "end": None if ongoing else _place(measured, wish.token_id, last),
            "duration": ((end_us if ongoing else last) - first) // 1_000_000,
            "isOngoing": ongoing,
            "startedBeforeRange": False,
            **_summary(fleet, measured, wish, first, last + 1),
        }
        for first, last in found
        for ongoing in [end_us - last <= wish.config["maxGapSeconds"] * 1_000_000]
    ]


def daily_activity(fleet: Fleet, measured: Measured, wish: Wish, zone_name: str | None) -> list[dict[str, object]]:
    """A record for each local day; days step by 24 hours from the first midnight, whatever the clocks do."""
    if wish.mechanism not in _DAILY:
        raise GraphQLError(f"mechanism {wish.mechanism} is not supported for dailyActivity")
    try:
        zone = ZoneInfo(zone_name or "UTC")
    except (KeyError, ValueError, OSError):
        raise GraphQLError(f"unknown time zone {zone_name}", extensions={"code": "BAD_REQUEST"}) from None
    if _day(wish.to_us, zone) > fleet.now().astimezone(zone).date():
        raise GraphQLError("to date cannot be in the future", extensions={"code": "BAD_REQUEST"})
    _checked(fleet, wish)
    start = datetime.combine(_day(wish.from_us, zone), time(), zone)
    start_us = round(start.timestamp() * 1_000_000)
    days = (_day(wish.to_us, zone) - start.date()).days + 1
    found = _spans(measured, wish, start_us + days * _DAY_US, start_us)
    records = []
    for first in range(start_us, start_us + days * _DAY_US, _DAY_US):
        inside = [span for span in found if first <= span[0] < first + _DAY_US]
        records.append(
            {
                "start": _place(measured, wish.token_id, first),
                "end": _place(measured, wish.token_id, first + _DAY_US),
                "segmentCount": len(inside),
                "duration": sum(last - begun for begun, last in inside) // 1_000_000,
                **_summary(fleet, measured, wish, first, first + _DAY_US),
            }
        )
    return records


def _checked(fleet: Fleet, wish: Wish) -> int:
    """The end of the span, now at the latest."""
    if wish.to_us < wish.from_us:
        raise GraphQLError("from timestamp is after to timestamp", extensions={"code": "BAD_REQUEST"})
    if wish.to_us == wish.from_us:
        raise GraphQLError("from and to times cannot be equal", extensions={"code": "BAD_REQUEST"})
    if timedelta(microseconds=wish.to_us - wish.from_us) > _LONGEST:
        raise GraphQLError("date range exceeds maximum of 32 days", extensions={"code": "BAD_REQUEST"})
    return min(wish.to_us, round(fleet.now().timestamp() * 1_000_000))


def _spans(measured: Measured, wish: Wish, to_us: int, from_us: int | None = None) -> list[tuple[int, int]]:
    """First and last row of each span in which minutes of many rows follow each other without a long gap."""
    if wish.mechanism not in _BY_FREQUENCY:
        return []
    rows = measured.between(wish.token_id, wish.from_us if from_us is None else from_us, to_us)
    times = sorted(us for one in rows.values() for us in one.times_us)
    minutes = Counter(us // _MINUTE_US for us in times)
    busy = [us for us in times if minutes[us // _MINUTE_US] >= wish.config["signalCountThreshold"]]
    spans: list[tuple[int, int]] = []
    for us in busy:
        if spans and us - spans[-1][1] <= wish.config["maxGapSeconds"] * 1_000_000:
            spans[-1] = (spans[-1][0], us)
        else:
            spans.append((us, us))
    shortest = wish.config["minSegmentDurationSeconds"] * 1_000_000
    return [span for span in spans if span[1] - span[0] >= shortest]


def _summary(fleet: Fleet, measured: Measured, wish: Wish, first_us: int, end_us: int) -> dict[str, object]:
    wanted = tuple(dict.fromkeys((*_DEFAULT, *wish.signals)))
    rows = measured.between(wish.token_id, first_us, end_us, {name for name, _ in wanted})
    happened = Counter(one.name for one in happenings(fleet, wish.token_id, first_us, end_us))
    return {
        "signals": [
            {"name": name, "agg": agg, "value": aggregated(agg, rows[name].values)}
            for name, agg in wanted
            if name in rows
        ],
        "eventCounts": [{"name": name, "count": happened[name]} for name in wish.events],
    }


def _place(measured: Measured, token_id: int, us: int) -> dict[str, object]:
    """Where the vehicle was last seen within the day before a moment."""
    places: Rows | None = measured.between(token_id, us - _DAY_US, us + 1, (POSITION,)).get(POSITION)
    return {"timestamp": us, "value": places.values[-1] if places is not None else _NOWHERE}


def _day(us: int, zone: ZoneInfo) -> date:
    return datetime.fromtimestamp(us / 1_000_000, UTC).astimezone(zone).date()
