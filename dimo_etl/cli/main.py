"""`dimo-etl`: puts the commands together, and turns every error a user can cause into one sentence."""

from __future__ import annotations

import logging
import sys

import typer

from dimo_etl.cli.demo import demo
from dimo_etl.cli.dev import dev
from dimo_etl.cli.distances import distances
from dimo_etl.cli.doctor import doctor
from dimo_etl.cli.exporting import export
from dimo_etl.cli.importing import import_files
from dimo_etl.cli.report import report
from dimo_etl.cli.sandbox import sandbox
from dimo_etl.cli.snapshot import snapshot
from dimo_etl.cli.sql import sql
from dimo_etl.cli.status import status
from dimo_etl.cli.sync import sync
from dimo_etl.cli.vehicles import vehicles
from dimo_etl.cli.verify import verify
from dimo_etl.cli.views import views
from dimo_etl.errors import DimoError

# What Typer makes of a Ctrl-C: 128 and the number of the signal.
_INTERRUPTED = 130

app = typer.Typer(
    help="The history of DIMO-connected vehicles in a warehouse of your own: complete, checked, and open to SQL.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for name, command in (
    ("demo", demo),
    ("sync", sync),
    ("snapshot", snapshot),
    ("distances", distances),
    ("import", import_files),
    ("sql", sql),
    ("views", views),
    ("report", report),
    ("status", status),
    ("vehicles", vehicles),
    ("doctor", doctor),
    ("verify", verify),
    ("dev", dev),
    ("sandbox", sandbox),
):
    app.command(name)(command)
app.add_typer(export, name="export")


def main() -> None:
    """Run the command line; errors go to standard error in one sentence, and the exit code is 1."""
    warnings = logging.StreamHandler(sys.stderr)
    warnings.setLevel(logging.WARNING)
    # On the package's own logger, before any an orchestrator adds: those rewrite the records they pass on.
    logging.getLogger("dimo_etl").addHandler(warnings)
    try:
        app()
    except DimoError as error:
        typer.echo(f"Error: {error}", err=True)
        sys.exit(1)
    except SystemExit as end:
        if end.code == _INTERRUPTED:
            typer.echo("Interrupted; what was committed is kept, and the next run goes on from there.", err=True)
        raise
