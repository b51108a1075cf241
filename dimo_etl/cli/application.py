"""The commands as one Typer application; a command's module is imported only where the command is wanted."""

from __future__ import annotations

import importlib
from collections.abc import Iterable

import typer

from dimo_etl.cli.commands import ABOUT, COMMANDS

app = typer.Typer(help=ABOUT, add_completion=False, pretty_exceptions_enable=False)


def add_commands(wanted: Iterable[str]) -> None:
    """Add commands to the application by name."""
    for name in wanted:
        module, _, attribute = COMMANDS[name][0].partition(":")
        command = getattr(importlib.import_module(f"dimo_etl.cli.{module}"), attribute)
        if isinstance(command, typer.Typer):
            app.add_typer(command, name=name)
        else:
            app.command(name)(command)


@app.callback()
def _commands() -> None:
    """Keep a lone command a command: Typer takes one without others for the application itself."""
