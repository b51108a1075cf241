"""`dimo-etl sync` through Dagster, as processes of their own on one instance and one warehouse."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from datetime import date
from pathlib import Path

import dagster as dg
import pyarrow.parquet as pq

from dimo_etl.warehouse import Warehouse
from tests.pipelines.conftest import HONDA, LEXUS, PROJECT, Household
from tests.pipelines.parrot import Parrot
from tests.pipelines.services import PROGRAM, left_of_session

FIRST, LAST = date(2025, 6, 9), date(2025, 6, 11)
NOTICE = "History comes from `device-data`; another source: --source or DIMO_SOURCE.\n"


def start_sync(
    household: Household, home: Path, *arguments: str, environ: dict[str, str] | None = None
) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [PROGRAM, "sync", "--from", FIRST.isoformat(), "--to", LAST.isoformat(), *arguments],
        cwd=home,
        env=os.environ | (environ or household.environ) | {"DAGSTER_HOME": str(home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """The exit code of a process, what it said, and what it complained of; that it takes a while is no complaint."""
    with process:
        out, err = process.communicate(timeout=120)
    complaints = [line for line in err.splitlines(keepends=True) if not line.startswith("vehicle-days: ")]
    return process.returncode, out, "".join(complaints)


def test_syncs_at_once_are_runs_that_lose_nothing_and_double_nothing_while_a_reader_reads(
    household: Household, home: Path
) -> None:
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
    for process, vehicle_days in zip(processes, (6, 3, 3), strict=True):
        code, out, complaints = ended(process)
        assert (code, complaints) == (0, NOTICE)
        assert out.startswith(f"{vehicle_days} of {vehicle_days} vehicle-days complete")
    assert household.events_held() == exist
    with Warehouse.open(household.root) as warehouse:
        distinct = "SELECT count(*) = count(DISTINCT (vehicle_id, event_id, name, timestamp)) FROM signals"
        assert warehouse.execute(distinct).fetchall() == [(True,)]
    with dg.DagsterInstance.from_config(str(home)) as instance:
        runs = {(run.job_name, run.status) for run in instance.get_runs()}
    assert runs == {(job, dg.DagsterRunStatus.SUCCESS) for job in ("daily_history", "answers")}


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


def test_no_secret_is_written_or_shown_though_servers_say_them_back(
    household: Household, home: Path, tmp_path: Path
) -> None:
    """One vehicle is refused with its token in the answer; then all is, in an exception inside an asset."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    given = {"DIMO_WEBHOOK_URL": "http://127.0.0.1:9/canary-hook", "DIMO_SMTP_URL": "smtp://u:canary-word@127.0.0.1:9"}
    given |= {"DIMO_MAIL_FROM": "a@example.org", "DIMO_MAIL_TO": "b@example.org"}
    key = household.environ["DIMO_API_KEY"].removeprefix("0x")
    with Parrot(f"http://127.0.0.1:{household.sandbox.port}", LEXUS, HONDA) as parrot:
        environ = parrot.environment(household.environ) | given | {"TMPDIR": str(temporary)}
        process = start_sync(household, home, environ=environ)
        listed: set[str] = set()
        while process.poll() is None:
            listed.update(left_of_session(process.pid))
            time.sleep(0.2)  # between two looks; nothing is timed by it
        code, out, complaints = ended(process)
    assert code == 1, complaints
    assert set(parrot.said) == {"page", "redirect", "JSON", "no JSON", "refusal"}
    assert any("sync" in line for line in listed)
    written = [path for folder in (home, household.root, temporary) for path in folder.rglob("*") if path.is_file()]
    texts = {"output": out.encode(), "complaints": complaints.encode(), "process list": "\n".join(listed).encode()}
    for path in written:
        # What is compressed is looked at as it is read.
        table = pq.read_table(path) if path.suffix == ".parquet" else None
        texts[str(path)] = path.read_bytes() + (
            f"{table.to_pydict()} {table.schema.metadata}".encode() if table else b""
        )
    kept = [name for name, text in texts.items() if b"your token is" in text]
    assert kept, "the server's words are kept, and what is secret in them is struck out"
    signatures = {token.rpartition(b".")[2] for token in parrot.told}
    assert len(signatures) >= 2
    # A JSON web token begins with the base64 of `{"`, and what follows is its algorithm or its type.
    secrets = [key.encode(), b"canary-hook", b"canary-word", b"eyJhbGciOi", b"eyJ0eXAiOi", *signatures]
    bearer = re.compile(rb"Bearer (?!\*\*\*)")
    told = [name for name, text in texts.items() if any(secret in text for secret in secrets) or bearer.search(text)]
    assert told == []
