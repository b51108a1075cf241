"""`dimo-etl sql`: a query over the views, its rows in the format that is asked for; or a prompt to type queries at."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from dimo_etl.cli.rows import Format, FormatOption, OutputOption, UnsafeOption, answer, quiet_when_reader_leaves


def sql(
    query: Annotated[
        str | None, typer.Argument(help="One query; `-` reads it from standard input, none opens a prompt.")
    ] = None,
    form: FormatOption = Format.TABLE,
    output: OutputOption = None,
    unsafe: UnsafeOption = False,
) -> None:
    """Ask the warehouse in SQL, read-only.

    A query reads the views and nothing else, and writes nothing. With --unsafe a statement may do what DuckDB can:
    read and write files, attach databases, load extensions.

    `dimo-etl views` lists what there is to ask; warehouse/README.md answers twelve common questions. Times are UTC.

    For example:

      dimo-etl sql "FROM distance_daily WHERE date >= '2026-01-01'"

      dimo-etl sql --format parquet -o latest.parquet "FROM latest"

      dimo-etl sql "DESCRIBE odometer"

      dimo-etl sql --unsafe "FROM distance_daily JOIN 'drivers.csv' USING (vehicle_id)"
    """
    from dimo_etl.warehouse import Warehouse

    if query == "-" or (query is None and not sys.stdin.isatty()):
        query = sys.stdin.read()
    with Warehouse.open(unsafe=unsafe) as warehouse, quiet_when_reader_leaves():
        if query is None:
            from dimo_etl.cli.prompt import prompt

            prompt(warehouse, form, output)
        else:
            answer(warehouse, query, form, output)
