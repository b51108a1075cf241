"""Which commands there are, in the order the help lists them, and a line on each.

Importing this costs nothing, so that the list is shown at once: Typer alone takes five times as long as bare Python.
"""

from __future__ import annotations

ABOUT = "The history of DIMO-connected vehicles in a warehouse of your own: complete, checked, and open to SQL."

# By name: where a command is, `module:attribute` below this package, and what it does.
COMMANDS = {
    "demo": ("demo:demo", "Bring days of a simulated fleet, and show what SQL answers."),
    "sync": ("sync:sync", "Bring days of history; what is complete is skipped."),
    "snapshot": ("snapshot:snapshot", "Bring the newest value of each signal of each vehicle."),
    "distances": ("distances:distances", "Bring what DIMO says each vehicle was driven."),
    "import": ("importing:import_files", "Import saved answers, export files, and lines of events."),
    "sql": ("sql:sql", "Ask the warehouse in SQL, read-only."),
    "views": ("views:views", "List the views, or explain one and its columns."),
    "report": ("report:report", "Draw the fleet and its days on one page."),
    "status": ("status:status", "Show what is complete and fresh, what is missing, what to do."),
    "vehicles": ("vehicles:vehicles", "List every vehicle ever seen."),
    "doctor": ("doctor:doctor", "Look at everything that bringing days needs."),
    "verify": ("verify:verify", "Hold every file of the warehouse against what was written."),
    "dev": ("dev:dev", "Run the Dagster UI with its daemon and schedules."),
    "sandbox": ("sandbox:sandbox", "Serve a local DIMO with a simulated fleet; no account needed."),
    "export": ("exporting:export", "Ask DIMO for everything it holds of a vehicle."),
}


def overview() -> str:
    """The help of the whole."""
    width = max(map(len, COMMANDS))
    listed = "".join(f"  {name:{width}}  {does}\n" for name, (_, does) in COMMANDS.items())
    return (
        f"Usage: dimo-etl COMMAND [OPTIONS]\n\n{ABOUT}\n\n{listed}\n"
        "`dimo-etl COMMAND --help` explains a command and shows examples.\n"
    )
