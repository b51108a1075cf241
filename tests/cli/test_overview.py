"""The list of commands: whole, and there before anything is imported that a list does not need."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module

import pytest

from dimo_etl.cli.commands import COMMANDS

LISTED = "import sys; from dimo_etl.cli.main import main; main(); assert not {'typer', 'logging'} & sys.modules.keys()"


@pytest.mark.parametrize("arguments", [[], ["--help"], ["--help", "sync"]])
def test_every_command_is_listed_in_a_line_without_importing_what_commands_need(arguments):
    told = subprocess.run([sys.executable, "-c", LISTED, *arguments], check=True, capture_output=True, text=True)
    lines = told.stdout.splitlines()
    assert [line.split()[0] for line in lines if line.startswith("  ")] == list(COMMANDS)
    assert max(map(len, lines[3:])) < 80
    assert told.stderr == ""


def test_every_command_that_is_listed_is_there():
    for place, _ in COMMANDS.values():
        module, _, attribute = place.partition(":")
        assert callable(getattr(import_module(f"dimo_etl.cli.{module}"), attribute))
