"""`dimo-etl dev`: the Dagster UI with schedule and daemon."""

from __future__ import annotations

from typing import Annotated

import typer

from dimo_etl.cli.settings import settings


def dev(
    port: Annotated[int, typer.Option(min=1, max=65535, help="The port of the UI.")] = 3000,
    host: Annotated[str, typer.Option(help="The address to listen on; only this machine by default.")] = "127.0.0.1",
) -> None:
    """Run the Dagster UI with its daemon on this project's dagster.yaml, until interrupted."""
    from dimo_etl.orchestrator import orchestrator

    settings()  # a wrong variable is told here, in one sentence, and not on a page
    orchestrator().serve(host, port)
