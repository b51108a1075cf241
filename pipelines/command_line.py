"""The orchestrator behind `dimo-etl sync`, `demo` and `dev`: the same assets on the same instance as the schedule."""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import NoReturn

import dagster as dg

from dimo_etl.batch import DayFetched
from dimo_etl.config import Settings
from dimo_etl.errors import AuthError, DimoError, InputError, ServiceDownError, WarehouseError
from dimo_etl.history.fetch import VehicleDay
from dimo_etl.orchestrator import Brought
from pipelines.assets.views import VIEWS
from pipelines.build import build_defs
from pipelines.checks import broken_promises
from pipelines.health import health
from pipelines.instance import PROCESS_TAG, bury_the_dead, open_instance, this_process
from pipelines.jobs import ANSWERS_JOB, JOB, STEP, range_tags
from pipelines.partitions import DAYS_A_BATCH
from pipelines.resources import Dimo

WORKSPACE = Path(__file__).with_name("workspace.yaml")
# After these the next batch would only fail the same way.
_POINTLESS = (AuthError, ServiceDownError, WarehouseError)


class Dagster:
    """Runs the job in this process, one run a batch, recorded on the project's instance."""

    def bring(
        self,
        settings: Settings,
        days: Sequence[date],
        *,
        only: Sequence[str] = (),
        refresh: bool = False,
        progress: Callable[[VehicleDay], None],
    ) -> Brought:
        """Run the job over consecutive UTC days.

        Raises:
            DimoError: the first batch could not even begin.
            KeyboardInterrupt: it was told to stop; Dagster takes the signal for a failure of the step.
        """
        fetched: list[DayFetched] = []
        error: DimoError | None = None
        with open_instance() as instance:
            bury_the_dead(instance)
            for start in range(0, len(days), DAYS_A_BATCH):
                batch = days[start : start + DAYS_A_BATCH]
                failure = _run(
                    JOB,
                    instance,
                    Dimo(lambda: settings, progress=progress, done=fetched.append, interactive=True),
                    tags=range_tags(batch[0], batch[-1]),
                    ops={STEP: {"config": {"vehicles": list(only), "refresh": refresh}}},
                )
                error = failure or error
                if isinstance(failure, _POINTLESS) or (failure is not None and not fetched):
                    break
            if fetched and not broken_promises(instance):
                # Days cost history requests and nothing else; distances have a command of their own.
                shown = [dg.AssetKey(view.name) for view in VIEWS]
                dimo = Dimo(lambda: settings, interactive=True)
                error = _run(ANSWERS_JOB, instance, dimo, assets=shown) or error
        return Brought(fetched, error)

    def serve(self, host: str, port: int) -> NoReturn:
        """Become `dagster dev` on this project's instance, so that signals reach it and it stops its own processes.

        Raises:
            InputError: the port is taken.
            ConfigError: there is no Dagster home.
        """
        _check_free(host, port)
        with open_instance():
            pass  # its tables are there before several processes open it at once
        # `dagster dev` is superseded by a command of a package that brings far more than this needs.
        quiet = "ignore:Function `dev_command` is superseded"
        command = [sys.executable, "-W", quiet, "-m", "dagster", "dev", "-h", host, "-p", str(port)]
        # A script that starts this with `&` makes it deaf to Ctrl-C, and Dagster would then ignore SIGTERM as well.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.execv(sys.executable, [*command, "-w", str(WORKSPACE)])  # noqa: S606

    def health(self) -> str:
        """How Dagster is set up here.

        Raises:
            ConfigError: it could not run the job.
        """
        return health()


def _run(
    job: str,
    instance: dg.DagsterInstance,
    dimo: Dimo,
    *,
    tags: Mapping[str, str] | None = None,
    ops: Mapping[str, object] | None = None,
    assets: Sequence[dg.AssetKey] | None = None,
) -> DimoError | None:
    """Run a job here and now, or some of its assets, without a word; why it failed, where it did.

    Raises:
        KeyboardInterrupt: it was told to stop.
    """
    result = (
        build_defs(dimo)
        .resolve_job_def(job)
        .execute_in_process(
            instance=instance,
            tags={**(tags or {}), PROCESS_TAG: this_process()},
            run_config={"ops": ops or {}, "loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
            asset_selection=assets,
            raise_on_error=False,
        )
    )
    if _interrupted(result):
        raise KeyboardInterrupt
    return None if result.success else dimo.error or _unexplained(result)


def _check_free(host: str, port: int) -> None:
    try:
        with socket.create_server((host, port)):
            pass
    except OSError as error:
        raise InputError(
            f"The UI cannot listen on {host}, port {port} ({os.strerror(error.errno or 0)}); give another with --port."
        ) from error


def _interrupted(result: dg.ExecuteInProcessResult) -> bool:
    interrupts = {KeyboardInterrupt.__name__, dg.DagsterExecutionInterruptedError.__name__}
    errors = [event.step_failure_data.error for event in result.all_events if event.is_step_failure]
    return any(error is not None and error.cls_name in interrupts for error in errors)


def _unexplained(result: dg.ExecuteInProcessResult) -> DimoError:
    """What Dagster itself says of a step that failed without an error of ours."""
    for event in result.all_events:
        if event.is_step_failure and (error := event.step_failure_data.error) is not None:
            while error.cause is not None:
                error = error.cause
            return DimoError(
                f"The run failed in a way that was not foreseen ({error.message.strip()}); "
                "`dimo-etl dev` shows its log."
            )
        if event.is_step_failure:
            return DimoError(f"The step {event.step_key} failed; `dimo-etl dev` shows its log.")
    return DimoError("The run failed; `dimo-etl dev` shows its log.")
