"""`dimo-etl vehicles`: which vehicles there are, what they are, what they share, and from when to when they sent."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from typing import TYPE_CHECKING

import typer

from dimo_etl.cli.rows import Format, FormatOption, OutputOption, answer
from dimo_etl.cli.settings import settings
from dimo_etl.errors import DimoError

if TYPE_CHECKING:
    from dimo_etl.warehouse import Warehouse

_QUERY = "FROM vehicles ORDER BY try_cast(vehicle_id AS HUGEINT), vehicle_id"
_HEADS = ("vehicle", "make", "model", "shared", "granted", "sources", "first", "last")
# The integrations as DIMO names them; an id that is not here is shown as it is.
_INTEGRATIONS: Mapping[str, str] = {
    "27qftVRWQYpVDcO5DltO5Ojbjxk": "AutoPi",
    "22N2xaPOq2WW2gAHBHd0Ikn4Zob": "Smartcar",
    "2ULfuC8U9dOqRshZBAi0lMM1Rrx": "Macaron",
    "26A5Dk3vvvQutjSyF0Jka2DP5lg": "Tesla",
}


def vehicles(
    form: FormatOption = Format.TABLE,
    output: OutputOption = None,
) -> None:
    """List every vehicle ever seen, also those no longer shared.

    Identity is asked first who shares what; where it cannot be, that is said, and the warehouse answers alone. The
    same is in the view `vehicles`.

    For example:

      dimo-etl vehicles

      dimo-etl vehicles --format csv > vehicles.csv
    """
    from dimo_etl.batch import remember_vehicles
    from dimo_etl.warehouse import Warehouse

    try:
        remember_vehicles(settings())
    except DimoError as error:
        typer.echo(f"As the warehouse last knew, since it cannot be brought up to date: {error}", err=True)
    with Warehouse.open() as warehouse:
        if form is Format.TABLE and output is None:
            _draw(warehouse)
        else:
            answer(warehouse, _QUERY, form, output)


def ranges(numbers: Sequence[int]) -> str:
    """Ascending whole numbers in short: `1,3-6`; `none` where there are none."""
    parts: list[list[int]] = [[number] for number in numbers[:1]]
    for before, number in pairwise(numbers):
        if number == before + 1:
            parts[-1].append(number)
        else:
            parts.append([number])
    return ",".join(f"{part[0]}-{part[-1]}" if len(part) > 1 else f"{part[0]}" for part in parts) or "none"


def _draw(warehouse: Warehouse) -> None:
    from dimo_etl.warehouse import show

    known = warehouse.arrow(_QUERY).to_pylist()
    if not known:
        typer.echo("No vehicle is known yet; ask an owner to share one with your licence, or try `dimo-etl demo`.")
        return
    lines = [
        [
            row["vehicle_id"],
            row["make"] or "-",
            " ".join(str(part) for part in (row["model"], row["year"]) if part is not None) or "-",
            {True: "yes", False: "no", None: "?"}[row["shared_now"]],
            "?" if row["permissions"] is None else ranges(row["permissions"]),
            ", ".join(map(_integration, row["integrations"] or [])) or "-",
            _day(row["first_event"]),
            _day(row["last_event"]),
        ]
        for row in known
    ]
    show.draw(_HEADS, lines, sys.stdout)


def _integration(source: str) -> str:
    name = source.rpartition("/")[2]
    return _INTEGRATIONS.get(name, name)


def _day(moment: datetime | None) -> str:
    return "-" if moment is None else f"{moment:%Y-%m-%d}"
