"""`dimo-etl doctor`: a line for each thing that must be in order, green or red, and what to do about the red ones."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from dimo_etl.doctor.findings import Finding

_COLOURS = {"ok": typer.colors.GREEN, "fail": typer.colors.RED, "skipped": typer.colors.YELLOW}


def doctor() -> None:
    """Look at everything that bringing days needs: a line each, `ok`, `fail` with the next step, or `skipped`.

    No data are changed, and no secret is shown. Ends with 1 where anything fails.

    For example:

      dimo-etl doctor
    """
    from dimo_etl.doctor.examine import examine
    from dimo_etl.doctor.findings import Verdict

    failed = 0
    for finding in examine(os.environ, Path.cwd(), time.time):
        failed += finding.verdict is Verdict.FAIL
        typer.echo(_line(finding))
    if failed:
        raise typer.Exit(1)


def _line(finding: Finding) -> str:
    from dimo_etl.warehouse.show import printable

    word = finding.verdict.value
    shown = f"{word:7}"
    if sys.stdout.isatty() and not os.environ.get("NO_COLOR"):
        shown = typer.style(shown, fg=_COLOURS[word], bold=True)
    return f"{shown}  {finding.name:22}  {printable(finding.detail)}"
