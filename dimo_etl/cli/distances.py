"""`dimo-etl distances`: what DIMO says each vehicle was driven, into the warehouse beside ours."""

from __future__ import annotations

from typing import Annotated

import typer

from dimo_etl.cli.settings import settings
from dimo_etl.model import parse_vehicle_id

# Not every vehicle's distances are to be had; those that are, are there.
INCOMPLETE = 3


def distances(
    vehicle: Annotated[list[str] | None, typer.Option(help="Only this vehicle; may be given again.")] = None,
    refresh: Annotated[bool, typer.Option("--refresh", help="Ask again within the hour.")] = False,
) -> None:
    """Bring what DIMO says each vehicle was driven, in all and on each of the last 14 days; two requests a vehicle.

    The view `reconciliation` then sets it beside ours, and says why where the two differ. Ends with 0 where the
    distances of every vehicle that shares them came or came within the hour, 3 where some did not (they are named), 1
    where none did.

    For example:

      dimo-etl distances

      dimo-etl sql "FROM reconciliation WHERE NOT agrees"
    """
    from dimo_etl.distances import bring_distances
    from dimo_etl.warehouse.publish import publish

    chosen = settings()
    brought = bring_distances(chosen, only=[parse_vehicle_id(text) for text in vehicle or []], refresh=refresh)
    publish(chosen.warehouse)
    came = {said.vehicle_id for said in brought.said}
    typer.echo(
        f"{len(came):,} vehicles asked about, {len(brought.not_due):,} within the hour, "
        f"{len(brought.not_shared):,} not shared, {brought.requests:,} requests; in {chosen.warehouse}"
    )
    for vehicle_id, refusal in sorted(brought.not_shared.items()):
        typer.echo(f"Vehicle {vehicle_id}: {refusal}")
    for vehicle_id, error in sorted(brought.failed.items()):
        typer.echo(f"Vehicle {vehicle_id}: {error}", err=True)
    if brought.failed:
        raise typer.Exit(INCOMPLETE if came or brought.not_due else 1)
