"""How far a vehicle drove, as the Device Data API counts it: the greatest odometer less the least.

No reading is left out: one that is wrong spoils the total, and the day it falls on.
"""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from dimo_etl.model import days_between
from dimo_etl.sandbox.elasticsearch import is_valid_odometer
from dimo_etl.sandbox.refusal import RefusedError

if TYPE_CHECKING:
    from dimo_etl.sandbox.document import Json, JsonObject
    from dimo_etl.sandbox.fleet import Fleet

# `daily-distance` looks at today in the zone and at so many days before it.
_DAYS_BACK = 13


def total_distance(fleet: Fleet, token_id: int) -> JsonObject:
    """The answer of `distance-driven` and `total-distance`: over every document ever, whether history gives it or not.

    0 stands for no odometer at all, too.
    """
    least, greatest = math.inf, -math.inf
    for day in days_between(fleet.first_day, fleet.now().date()):
        present = [km for km in fleet.odometers(token_id, day).kilometres if not math.isnan(km)]
        if present:
            least, greatest = min(least, *present), max(greatest, *present)
    return {"distanceDriven": greatest - least if greatest >= least else 0, "units": "kilometers"}


def daily_distance(fleet: Fleet, token_id: int, time_zone: str) -> JsonObject:
    """The answer of `daily-distance`: a day for each calendar day between the first and the last with a document.

    A distance is null where the greatest odometer of the day is missing or invalid; the least is not looked at.

    Args:
        fleet: what the index holds.
        token_id: the vehicle.
        time_zone: an IANA name; the day's bounds are this zone's midnights.

    Raises:
        RefusedError: there is no such zone.
    """
    zone = _zone(time_zone)
    today = fleet.now().astimezone(zone).date()
    first = today - timedelta(days=_DAYS_BACK)
    start = datetime.combine(first, time(), zone).astimezone(UTC).date()
    days: dict[date, list[float]] = {}
    for utc_day in days_between(start, fleet.now().date()):
        column = fleet.odometers(token_id, utc_day)
        for ms, kilometres in zip(column.times_ms, column.kilometres, strict=True):
            local = datetime.fromtimestamp(ms / 1000, zone).date()
            if first <= local <= today:
                bucket = days.setdefault(local, [])
                if not math.isnan(kilometres):
                    bucket.append(kilometres)
    span = days_between(min(days), max(days)) if days else []
    return {"days": [{"date": day.isoformat(), "distance": _distance(days.get(day, []))} for day in span]}


def _distance(readings: list[float]) -> Json:
    return max(readings) - min(readings) if readings and is_valid_odometer(max(readings)) else None


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        # The zone goes into the query as it is, and what Elasticsearch then says is not passed on.
        raise RefusedError(500, "Internal error.") from None
