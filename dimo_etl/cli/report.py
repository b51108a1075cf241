"""`dimo-etl report`: what the warehouse answers, on one page."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from dimo_etl.cli.days import parse_day
from dimo_etl.cli.rows import UnsafeOption, replaced


def report(
    output: Annotated[Path, typer.Option("--output", "-o", help="The file to write, replaced whole.")] = Path(
        "report.html"
    ),
    vehicle: Annotated[list[str] | None, typer.Option(help="A vehicle to report on; may be given again.")] = None,
    first: Annotated[str | None, typer.Option("--from", help="First UTC day; else a year before the last.")] = None,
    last: Annotated[str | None, typer.Option("--to", help="Last UTC day, included; else the newest.")] = None,
    unsafe: UnsafeOption = False,
) -> None:
    """Draw the fleet, odometers, distances, coverage, trips, charging, errors and freshness on one page.

    The page is a single HTML file that needs no network: open it, print it, send it. Beside each figure is the SQL
    its numbers come from. It reads the views and nothing else; with --unsafe, views of your own may read other files.

    For example:

      dimo-etl report

      dimo-etl report -o july.html --vehicle 4711 --from 2026-07-01 --to 2026-07-31
    """
    from dimo_etl.report.page import render
    from dimo_etl.report.scope import scope_of
    from dimo_etl.warehouse import Warehouse

    begin = None if first is None else parse_day("--from", first)
    end = None if last is None else parse_day("--to", last)
    with Warehouse.open(unsafe=unsafe) as warehouse:
        scope = scope_of(warehouse, vehicles=vehicle or (), first=begin, last=end)
        page = render(warehouse, scope, now=datetime.now(UTC)).encode()
    with replaced(output) as file:
        file.write(page)
    vehicles = "1 vehicle" if len(scope.vehicles) == 1 else f"{len(scope.vehicles):,} vehicles"
    typer.echo(f"{output}: {vehicles}, {scope.first} to {scope.last}, {len(page) / 1e6:.1f} MB")
