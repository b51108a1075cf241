"""What the report shows, in its order: each figure is a query beside this file and, where it is drawn, a chart.

Promise: the SQL that is shown beside a figure is, to the letter, the SQL its numbers came from; and however large the
fleet and long the span, a figure has a bounded number of rows.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from dimo_etl.warehouse.definitions import quoted, views

_HERE = Path(__file__).parent
_READS = re.compile(r"\b(?:FROM|JOIN) (\w+)")
_PLACE = re.compile(r"\$\{(\w+)\}")
# Rows a figure may have, by what they cost in the page.
_DISTANCE_ROWS, _ERROR_ROWS, _ODOMETER_ROWS = 20_000, 3_000, 15_000
_TRIPS, _STOPS = 1_000, 24
_SLOTS = ("10 minutes", "1 hour", "6 hours", "1 day", "2 days", "7 days", "30 days")
_SLOT_DAYS = (1 / 144, 1 / 24, 1 / 4, 1, 2, 7, 30)
_GRAIN_DAYS = {"day": 1, "week": 7, "month": 30}


@dataclass(frozen=True, slots=True)
class Scope:
    """What the report is about.

    Attributes:
        first: the first UTC day.
        last: the last one, included.
        vehicles: every vehicle in it.
        only: whether these were chosen among others.
    """

    first: date
    last: date
    vehicles: tuple[str, ...]
    only: bool

    @property
    def days(self) -> int:
        """How many days it is about."""
        return (self.last - self.first).days + 1


@dataclass(frozen=True, slots=True)
class Figure:
    """A part of the report.

    Attributes:
        name: of its query and chart, and the part's address in the page.
        title: its heading.
        note: how to read it, in a sentence or two.
        drawn: whether it is a chart; otherwise it is a table.
        each: whether there is one chart for each vehicle.
    """

    name: str
    title: str
    note: str
    drawn: bool = True
    each: bool = False

    def query(self, scope: Scope) -> str:
        """The SQL its rows come from."""
        bindings = _bindings(self, scope)
        return _PLACE.sub(lambda place: bindings[place[1]], self.text()).strip()

    def text(self) -> str:
        """The query as it is written, before it is about any days or vehicles."""
        return (_HERE / "queries" / f"{self.name}.sql").read_text(encoding="utf-8")

    def chart(self) -> str:
        """Its Vega-Lite specification, JSON."""
        return (_HERE / "charts" / f"{self.name}.vl.json").read_text(encoding="utf-8")


FIGURES = (
    Figure("fleet", "The fleet", "Every vehicle, over these days.", drawn=False),
    Figure(
        "odometer",
        "Odometer",
        "The line joins valid readings; a gap in it is a reset or a swap of the odometer. Dots are readings that are "
        "not believed, by reason; one that is off the scale lies at its edge.",
        each=True,
    ),
    Figure(
        "distance",
        "Distance",
        "Observed between two readings of a day, or bridged: driven since the reading before, on an earlier day.",
    ),
    Figure(
        "coverage",
        "Coverage",
        "Complete days are proved: every event the service says exists is held. Of unknown days nobody can say.",
    ),
    Figure(
        "trips",
        "Trips",
        "An outline of each vehicle's newest trips, north up; a dot is where one ended.",
        each=True,
    ),
    Figure(
        "charges", "Charging and refuelling", "The newest sessions, as the battery and the tank tell them.", drawn=False
    ),
    Figure("errors", "Errors", "What upstream services reported as failed, by kind."),
    Figure("episodes", "Error episodes", "Runs of the same error of a vehicle: open ones first.", drawn=False),
    Figure(
        "freshness",
        "Freshness",
        "Silent since the last event, against the long silences of the vehicle's own habit; "
        "the lag is from measuring to receiving.",
        drawn=False,
    ),
)


def views_read() -> list[str]:
    """The views that the figures are made from."""
    named = {name for figure in FIGURES for name in _READS.findall(figure.text())}
    return [view.name for view in views() if view.name in named]


def _bindings(figure: Figure, scope: Scope) -> Mapping[str, str]:
    listed = ", ".join(map(quoted, scope.vehicles))
    rows = _ERROR_ROWS if figure.name == "errors" else _DISTANCE_ROWS
    return {
        "first": f"DATE '{scope.first}'",
        "last": f"DATE '{scope.last}'",
        "only": f" AND vehicle_id IN ({listed})" if scope.only else "",
        "grain": grain(scope, rows),
        "slot": _slot(scope),
        "trips": str(max(1, min(200, _TRIPS // max(1, len(scope.vehicles))))),
        "stops": str(_STOPS),
    }


def grain(scope: Scope, rows: int) -> str:
    """The finest of day, week and month that keeps a row for each vehicle below a number of rows."""
    for name, days in _GRAIN_DAYS.items():
        if scope.days / days * len(scope.vehicles) <= rows:
            return name
    return "month"


def _slot(scope: Scope) -> str:
    most = max(60, min(800, _ODOMETER_ROWS // max(1, len(scope.vehicles))))
    fitting: Sequence[str] = [name for name, days in zip(_SLOTS, _SLOT_DAYS, strict=True) if scope.days / days <= most]
    return fitting[0] if fitting else _SLOTS[-1]
