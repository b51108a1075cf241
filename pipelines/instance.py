"""The Dagster instance this project uses: where its home is, and runs that died with their process."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
from filelock import FileLock

from dimo_etl.errors import ConfigError

PROCESS_TAG = "dimo/process"
_UNDER_WAY = [dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED]


def use_home() -> Path:
    """Point Dagster at its home: DAGSTER_HOME, else the working directory or this project where dagster.yaml lies.

    Raises:
        ConfigError: there is no such folder.
    """
    given = os.environ.get("DAGSTER_HOME")
    folders = [Path(given).expanduser().absolute()] if given else [Path.cwd(), Path(__file__).parents[1]]
    for folder in folders:
        if (folder / "dagster.yaml").is_file():
            os.environ["DAGSTER_HOME"] = str(folder)
            return folder
    raise ConfigError(
        f"No dagster.yaml in {folders[0]}; set DAGSTER_HOME to the folder of this project's dagster.yaml."
    )


@contextmanager
def open_instance() -> Iterator[dg.DagsterInstance]:
    """The instance of this home, opened by one process of this machine at a time.

    Two processes that make Dagster's SQLite tables at the same moment leave a database that has two versions, and
    that no later process can open.

    Raises:
        ConfigError: there is no home, or it cannot be written to.
    """
    storage = use_home() / "storage"
    try:
        storage.mkdir(exist_ok=True)
        with FileLock(storage / ".opening"):
            instance = dg.DagsterInstance.get()
    except OSError as error:
        raise ConfigError(
            f"Dagster's home {storage.parent} cannot be written to ({error.strerror}); "
            "allow it, or set DAGSTER_HOME to another folder with this project's dagster.yaml."
        ) from error
    with instance:
        yield instance


def this_process() -> str:
    """A name for this process that no later process of this machine shares."""
    return f"{socket.gethostname()}/{os.getpid()}/{_started(os.getpid())}"


def bury_the_dead(instance: dg.DagsterInstance) -> None:
    """Mark runs as failed whose command-line process is gone: killed, it could not say so itself."""
    for run in instance.get_runs(dg.RunsFilter(statuses=_UNDER_WAY)):
        host, _, process = run.tags.get(PROCESS_TAG, "").partition("/")
        pid, _, started = process.partition("/")
        if host == socket.gethostname() and pid.isdecimal() and _started(int(pid)) != started:
            instance.report_run_failed(run, "The process of this run was killed; what it had committed is kept.")


def _started(pid: int) -> str:
    """When a process started, in clock ticks since boot; empty where there is no such process or no way to tell."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return _alive(pid)


def _alive(pid: int) -> str:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return ""
    except OSError:
        return "alive"
    return "alive"
