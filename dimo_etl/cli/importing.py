"""`dimo-etl import`: saved files, and the link of an export, into the warehouse, the same path as what is fetched."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dimo_etl.cli.progress import progress
from dimo_etl.cli.settings import settings
from dimo_etl.errors import InputError
from dimo_etl.model import parse_vehicle_id

if TYPE_CHECKING:
    from dimo_etl.importing.load import Imported
    from dimo_etl.lake.store import Store

_GIB = 1 << 30


def import_files(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE|LINK...", help="Files, folders of .json, .ndjson and .jsonl files, or the link of an export."
        ),
    ],
    vehicle: Annotated[
        str | None, typer.Option(help="The vehicle all of it is of; needed where the documents name none.")
    ] = None,
    sha256: Annotated[str | None, typer.Option(help="What the file of the link must hash to.")] = None,
    max_bytes: Annotated[int, typer.Option(min=1, help="The largest file of a link, decompressed.")] = 20 * _GIB,
) -> None:
    """Import saved history responses, export files, and arrays or lines of events.

    The same file twice changes nothing. How complete imported days are is not known, and the view `coverage` says
    so. What cannot be understood is kept, with its reason, in the view `quarantine`.

    For example:

      dimo-etl import history-2023-05-01.json exports/

      dimo-etl import 'https://…the link from the mail…'
    """
    from dimo_etl.importing.download import Downloader
    from dimo_etl.importing.links import checked, is_link
    from dimo_etl.importing.load import paths_in
    from dimo_etl.lake.stores import open_store
    from dimo_etl.warehouse.publish import publish

    chosen = settings()
    vehicle_id = None if vehicle is None else parse_vehicle_id(vehicle)
    links = [source for source in sources if is_link(source)]
    if sha256 is not None and (len(links) != 1 or len(sources) != 1):
        raise InputError("--sha256 pins the file of one link; import that link alone.")
    hosts = {link: checked(link).hostname for link in links}
    paths = {source: list(paths_in([Path(source)])) for source in sources if source not in hosts}
    downloader = Downloader(max_bytes=max_bytes)
    with open_store(chosen.warehouse) as store:
        for source in sources:
            with ExitStack() as kept:
                if source in hosts:
                    with progress(f"receiving from {hosts[source]}", None, in_bytes=True) as advance:
                        file = downloader.file(store, source, sha256=sha256, progress=advance)
                        path = kept.enter_context(file)
                    _bring(store, path, f"from {hosts[source]}", vehicle_id)
                for path in paths.get(source, ()):
                    _bring(store, path, str(path), vehicle_id)
        publish(chosen.warehouse)


def _bring(store: Store, path: Path, called: str, vehicle_id: str | None) -> None:
    from dimo_etl.importing.load import import_file
    from dimo_etl.lake.signals import write_day
    from dimo_etl.lake.unite import remember
    from dimo_etl.lake.vehicles import read_vehicles
    from dimo_etl.model import Vehicle

    aliases = {known.user_device_id: known.vehicle_id for known in read_vehicles(store) if known.user_device_id}
    with progress(f"importing {called}", path.stat().st_size, in_bytes=True) as advance:
        done = import_file(
            store,
            path,
            called=called,
            vehicle_id=vehicle_id,
            known_as=lambda name: aliases.get(name, name),
            now=datetime.now(UTC),
            progress=advance,
        )
    remember(
        store,
        [Vehicle(name, token_id=int(name), user_device_id=device) for name, device in done.user_device_ids.items()],
        days=sorted(done.days),
    )
    with progress("writing days", len(done.days)) as advance:
        for count, day in enumerate(sorted(done.days), start=1):
            write_day(store, day)
            advance(count)
    _tell(called, done)


def _tell(called: str, done: Imported) -> None:
    typer.echo(
        f"{called}: {_count(done.documents, 'document')}, {_count(done.new_events, 'new event')}, "
        f"{done.repeated:,} repeated; {_count(len(done.vehicles), 'vehicle')}, "
        f"{_count(len(done.days), 'day')} changed"
    )
    for reason, count in sorted(done.quarantined.items()):
        typer.echo(f"{called}: {count:,} in quarantine: {reason}", err=True)


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"
