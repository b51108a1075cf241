"""`dimo-etl status`: how complete and how fresh each vehicle's data are, what is missing, and what to do next."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, TypedDict, cast

import typer

from dimo_etl.cli.missing import Held, Lack, Span, lacks

if TYPE_CHECKING:
    from dimo_etl.warehouse import Warehouse

_DAYS_SHOWN = 10
_NAMES_SHOWN = 6
_WIDTH = 80
_HEADS = ("vehicle", "days", "complete", "open", "unknown", "events", "newest", "age", "odometer km")
_VEHICLES = """
FROM status JOIN (SELECT vehicle_id, permissions FROM vehicles) USING (vehicle_id)
ORDER BY try_cast(vehicle_id AS HUGEINT), vehicle_id
"""
_OPEN = "FROM coverage WHERE NOT complete ORDER BY date DESC, vehicle_id"
_LACKING = """
SELECT
    vehicle_id,
    CASE WHEN unread = 'everything' AND asked = 'fetch' THEN 'raw events' ELSE unread END AS unread,
    count(*) AS days,
    min(date) AS first,
    max(date) AS last
FROM coverage
WHERE unread IS NOT NULL OR NOT complete
GROUP BY ALL
ORDER BY ALL
"""


class _Row(TypedDict):
    """A row of the view `status`, as far as it is shown."""

    vehicle_id: str
    days: int
    complete_days: int
    incomplete_days: int
    unknown_days: int
    events: int
    last_at: datetime | None
    age_seconds: int | None
    odometer_km: float | None
    permissions: list[int] | None
    shared_now: bool | None
    asked_days: int
    first_asked: date | None
    last_asked: date | None
    quarantined: int


def status() -> None:
    """Show coverage and freshness, a line a vehicle; below, what is missing and what to do next.

    Complete days are proved: every event the service says exists is held. Open days are known to be incomplete; of
    unknown days nobody can say. The same, and more, is in the views `status` and `coverage`.

    For example:

      dimo-etl status
    """
    from dimo_etl.warehouse import Warehouse, show

    with Warehouse.open() as warehouse:
        vehicles = cast("list[_Row]", warehouse.execute(_VEHICLES).named())
        spans = _spans(warehouse)
        incomplete = warehouse.execute(_OPEN).named()
    if not vehicles:
        typer.echo("The warehouse is empty; bring some days with `dimo-etl sync`, or try `dimo-etl demo`.")
        return
    show.draw(_HEADS, map(_line, vehicles), sys.stdout)
    missing = list(_missing(vehicles, spans))
    if missing:
        typer.echo("\n".join(["\nWhat is missing, and what to do next:", *missing]))
    if incomplete:
        shown = incomplete[:_DAYS_SHOWN]
        typer.echo(f"\nIncomplete days, newest first ({len(shown):,} of {len(incomplete):,}):")
        show.draw(
            ("day", "vehicle", "held", "exist", "why"),
            [
                [
                    row["date"].isoformat(),
                    row["vehicle_id"],
                    f"{row['fetched_events']:,}",
                    "?" if row["expected_events"] is None else f"{row['expected_events']:,}",
                    row["reason"] or "",
                ]
                for row in shown
            ],
            sys.stdout,
        )


def _line(row: _Row) -> list[str]:
    counts = (row["days"], row["complete_days"], row["incomplete_days"], row["unknown_days"], row["events"])
    return [
        row["vehicle_id"],
        *(f"{count:,}" for count in counts),
        "-" if row["last_at"] is None else f"{row['last_at']:%Y-%m-%d}",
        _age(row["age_seconds"]),
        "-" if row["odometer_km"] is None else f"{row['odometer_km']:,.1f}",
    ]


def _spans(warehouse: Warehouse) -> dict[str, list[Span]]:
    spans: dict[str, list[Span]] = defaultdict(list)
    for row in warehouse.execute(_LACKING).named():
        spans[row.pop("vehicle_id")].append(Span(**row))
    return spans


def _missing(vehicles: list[_Row], spans: Mapping[str, list[Span]]) -> Iterator[str]:
    """A line for each thing that vehicles lack; where it is too long, what to do is on a line of its own."""
    from dimo_etl.warehouse.show import printable

    newest = datetime.now(UTC).date() - timedelta(days=1)
    lacking: dict[Lack, list[str]] = {}
    for row in vehicles:
        for lack in lacks(_held(row, spans.get(row["vehicle_id"], [])), newest=newest):
            lacking.setdefault(lack, []).append(row["vehicle_id"])
    for lack, names in lacking.items():
        more = f" and {len(names) - _NAMES_SHOWN:,} more" if len(names) > _NAMES_SHOWN else ""
        shown = ", ".join(map(printable, names[:_NAMES_SHOWN]))
        who = f"vehicle{'s' if len(names) > 1 else ''} {shown}{more}: {lack.what}:"
        yield f"{who} {lack.todo}" if len(who) + len(lack.todo) < _WIDTH else f"{who}\n  {lack.todo}"


def _held(row: _Row, spans: list[Span]) -> Held:
    return Held(
        row["vehicle_id"],
        row["permissions"],
        row["shared_now"],
        row["asked_days"],
        row["first_asked"],
        row["last_asked"],
        spans,
        row["quarantined"],
    )


def _age(seconds: int | None) -> str:
    """A span in its largest unit, which is all that matters at a glance."""
    if seconds is None:
        return "-"
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= length:
            return f"{seconds / length:,.0f} {unit}"
    return f"{seconds} s"
