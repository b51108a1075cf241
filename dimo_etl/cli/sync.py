"""`dimo-etl sync`: days of history into the warehouse, through the same pipeline as the daily run."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from dimo_etl.cli.days import days_told, parse_days
from dimo_etl.cli.progress import Advance, progress
from dimo_etl.cli.settings import settings
from dimo_etl.config import source_named
from dimo_etl.history.sources import SOURCES
from dimo_etl.model import parse_vehicle_id

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from dimo_etl.coverage import Coverage
    from dimo_etl.history.fetch import VehicleDay
    from dimo_etl.model import Vehicle

# Not everything could be brought; what could is there.
INCOMPLETE = 3


def sync(
    first: Annotated[str, typer.Option("--from", help="The first UTC day, such as 2026-01-05.")],
    last: Annotated[str, typer.Option("--to", help="The last UTC day, included.")],
    vehicle: Annotated[list[str] | None, typer.Option(help="Only this vehicle; may be given again.")] = None,
    source: Annotated[
        str | None, typer.Option(help=f"Where history comes from ({', '.join(SOURCES)}), instead of DIMO_SOURCE.")
    ] = None,
    refresh: Annotated[bool, typer.Option("--refresh", help="Ask again for days that are already complete.")] = False,
) -> None:
    """Bring days of history into the warehouse; vehicle-days already complete are skipped.

    Ends with 0 where every vehicle-day is complete, 3 where some are not (they are named), 1 where it failed.

    For example:

      dimo-etl sync --from 2026-01-01 --to 2026-01-31

      dimo-etl sync --from 2026-01-05 --to 2026-01-05 --vehicle 4711 --refresh
    """
    from dimo_etl.connection import Connection
    from dimo_etl.history.fetch import Outcome
    from dimo_etl.lake.stores import open_store
    from dimo_etl.lake.vehicles import known_vehicles
    from dimo_etl.orchestrator import orchestrator

    chosen = settings()
    if source is not None:
        chosen = replace(chosen, source=source_named(source, "--source"))
    days = parse_days(first, last, start=chosen.start_date, now=datetime.now(UTC))
    only = [parse_vehicle_id(text) for text in vehicle or []]
    with open_store(chosen.warehouse) as store, Connection(chosen, known_vehicles(store)) as connection:
        vehicles = connection.vehicles(only)
    if not vehicles:
        typer.echo("No vehicle is shared with this licence; ask an owner to share one, then run this again.", err=True)
        return
    typer.echo(f"History comes from `{chosen.source}`; another source: --source or DIMO_SOURCE.", err=True)
    with progress("vehicle-days", len(vehicles) * len(days)) as advance:
        counter = Counter(advance)
        brought = orchestrator().bring(chosen, days, only=only, refresh=refresh, progress=counter)
    done = [vehicle_day for day in brought.days for vehicle_day in day.vehicle_days]
    proved = (Outcome.COMPLETE, Outcome.ALREADY_COMPLETE)
    complete = [found for found in done if found.outcome in proved]
    wanted = len(vehicles) * len(days)
    requests = sum(found.coverage.requests for found in done if found.outcome is not Outcome.ALREADY_COMPLETE)
    events = sum(found.coverage.fetched_events for found in complete)
    typer.echo(
        f"{len(complete):,} of {wanted:,} vehicle-days complete, {events:,} events, {requests:,} requests; "
        f"in {chosen.warehouse}"
    )
    for line in not_complete([found.coverage for found in done if found.outcome not in proved]):
        typer.echo(line, err=True)
    went_through = any(found.outcome in (*proved, Outcome.INCOMPLETE) for found in done)
    if went_through:
        for line in _unasked(vehicles, days, done):
            typer.echo(line, err=True)
    if brought.error is not None:
        typer.echo(f"Error: {brought.error}", err=True)
    if len(complete) < wanted or brought.error is not None:
        raise typer.Exit(INCOMPLETE if went_through else 1)


def not_complete(records: Sequence[Coverage]) -> list[str]:
    """A line for each vehicle-day that is not complete, with both numbers; one for those that tell the same of it."""
    alike: dict[tuple[str, str | None, date | None], list[Coverage]] = {}
    for record in sorted(records, key=lambda record: (record.date, record.vehicle_id)):
        # Days of which the service did not say how much there is mostly have one reason.
        own = None if record.expected_events is None else record.date
        alike.setdefault((record.vehicle_id, record.reason, own), []).append(record)
    lines = []
    for (vehicle_id, reason, _), same in alike.items():
        expected = "?" if same[0].expected_events is None else f"{same[0].expected_events:,}"
        held = sum(record.fetched_events for record in same)
        days = days_told(record.date for record in same)
        lines.append(f"Not complete: vehicle {vehicle_id}, {days}: {held:,} of {expected} events held; {reason}")
    return lines


def _unasked(vehicles: Sequence[Vehicle], days: Sequence[date], done: Sequence[VehicleDay]) -> list[str]:
    """A line for each vehicle with days that the run did not come to before it ended."""
    reached = {(found.coverage.vehicle_id, found.coverage.date) for found in done}
    lines = []
    for vehicle in vehicles:
        left = [day for day in days if (vehicle.vehicle_id, day) not in reached]
        if left:
            days_left = days_told(left)
            lines.append(f"Not complete: vehicle {vehicle.vehicle_id}, {days_left}: not asked for; run this again.")
    return lines


class Counter:
    """Counts vehicle-days as threads report them."""

    def __init__(self, advance: Advance) -> None:
        self._advance = advance
        self._lock = threading.Lock()
        self._done = 0

    def __call__(self, done: VehicleDay) -> None:
        """One more is done."""
        with self._lock:
            self._done += 1
            self._advance(self._done, f"{done.coverage.vehicle_id} {done.coverage.date}")
