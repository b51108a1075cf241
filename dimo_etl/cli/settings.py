"""The settings of the command line: the environment over `.env` in the working directory."""

from __future__ import annotations

import os
from pathlib import Path

from dimo_etl.config import Settings, load_environment


def environment() -> dict[str, str]:
    """The variables a command sees."""
    return load_environment(os.environ, Path.cwd())


def settings() -> Settings:
    """The settings a command runs with.

    Raises:
        ConfigError: a variable cannot be used.
    """
    return Settings.from_environment(environment())
