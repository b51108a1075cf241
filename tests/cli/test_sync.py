"""`dimo-etl sync` against the sandbox: what it brings, how it ends, and what it never shows."""

from __future__ import annotations

import os
import re
import signal
import time
from datetime import date

import dagster as dg
import pytest

from dimo_etl.cli.sync import not_complete
from dimo_etl.config import SANDBOX_LICENCE
from dimo_etl.coverage import Coverage
from tests.cli.conftest import User

DAY = ("--from", "2026-01-05", "--to", "2026-01-05")
LEXUS, HONDA = 5023, 7345
NOTICE = r"History comes from `device-data`; another source: --source or DIMO_SOURCE\.\n"
# Tokens are JSON Web Tokens, which begin like this; the key of the sandbox's licence is 32 equal bytes.
SECRETS = (SANDBOX_LICENCE["DIMO_API_KEY"].removeprefix("0x").encode(), b"eyJ")


@pytest.fixture(scope="module")
def household(tmp_path_factory, sandbox):
    """A user who has synced one day of one vehicle, and what that told."""
    user = User(tmp_path_factory.mktemp("household"), sandbox.environ)
    return user, user.run("sync", *DAY, "--vehicle", LEXUS)


def test_a_day_is_brought_whole_and_every_event_is_there_to_query(household, sandbox):
    user, told = household
    reachable = [event["id"] for event in sandbox.fleet.reachable(LEXUS, date(2026, 1, 5))]
    assert told.returncode == 0, told.stderr
    assert told.stdout.startswith(f"1 of 1 vehicle-days complete, {len(reachable)} events, ")
    assert user.answer("SELECT DISTINCT event_id FROM signals ORDER BY 1") == sorted(reachable)
    assert user.answer(
        "SELECT vehicle_id, complete, expected_events - fetched_events FROM coverage WHERE state <> 'never_asked'"
    ) == ["5023,true,0"]


def test_a_day_that_is_complete_is_skipped_without_a_request_for_history(household):
    user, _ = household
    told = user.run("sync", *DAY, "--vehicle", LEXUS)
    assert told.returncode == 0, told.stderr
    assert ", 0 requests;" in told.stdout


def test_what_it_writes_is_for_its_owner_alone(household):
    user, _ = household
    ours = {user.home, user.home / "dagster.yaml", user.folder}
    written = [path for path in user.folder.rglob("*") if path not in ours]
    assert len(written) > 20
    assert [path for path in written if path.stat().st_mode & 0o077] == []


def test_no_secret_is_shown_or_kept(household):
    user, told = household
    shown = [told.stdout.encode(), told.stderr.encode()]
    files = [path for path in (*user.warehouse.rglob("*"), *user.home.rglob("*")) if path.is_file()]
    assert len(files) > 10
    for text in (*shown, *(path.read_bytes() for path in files)):
        assert not [secret for secret in SECRETS if secret in text]


def test_a_vehicle_that_cannot_be_had_ends_with_3_and_is_named_while_the_others_are_there(user):
    told = user.run("sync", "--from", "2026-01-04", "--to", "2026-01-05", DIMO_VEHICLES="5023,9001")
    assert told.returncode == 3, told.stderr
    assert told.stdout.startswith("2 of 4 vehicle-days complete, ")
    [line] = [line for line in told.stderr.splitlines() if "9001" in line]
    assert line.startswith("Not complete: vehicle 9001, 2 days from 2026-01-04 to 2026-01-05: 0 of ? events held; ")
    assert "Traceback" not in told.stderr
    assert user.answer("SELECT DISTINCT vehicle_id FROM signals") == ["5023"]


def test_days_of_a_vehicle_that_tell_the_same_are_named_at_once_and_those_with_numbers_each():
    def record(day: int, reason: str, held: int = 0, expected: int | None = None) -> Coverage:
        numbers = {"expected_events": expected, "fetched_events": held, "complete": False, "fetched_at": None}
        return Coverage(vehicle_id="8816", date=date(2026, 1, day), origin="fetch", reason=reason, **numbers)

    refused = [record(4, "not shared"), record(1, "not shared"), record(2, "not shared", 7)]
    cut = [record(day, "cut", 5, 2_000) for day in (3, 5)]
    assert not_complete([*refused, *cut]) == [
        "Not complete: vehicle 8816, 2 days from 2026-01-01 to 2026-01-02, 2026-01-04: 7 of ? events held; not shared",
        "Not complete: vehicle 8816, 2026-01-03: 5 of 2,000 events held; cut",
        "Not complete: vehicle 8816, 2026-01-05: 5 of 2,000 events held; cut",
    ]


def test_a_wrong_key_ends_with_1_and_one_sentence_that_does_not_repeat_it(user):
    canary = "c0ffee" * 10 + "beef"
    told = user.run("sync", *DAY, DIMO_API_KEY=f"0x{canary}")
    assert told.returncode == 1
    assert re.fullmatch(
        NOTICE + r"Error: The authentication service refused .*; give in DIMO_API_KEY .*\.\n", told.stderr
    )
    files = [path for path in user.folder.rglob("*") if path.is_file()]
    for text in (told.stdout.encode(), told.stderr.encode(), *(path.read_bytes() for path in files)):
        assert canary.encode() not in text


def test_a_source_that_there_is_none_of_ends_with_1_and_names_those_there_are(user):
    told = user.run("sync", *DAY, "--source", "divination")
    assert told.returncode == 1
    assert re.fullmatch(r"Error: --source is 'divination'; give one of .*device-data.*\.\n", told.stderr)


def test_a_warehouse_that_cannot_be_written_ends_with_1_and_one_sentence(user):
    (user.folder / "file").write_bytes(b"")
    told = user.run("sync", *DAY, "--vehicle", LEXUS, DIMO_WAREHOUSE=str(user.folder / "file" / "lake"))
    assert told.returncode == 1
    assert re.fullmatch(
        NOTICE + r"Error: Cannot .* the warehouse .*; make room or allow writing there.*\.\n", told.stderr
    )


def test_a_sync_that_is_killed_midway_is_finished_by_the_next(user, sandbox):
    days = ("--from", "2026-01-05", "--to", "2026-01-08", "--vehicle", LEXUS, "--vehicle", HONDA)
    # One vehicle is answered; the other waits, so that the program is killed when half of the work is done.
    sandbox.faults.slow(0.0)
    sandbox.faults.slow(90.0, times=10)
    process = user.start("sync", *days)
    while len(list(user.warehouse.glob("raw/date=*/*.parquet"))) < 4:
        assert process.poll() is None
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    sandbox.faults.clear()

    told = user.run("sync", *days)
    assert told.returncode == 0, told.stderr
    assert told.stdout.startswith("8 of 8 vehicle-days complete")
    held = user.answer("SELECT vehicle_id, count(DISTINCT event_id) FROM signals GROUP BY 1 ORDER BY 1")
    assert held == [
        f"{vehicle},{sum(len(sandbox.fleet.reachable(vehicle, date(2026, 1, day))) for day in range(5, 9))}"
        for vehicle in (LEXUS, HONDA)
    ]
    assert not [path for path in user.warehouse.glob(".tmp/*") if path.is_dir()]
    with dg.DagsterInstance.from_config(str(user.home)) as instance:
        ended = sorted((run.job_name, run.status.name) for run in instance.get_runs())
    assert ended == [("answers", "SUCCESS"), ("daily_history", "FAILURE"), ("daily_history", "SUCCESS")]
