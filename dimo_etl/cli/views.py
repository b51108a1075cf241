"""`dimo-etl views`: what there is to ask for, and what every column means."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Annotated

import typer

from dimo_etl.errors import InputError

if TYPE_CHECKING:
    from dimo_etl.warehouse import View


def views(
    name: Annotated[str | None, typer.Argument(help="One view; without it, all are listed.")] = None,
) -> None:
    """List the views, or show one: what a row is, its columns with types and units, and the rules it follows.

    For example:

      dimo-etl views

      dimo-etl views trips
    """
    from dimo_etl.warehouse import views as defined

    known = {view.name: view for view in defined()}
    if name is None:
        _draw(("view", "a row is"), [(view.name, view.description) for view in known.values()])
        return
    if name not in known:
        near = get_close_matches(name, known, n=1)
        hint = f"do you mean {near[0]}?" if near else "`dimo-etl views` lists them all."
        raise InputError(f"There is no view {name}; {hint}")
    _show(known[name])


def _show(view: View) -> None:
    from dimo_etl.warehouse.columns import column_types

    types = column_types()[view.name]
    typer.echo(f"{view.name}: {view.description}\n\n  {view.example}\n")
    _draw(
        ("column", "type", "meaning"),
        [(column.name, types[column.name], column.description) for column in view.columns],
    )
    for paragraph in view.remarks:
        typer.echo(f"\n{paragraph}")


def _draw(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Rows in columns, the last one wrapped to the terminal."""
    from dimo_etl.warehouse import show

    taken = sum(max(len(row[n]) for row in (heads, *rows)) + 2 for n in range(len(heads) - 1))
    width = max(40, shutil.get_terminal_size((120, 24)).columns - taken)
    show.draw(heads, [line for row in rows for line in _wrapped(row, width)], sys.stdout)


def _wrapped(row: Sequence[str], width: int) -> Iterator[Sequence[str]]:
    first, *more = textwrap.wrap(row[-1], width, break_long_words=False) or [""]
    yield (*row[:-1], first)
    yield from ((*("" for _ in row[:-1]), line) for line in more)
