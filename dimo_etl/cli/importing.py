"""`dimo-etl import`: saved files into the warehouse, through the same path as what is fetched."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from dimo_etl.cli.progress import progress
from dimo_etl.cli.settings import settings
from dimo_etl.model import parse_vehicle_id


def import_files(
    files: Annotated[list[Path], typer.Argument(help="Files, or folders of .json, .ndjson and .jsonl files.")],
    vehicle: Annotated[
        str | None, typer.Option(help="The vehicle all of it is of; needed where the documents name none.")
    ] = None,
) -> None:
    """Import saved history responses, export files, and arrays or lines of events.

    The same file twice changes nothing. How complete imported days are is not known, and the view `coverage` says
    so. What cannot be understood is kept, with its reason, in the view `quarantine`.

    For example:

      dimo-etl import history-2023-05-01.json exports/
    """
    from dimo_etl.importing.load import import_file, paths_in
    from dimo_etl.lake.signals import write_day
    from dimo_etl.lake.store import Store
    from dimo_etl.lake.vehicles import read_vehicles
    from dimo_etl.warehouse.publish import publish

    chosen = settings()
    vehicle_id = None if vehicle is None else parse_vehicle_id(vehicle)
    with Store(chosen.warehouse) as store:
        aliases = {known.user_device_id: known.vehicle_id for known in read_vehicles(store) if known.user_device_id}
        for path in list(paths_in(files)):
            with progress(f"{path.name}, bytes", path.stat().st_size) as advance:
                done = import_file(
                    store,
                    path,
                    vehicle_id=vehicle_id,
                    known_as=lambda name: aliases.get(name, name),
                    now=datetime.now(UTC),
                    progress=advance,
                )
            for day in sorted(done.days):
                write_day(store, day)
            typer.echo(
                f"{path}: {done.documents:,} documents, {done.new_events:,} new events, {done.repeated:,} repeated; "
                f"{len(done.vehicles):,} vehicles, {len(done.days):,} days changed"
            )
            for reason, count in sorted(done.quarantined.items()):
                typer.echo(f"{path}: {count:,} in quarantine: {reason}", err=True)
        publish(Path(chosen.warehouse))
