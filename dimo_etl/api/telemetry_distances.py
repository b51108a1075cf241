"""The days of driving that the Telemetry API tells: how far by the odometer, in how many drives, and for how long."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import msgspec

from dimo_etl.api.distances import DayDistance
from dimo_etl.api.messages import UnusableResponseError
from dimo_etl.model import days_between

if TYPE_CHECKING:
    from dimo_etl.api.graphql import Reply
    from dimo_etl.api.telemetry import Telemetry
    from dimo_etl.model import Vehicle

# As many days as the Device Data API's own route tells.
_DAYS = 14
# The service counts the day that the end falls in, and does not take an end that is the start.
_MOMENT = timedelta(seconds=1)
_ODOMETER = "powertrainTransmissionTravelledDistance"
_QUERY = f"""query ($id: Int!, $from: Time!, $to: Time!, $zone: String!) {{
  dailyActivity(
    tokenId: $id, from: $from, to: $to, mechanism: frequencyAnalysis, timezone: $zone
    signalRequests: [{{name: "{_ODOMETER}", agg: MIN}}, {{name: "{_ODOMETER}", agg: MAX}}]
  ) {{ segmentCount duration signals {{ name agg value }} }}
}}"""


class _Signal(msgspec.Struct):
    name: str
    agg: str
    value: float


class _Day(msgspec.Struct):
    drives: int = msgspec.field(name="segmentCount")
    seconds: int = msgspec.field(name="duration")
    signals: list[_Signal] | None = None


class _Days(msgspec.Struct):
    days: list[_Day] = msgspec.field(name="dailyActivity")


class TelemetryDistances:
    """See `DistanceSource`; a vehicle is asked for by its token id.

    Args:
        service: where its days are asked for.
        now: the time, which tells the last day there is.
    """

    said_by = "telemetry"

    def __init__(self, service: Telemetry, now: Callable[[], datetime]) -> None:
        self._telemetry = service
        self._now = now

    def total(self, vehicle: Vehicle) -> float | None:  # noqa: ARG002 (what every source is asked with)
        """The service tells no total."""
        return None

    def daily(self, vehicle: Vehicle, time_zone: str) -> list[DayDistance] | None:
        """The last 14 local days, those without data left out at either end.

        A day on which the clocks change is left out, since the service counts 24 hours from the first midnight on.

        Args:
            vehicle: whose.
            time_zone: an IANA zone.

        Returns:
            None where the vehicle has no token id.

        Raises:
            the errors of `Telemetry`.
        """
        token_id = vehicle.token_id
        if token_id is None:
            return None
        zone = ZoneInfo(time_zone)
        today = self._now().astimezone(zone).date()
        told: list[DayDistance] = []
        for days in _even(days_between(today - timedelta(days=_DAYS - 1), today), zone):
            span = {
                "from": _midnight(days[0], zone).isoformat(),
                "to": (_midnight(days[-1], zone) + _MOMENT).isoformat(),
            }
            about = f"the daily activity of vehicle {vehicle.vehicle_id}"
            answer = self._telemetry.ask(
                token_id,
                _QUERY,
                partial(_read, days),
                about=about,
                variables={**span, "zone": time_zone},
            )
            told += answer.value
        heard = [number for number, day in enumerate(told) if day.km is not None or day.drives]
        return told[heard[0] : heard[-1] + 1] if heard else []


def _even(days: Sequence[date], zone: ZoneInfo) -> Iterator[list[date]]:
    """Runs of days of 24 hours each."""
    run: list[date] = []
    for day in days:
        if _midnight(day + timedelta(days=1), zone) - _midnight(day, zone) == timedelta(days=1):
            run.append(day)
        elif run:
            yield run
            run = []
    if run:
        yield run


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), zone).astimezone(UTC)


def _read(days: Sequence[date], reply: Reply) -> list[DayDistance]:
    records = reply.read(_Days).days
    if len(records) != len(days):
        raise UnusableResponseError(f"it has {len(records)} days where {len(days)} were asked for")
    return [
        DayDistance(day, _kilometres(record.signals or ()), drives=record.drives, driving_s=record.seconds)
        for day, record in zip(days, records, strict=True)
    ]


def _kilometres(signals: Sequence[_Signal]) -> float | None:
    told = {one.agg: one.value for one in signals if one.name == _ODOMETER}
    return told["MAX"] - told["MIN"] if {"MAX", "MIN"} <= told.keys() else None
