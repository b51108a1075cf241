"""`dimo-etl snapshot`: what each vehicle shows right now, into the warehouse."""

from __future__ import annotations

from typing import Annotated

import typer

from dimo_etl.cli.progress import progress
from dimo_etl.cli.settings import settings
from dimo_etl.model import parse_vehicle_id

# Not every vehicle could be seen; what could is there.
INCOMPLETE = 3


def snapshot(
    vehicle: Annotated[list[str] | None, typer.Option(help="Only this vehicle; may be given again.")] = None,
) -> None:
    """Bring the newest value of each signal of each vehicle, also of those that share no history.

    What history or an earlier snapshot gave already is not added again. The answers are kept as received, in the view
    `snapshots`. Ends with 0 where every vehicle answered, 3 where some did not (they are named), 1 where none did.

    For example:

      dimo-etl snapshot

      dimo-etl snapshot --vehicle 4711 --vehicle 5023
    """
    from dimo_etl.snapshots.run import snapshot_vehicles
    from dimo_etl.snapshots.take import Outcome
    from dimo_etl.warehouse.publish import publish

    chosen = settings()
    only = [parse_vehicle_id(text) for text in vehicle or []]
    run = snapshot_vehicles(chosen, only=only, watch=lambda vehicles: progress("vehicles", vehicles))
    if not run.vehicles:
        typer.echo("No vehicle is shared with this licence; ask an owner to share one, then run this again.", err=True)
        return
    publish(chosen.warehouse)
    answered = [done for done in run.vehicles if done.outcome in (Outcome.SEEN, Outcome.NOTHING_YET)]
    signals, new = sum(done.signals for done in answered), sum(done.new_signals for done in answered)
    typer.echo(
        f"{len(answered):,} of {len(run.vehicles):,} vehicles seen, {signals:,} signals, {new:,} new, "
        f"{run.requests:,} requests; in {chosen.warehouse}"
    )
    for done in run.vehicles:
        if done.reason is not None:
            typer.echo(f"Vehicle {done.vehicle_id}, {done.outcome.value}: {done.reason}", err=True)
    if len(answered) < len(run.vehicles):
        raise typer.Exit(INCOMPLETE if answered else 1)
