"""What runs the pipeline for the command line: found by entry point, so that the library knows no orchestrator.

The package that orchestrates declares itself under the group `dimo_etl.orchestrator`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from importlib.metadata import entry_points
from typing import NoReturn, Protocol, cast

from dimo_etl.batch import DayFetched
from dimo_etl.config import Settings
from dimo_etl.errors import ConfigError, DimoError
from dimo_etl.history.fetch import VehicleDay

_GROUP = "dimo_etl.orchestrator"


@dataclass(frozen=True, slots=True)
class Brought:
    """What bringing days came to.

    Attributes:
        days: those that were begun, in order.
        error: the last error that ended a batch; None where all went through.
    """

    days: list[DayFetched]
    error: DimoError | None


class Orchestrator(Protocol):
    """Runs the pipeline, and shows it."""

    def bring(
        self,
        settings: Settings,
        days: Sequence[date],
        *,
        only: Sequence[str] = (),
        refresh: bool = False,
        progress: Callable[[VehicleDay], None],
    ) -> Brought:
        """Run the whole pipeline over consecutive UTC days, here and now, and record the runs."""

    def serve(self, host: str, port: int) -> NoReturn:
        """Become the user interface, with schedules and daemon, until interrupted."""

    def health(self) -> str:
        """How it is set up here; raises ConfigError where it could not run the pipeline."""


def orchestrator() -> Orchestrator:
    """The orchestrator that is installed.

    Raises:
        ConfigError: there is none.
    """
    found = list(entry_points(group=_GROUP))
    if not found:
        raise ConfigError("The pipelines are not installed; install the whole project with `pip install -e .`.")
    return cast(Orchestrator, found[0].load()())
