"""Whether Dagster can work here: its home, its storage, its schedules and the daemon that runs them."""

from __future__ import annotations

import time

import dagster as dg
from sqlalchemy.exc import SQLAlchemyError
from yaml import YAMLError  # type: ignore[import-untyped]

from dimo_etl.errors import ConfigError
from pipelines.build import build_defs
from pipelines.instance import open_instance

_CURSOR = "dimo/doctor"
# The daemon says every half a minute that it lives.
_SILENT_SECONDS = 300.0


def health() -> str:
    """Open the instance, write to its storage, and look at the schedules.

    Raises:
        ConfigError: something of it does not work, or a schedule is on and no daemon runs it.
    """
    try:
        with open_instance() as instance:
            instance.daemon_cursor_storage.set_cursor_values({_CURSOR: f"{time.time():.0f}"})
            on = _schedules_on(instance)
            home = instance.root_directory
            if on and _silent(instance):
                raise ConfigError(f"The schedule {on[0]} is on and no daemon runs it; start `dimo-etl dev`.")
    except (dg.DagsterError, SQLAlchemyError, YAMLError) as error:
        raise ConfigError(
            f"Dagster's home does not work ({type(error).__name__}); check its dagster.yaml and the folder `storage`."
        ) from error
    return f"{dg.__version__}, home {home} can be written; schedules on: {', '.join(on) or 'none'}"


def _schedules_on(instance: dg.DagsterInstance) -> list[str]:
    ours = {schedule.name for schedule in build_defs().get_repository_def().schedule_defs}
    states = instance.all_instigator_state()
    return sorted(state.instigator_name for state in states if state.instigator_name in ours and state.is_running)


def _silent(instance: dg.DagsterInstance) -> bool:
    beats = [beat.timestamp for beat in instance.get_daemon_heartbeats().values()]
    return time.time() - max(beats, default=0.0) > _SILENT_SECONDS
