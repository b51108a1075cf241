"""What runs are given from outside: the settings, read from the environment when a run starts, never at import.

Secrets stay in the settings, so they appear in no run config and on no page.
"""

import os
from collections.abc import Callable
from pathlib import Path

from dimo_etl.batch import DayFetched
from dimo_etl.config import Settings, load_environment
from dimo_etl.errors import DimoError
from dimo_etl.history.fetch import VehicleDay


def settings_from_environment() -> Settings:
    """The settings of this process: the environment over `.env` in the working directory."""
    return Settings.from_environment(load_environment(os.environ, Path.cwd()))


class Dimo:
    """The service and the warehouse, as the settings say.

    Args:
        settings: read when first needed, so that a wrong variable fails a run with its sentence and not the import.
        progress: told of each vehicle-day, from any thread.
        done: told of each day when it is through.
        interactive: someone waits for the run, so a failure is reported at once instead of tried again later.

    Attributes:
        error: the last error that ended a step.
    """

    def __init__(
        self,
        settings: Callable[[], Settings] = settings_from_environment,
        *,
        progress: Callable[[VehicleDay], None] = lambda _: None,
        done: Callable[[DayFetched], None] = lambda _: None,
        interactive: bool = False,
    ) -> None:
        self._read_settings = settings
        self.progress = progress
        self.done = done
        self.interactive = interactive
        self.error: DimoError | None = None

    @property
    def settings(self) -> Settings:
        """The settings, read anew each time."""
        return self._read_settings()
