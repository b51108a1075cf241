"""`dimo-etl sync` through Dagster, as processes of their own on one instance and one warehouse."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import date
from pathlib import Path

import dagster as dg
import pytest

from dimo_etl.sandbox.server import SandboxServer
from dimo_etl.warehouse import Warehouse
from tests.pipelines.conftest import HONDA, LEXUS, PROJECT, Household
from tests.pipelines.services import PROGRAM

FIRST, LAST = date(2025, 6, 9), date(2025, 6, 11)
NOTICE = "History comes from `device-data`; another source: --source or DIMO_SOURCE.\n"


def start_sync(household: Household, home: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [PROGRAM, "sync", "--from", FIRST.isoformat(), "--to", LAST.isoformat(), *arguments],
        cwd=home,
        env=os.environ | household.environ | {"DAGSTER_HOME": str(home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """The exit code of a process, what it said, and what it complained of; that it takes a while is no complaint."""
    with process:
        out, err = process.communicate(timeout=120)
    complaints = [line for line in err.splitlines(keepends=True) if not line.startswith("vehicle-days: ")]
    return process.returncode, out, "".join(complaints)


def runs_of(home: Path) -> list[dg.DagsterRun]:
    with dg.DagsterInstance.from_config(str(home)) as instance:
        return list(instance.get_runs())


def test_a_sync_is_runs_that_the_ui_shows(household: Household, home: Path) -> None:
    code, out, complaints = ended(start_sync(household, home))
    assert (code, complaints) == (0, NOTICE)
    assert out.startswith("6 of 6 vehicle-days complete")
    runs = {run.job_name: run.status for run in runs_of(home)}
    assert runs == dict.fromkeys(("daily_history", "answers"), dg.DagsterRunStatus.SUCCESS)
    assert household.events_held() == household.events_that_exist(FIRST, LAST)


def test_syncs_at_once_lose_nothing_and_double_nothing_while_a_reader_reads(household: Household, home: Path) -> None:
    wanted = [(), ("--vehicle", str(LEXUS)), ("--vehicle", str(HONDA), "--refresh")]
    processes = [start_sync(household, home, *arguments) for arguments in wanted]
    exist = household.events_that_exist(FIRST, LAST)
    while any(process.poll() is None for process in processes):
        if household.root.is_dir():
            with Warehouse.open(household.root) as warehouse:
                rows = warehouse.execute(
                    "SELECT vehicle_id::BIGINT, date, count(DISTINCT event_id) FROM signals GROUP BY ALL"
                )
                for vehicle, day, events in rows:
                    assert events <= len(exist[vehicle, day])
    for process in processes:
        code, _, complaints = ended(process)
        assert (code, complaints) == (0, NOTICE)
    assert household.events_held() == exist
    with Warehouse.open(household.root) as warehouse:
        distinct = "SELECT count(*) = count(DISTINCT (vehicle_id, event_id, name, timestamp)) FROM signals"
        assert warehouse.execute(distinct).fetchall() == [(True,)]
    assert {run.status for run in runs_of(home)} == {dg.DagsterRunStatus.SUCCESS}


def test_a_new_instance_can_be_opened_by_many_processes_at_once(home: Path) -> None:
    code = "from pipelines.instance import open_instance\nprint(flush=True)\ninput()\nwith open_instance(): pass"
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code],
            cwd=PROJECT,
            env=os.environ | {"DAGSTER_HOME": str(home)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for process in processes:
        process.stdout.readline()
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        code, _, complaints = ended(process)
        assert (code, complaints) == (0, "")


@pytest.mark.parametrize("refused", [False, True], ids=["all goes well", "the credentials are refused"])
def test_no_secret_is_written_anywhere(household: Household, home: Path, sandbox: SandboxServer, refused: bool) -> None:
    if refused:
        sandbox.faults.answer(401, times=10, at="/device-data-api")
    code, out, complaints = ended(start_sync(household, home))
    assert code == (1 if refused else 0), complaints
    key = household.environ["DIMO_API_KEY"].removeprefix("0x")
    written = [path for path in [*home.rglob("*"), *household.root.rglob("*")] if path.is_file()]
    assert len(written) > 3
    everything = [out.encode(), complaints.encode(), *(path.read_bytes() for path in written)]
    # A JSON web token begins with the base64 of `{"`, and what follows is its algorithm or its type.
    for secret in (key.encode(), b"eyJhbGciOi", b"eyJ0eXAiOi", b"Bearer "):
        assert not [content for content in everything if secret in content]
