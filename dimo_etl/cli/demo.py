"""`dimo-etl demo`: the whole path on a simulated fleet, and what the warehouse then answers."""

from __future__ import annotations

import shutil
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from dimo_etl.cli.progress import progress
from dimo_etl.cli.settings import environment
from dimo_etl.cli.sync import Counter
from dimo_etl.config import DEMO_WAREHOUSE, Settings
from dimo_etl.errors import DimoError
from dimo_etl.model import days_between

_QUESTIONS = (
    (
        "How far has each vehicle driven? (DIMO counts bad readings too)",
        "SELECT vehicle_id, make, model, year, round(distance_robust_km, 1) AS distance_km, "
        "round(distance_km, 1) AS as_dimo_counts_km "
        "FROM distance_driven JOIN vehicles USING (vehicle_id) ORDER BY vehicle_id",
    ),
    (
        "What did the odometer show, day by day?",
        "SELECT vehicle_id, date, first_km, last_km, readings FROM odometer_daily "
        "WHERE date >= (SELECT max(date) - 2 FROM odometer_daily) ORDER BY ALL",
    ),
    (
        "Which upstream errors came, and how often?",
        "SELECT vehicle_id, type, error_code, error_type, sum(errors)::BIGINT AS errors FROM errors_daily "
        "GROUP BY ALL ORDER BY errors DESC, vehicle_id, type LIMIT 8",
    ),
    (
        "Is it complete?",
        "SELECT vehicle_id, count(*) AS days, count(*) FILTER (complete) AS complete_days, "
        "sum(expected_events)::BIGINT AS expected_events, sum(fetched_events)::BIGINT AS fetched_events, "
        "sum(requests)::BIGINT AS requests FROM coverage GROUP BY ALL ORDER BY vehicle_id",
    ),
)


def demo(
    days: Annotated[int, typer.Option(min=1, max=366, help="How many days back.")] = 7,
) -> None:
    """Bring the last days of a simulated fleet through Dagster, and show what the warehouse answers.

    Needs no account and no network. What it brings lies in a warehouse of its own.
    """
    from dimo_etl.orchestrator import orchestrator
    from dimo_etl.sandbox.server import SandboxServer
    from dimo_etl.warehouse import Warehouse, show

    given = environment()
    today = datetime.now(UTC).date()
    wanted = days_between(today - timedelta(days=days), today - timedelta(days=1))
    with SandboxServer(port=0, today=today, history_days=days) as sandbox:
        where = {"DIMO_WAREHOUSE": given.get("DIMO_WAREHOUSE") or DEMO_WAREHOUSE, "DIMO_START_DATE": "2020-01-01"}
        settings = Settings.from_environment({**where, **sandbox.environ})
        typer.echo(f"A simulated fleet of {len(sandbox.fleet.vehicles)} vehicles, {wanted[0]} to {wanted[-1]}")
        typer.echo(f"History comes from `{settings.source}`.")
        with progress("vehicle-days", len(sandbox.fleet.vehicles) * len(wanted)) as advance:
            brought = orchestrator().bring(settings, wanted, progress=Counter(advance))
    if brought.error is not None:
        raise brought.error
    with Warehouse.open(Path(settings.warehouse)) as warehouse:
        for question, query in _QUESTIONS:
            typer.echo(f"\n{question}")
            show.write_table(warehouse.execute(query), sys.stdout)
    if not brought.days:
        raise DimoError("The demo brought no days; run it again.")
    typer.echo(_NEXT.format(program=_program()))


def _program() -> str:
    """How the user can type this program's name where they are."""
    path = Path(sys.argv[0]).absolute()
    if shutil.which("dimo-etl"):
        return "dimo-etl"
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


_NEXT = """
What next:
  {program} sql                      ask anything: a prompt, or a query such as "FROM latest WHERE name = 'speed'"
  {program} status                   coverage and freshness, a line a vehicle
  {program} dev                      the Dagster UI: what was just run, backfills, schedules
  {program} sync --help              your own vehicles: put your licence into .env, as README.md says
"""
