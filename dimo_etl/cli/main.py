"""`dimo-etl`: lists the commands, or runs one and turns every error a user can cause into one sentence."""

from __future__ import annotations

import os
import sys

from dimo_etl.cli.commands import COMMANDS, overview
from dimo_etl.errors import DimoError

# What Typer makes of a Ctrl-C: 128 and the number of the signal.
_INTERRUPTED = 130
# What a report, a run's history or its log tells of vehicles is for its owner alone, as the warehouse is.
_PRIVATE = 0o077


def main() -> None:
    """Run the command line; errors go to standard error in one sentence, and the exit code is 1."""
    os.umask(_PRIVATE)
    named = sys.argv[1] if len(sys.argv) > 1 else "--help"
    if named == "--help":
        sys.stdout.write(overview())
    else:
        _run(named)


def _run(named: str) -> None:
    import logging

    from dimo_etl.cli.application import add_commands, app

    # Read by Arrow once it is loaded, here and in the runs this starts. Its own allocator keeps what it was given once:
    # a day of 200,000 events takes a third more.
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    warnings = logging.StreamHandler(sys.stderr)
    warnings.setLevel(logging.WARNING)
    # On the package's own logger, before any an orchestrator adds: those rewrite the records they pass on.
    logging.getLogger("dimo_etl").addHandler(warnings)
    # Where the name is mistyped, all of them: one of the others may have been meant.
    add_commands([named] if named in COMMANDS else COMMANDS)
    try:
        app()
    except DimoError as error:
        from dimo_etl.warehouse.show import printable

        # It may quote what a user, a server or a file said.
        sys.stderr.write(f"Error: {printable(str(error))}\n")
        sys.exit(1)
    except SystemExit as end:
        if end.code == _INTERRUPTED:
            sys.stderr.write("Interrupted; what was committed is kept, and the next run goes on from there.\n")
        raise
