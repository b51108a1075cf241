"""`dimo-etl status`: how complete and how fresh each vehicle's data are, and which days are not."""

from __future__ import annotations

import sys
from datetime import datetime

import typer

_DAYS_SHOWN = 10
_VEHICLES = (
    "vehicle",
    "days",
    "complete",
    "incomplete",
    "unknown",
    "events",
    "first value",
    "last value",
    "age",
    "odometer km",
)


def status() -> None:
    """Show coverage and freshness, a line a vehicle; below, the newest days known to be incomplete.

    Complete days are proved: every event the service says exists is held. Of unknown days nobody can say. The
    same, and more, is in the views `status` and `coverage`.
    """
    from dimo_etl.warehouse import Warehouse, show

    with Warehouse.open() as warehouse:
        vehicles = warehouse.arrow("FROM status ORDER BY try_cast(vehicle_id AS HUGEINT), vehicle_id").to_pylist()
        incomplete = warehouse.arrow("FROM coverage WHERE NOT complete ORDER BY date DESC, vehicle_id").to_pylist()
    if not vehicles:
        typer.echo("The warehouse is empty; bring some days with `dimo-etl sync`, or try `dimo-etl demo`.")
        return
    show.draw(
        _VEHICLES,
        [
            [
                row["vehicle_id"],
                *(f"{row[name]:,}" for name in ("days", "complete_days", "incomplete_days", "unknown_days", "events")),
                _minute(row["first_at"]),
                _minute(row["last_at"]),
                _age(row["age_seconds"]),
                "-" if row["odometer_km"] is None else f"{row['odometer_km']:,.1f}",
            ]
            for row in vehicles
        ],
        sys.stdout,
    )
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


def _minute(moment: datetime | None) -> str:
    return "-" if moment is None else f"{moment:%Y-%m-%d %H:%MZ}"


def _age(seconds: int | None) -> str:
    """A span in its largest unit, which is all that matters at a glance."""
    if seconds is None:
        return "-"
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= length:
            return f"{seconds / length:,.0f} {unit}"
    return f"{seconds} s"
