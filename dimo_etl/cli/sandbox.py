"""`dimo-etl sandbox`: a local DIMO with a simulated fleet, to try things against."""

from __future__ import annotations

from typing import Annotated

import typer

from dimo_etl.config import SANDBOX_PORT


def sandbox(
    port: Annotated[int, typer.Option(min=1, max=65535, help="The port to listen on, on 127.0.0.1.")] = SANDBOX_PORT,
    seed: Annotated[int, typer.Option(help="Another seed simulates another fleet.")] = 1,
    raw: Annotated[
        bool, typer.Option("--raw", help="Add three vehicles that only the Fetch and Telemetry APIs know.")
    ] = False,
) -> None:
    """Serve a local DIMO with a simulated fleet until interrupted; no account needed.

    In another terminal, with DIMO_ENVIRONMENT=sandbox set, every command talks to it.
    """
    from dimo_etl.sandbox.server import serve

    serve(port, seed, raw=raw)
