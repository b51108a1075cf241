"""`dimo-etl`: puts the commands together, and turns every error a user can cause into one sentence."""

from __future__ import annotations

import importlib
import logging
import sys
from collections.abc import Iterable

import typer

from dimo_etl.errors import DimoError

# What Typer makes of a Ctrl-C: 128 and the number of the signal.
_INTERRUPTED = 130

app = typer.Typer(
    help="The history of DIMO-connected vehicles in a warehouse of your own: complete, checked, and open to SQL.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
# In the order the help lists them; a command's module is imported only where it is named, or all are listed.
COMMANDS = {
    "demo": "demo:demo",
    "sync": "sync:sync",
    "snapshot": "snapshot:snapshot",
    "distances": "distances:distances",
    "import": "importing:import_files",
    "sql": "sql:sql",
    "views": "views:views",
    "report": "report:report",
    "status": "status:status",
    "vehicles": "vehicles:vehicles",
    "doctor": "doctor:doctor",
    "verify": "verify:verify",
    "dev": "dev:dev",
    "sandbox": "sandbox:sandbox",
    "export": "exporting:export",
}


def add_commands(wanted: Iterable[str]) -> None:
    """Add commands to the application by name."""
    for name in wanted:
        module, _, attribute = COMMANDS[name].partition(":")
        command = getattr(importlib.import_module(f"dimo_etl.cli.{module}"), attribute)
        if isinstance(command, typer.Typer):
            app.add_typer(command, name=name)
        else:
            app.command(name)(command)


@app.callback()
def _commands() -> None:
    """Keep a lone command a command: Typer takes one without others for the application itself."""


def main() -> None:
    """Run the command line; errors go to standard error in one sentence, and the exit code is 1."""
    warnings = logging.StreamHandler(sys.stderr)
    warnings.setLevel(logging.WARNING)
    # On the package's own logger, before any an orchestrator adds: those rewrite the records they pass on.
    logging.getLogger("dimo_etl").addHandler(warnings)
    named = sys.argv[1] if len(sys.argv) > 1 else ""
    add_commands([named] if named in COMMANDS else COMMANDS)
    try:
        app()
    except DimoError as error:
        typer.echo(f"Error: {error}", err=True)
        sys.exit(1)
    except SystemExit as end:
        if end.code == _INTERRUPTED:
            typer.echo("Interrupted; what was committed is kept, and the next run goes on from there.", err=True)
        raise
