"""`dimo-etl dev`: the UI and the daemon, started once, used for backfills and the daily run, and stopped."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path

import dagster as dg
import pytest

from dimo_etl.model import days_between
from dimo_etl.sandbox.server import SandboxServer
from dimo_etl.warehouse import Warehouse
from pipelines.jobs import JOB, range_tags
from pipelines.schedules import MORNING_TAGS
from tests.pipelines.conftest import HONDA, LEXUS, Household, make_home
from tests.pipelines.services import PROGRAM, Services, dev, eventually, left_of_session, listening
from tests.pipelines.ui import DAILY, ENDED
from tests.serving import serving

SCHEDULES = """
{ workspaceOrError { ... on Workspace { locationEntries {
    name
    locationOrLoadError {
      ... on RepositoryLocation { repositories { name schedules { name scheduleState { status } } } }
      ... on PythonError { message }
    } } } } }
"""
ASSETS = "{ assetNodes { assetKey { path } isPartitioned groupName } }"


@dataclass(frozen=True)
class Home:
    """A household whose UI and daemon are running, and what it was told of failed runs."""

    household: Household
    services: Services
    told: list[str]

    def held(self, first: date, last: date) -> dict[tuple[int, date], set[str]]:
        """The ids of the events of some days, by vehicle and day."""
        return {key: ids for key, ids in self.household.events_held().items() if first <= key[1] <= last}


@pytest.fixture(scope="module")
def lived_in(_running: SandboxServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    folder = tmp_path_factory.mktemp("dev")
    home, texts = make_home(folder / "home"), []

    class Webhook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            texts.append(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["text"])
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    webhook = ThreadingHTTPServer(("127.0.0.1", 0), Webhook)
    with serving(webhook), dg.DagsterInstance.from_config(str(home)) as instance:
        household = Household(_running, instance, folder / "warehouse")
        told = {"DIMO_RETRY_AFTER": "0", "DIMO_WEBHOOK_URL": f"http://127.0.0.1:{webhook.server_port}/"}
        # As a script's `&` starts it, which makes it deaf to Ctrl-C.
        with dev(household.environ | told, home, in_background=True) as services:
            yield Home(household, services, texts)


def test_the_ui_shows_the_assets_and_the_schedules_which_are_off(lived_in: Home) -> None:
    (location,) = lived_in.services.ask(SCHEDULES)["workspaceOrError"]["locationEntries"]
    (repository,) = location["locationOrLoadError"]["repositories"]
    assert location["name"] == "dimo"
    states = {one["name"]: one["scheduleState"]["status"] for one in repository["schedules"]}
    assert states == dict.fromkeys(("every_forenoon", "every_hour", "every_morning"), "STOPPED")
    assets = {one["assetKey"]["path"][0]: one for one in lived_in.services.ask(ASSETS)["assetNodes"]}
    assert {name for name, one in assets.items() if one["isPartitioned"]} == {"raw_history", "signals"}
    assert assets["odometer"]["groupName"] == "answers"


def test_it_listens_to_this_machine_alone(lived_in: Home) -> None:
    found = listening(lived_in.services.process.pid)
    assert ("127.0.0.1", lived_in.services.port) in found
    assert {ip_address(address).is_loopback for address, _ in found} == {True}, found


def test_no_secret_is_in_the_list_of_processes(lived_in: Home) -> None:
    listed = left_of_session(lived_in.services.process.pid)
    assert len(listed) >= 3, "the UI, the daemon, what serves the code"
    secret = lived_in.household.environ["DIMO_API_KEY"].removeprefix("0x")
    assert not [line for line in listed if secret in line]


def test_a_backfill_of_which_a_day_fails_is_healed_from_the_ui(lived_in: Home, sandbox: SandboxServer) -> None:
    first, broken, last = date(2025, 6, 13), date(2025, 6, 15), date(2025, 6, 17)
    services = lived_in.services
    sandbox.faults.break_day(LEXUS, broken)
    backfill = services.backfill([str(day) for day in days_between(first, last)])

    def failed() -> str | None:
        runs = [run for run in services.runs() if run.backfill == backfill]
        return runs[0].run_id if runs and runs[0].status in ENDED else None

    # The daemon looks at a backfill every thirty seconds.
    failed_run = eventually(failed, "the backfill's run")
    around = {"MATERIALIZED": [("2025-06-13", "2025-06-14"), ("2025-06-16", "2025-06-17")]}
    failed_day = {"FAILED": [("2025-06-15", "2025-06-15")]}
    assert services.days_by_status("raw_history") == around | failed_day, services.said
    whole = {"MATERIALIZED": [("2025-06-13", "2025-06-17")]}
    assert services.days_by_status("signals") == whole, "what did not come turns one asset red"

    sandbox.faults.clear()
    asked = len(sandbox.requests)
    again = services.launch_again(failed_run)
    assert eventually(lambda: services.ended(again), "the run from failure") == "SUCCESS", services.said
    for name in DAILY:
        assert services.days_by_status(name) == whole
    asked_again = [made for made in sandbox.requests[asked:] if made.path.endswith("/history")]
    assert {made.path.split("/")[-2] for made in asked_again} == {str(LEXUS)}, "what was complete is not asked for"
    assert lived_in.held(first, last) == lived_in.household.events_that_exist(first, last)

    eventually(lambda: lived_in.told, "the message that the run failed")
    text = lived_in.told[0]
    assert text.startswith("dimo_etl: the run of chosen assets over 2025-06-13 to 2025-06-17 failed\nhistory: ")
    assert f"vehicle {LEXUS}" in text


def killed(instance: dg.DagsterInstance, run_id: str) -> bool:
    """Kill the process of a run, as the kernel does where memory ends; False where it has none yet."""
    for entry in instance.all_logs(run_id, of_type=dg.DagsterEventType.ENGINE_EVENT):
        if found := re.search(r"Started process for run \(pid: (\d+)\)", entry.message):
            os.kill(int(found[1]), signal.SIGKILL)
            return True
    return False


def test_two_backfills_the_morning_and_a_crash_at_once_lose_nothing_and_double_nothing(
    lived_in: Home, sandbox: SandboxServer
) -> None:
    household, services = lived_in.household, lived_in.services
    morning = (date(2025, 6, 9), date(2025, 6, 11))
    # The run that waits for an answer is killed meanwhile.
    sandbox.faults.slow(20, at=f"/device-data-api/v1/vehicle/{HONDA}/")
    crashed = services.launch(JOB, range_tags(*morning) | MORNING_TAGS)
    apart = services.backfill(["2025-06-05", "2025-06-06", "2025-06-09"])
    together = services.backfill([f"2025-06-{number:02}" for number in range(5, 12)])
    eventually(lambda: sandbox.faults.pending == 0, "the morning's first request")
    eventually(lambda: killed(household.instance, crashed), "the process of the morning's run")

    def all_ended() -> bool:
        over = {services.status_of_backfill(one) for one in (apart, together)}
        again = [one.status for one in services.runs() if one.parent == crashed]
        return over == {"COMPLETED_SUCCESS"} and bool(again) and set(again) <= ENDED

    eventually(all_ended, "the end of all runs")
    found = {one.run_id: one for one in services.runs()}
    assert found[crashed].status == "FAILURE"
    (again,) = [one for one in found.values() if one.parent == crashed]
    assert (again.days, again.status) == ((str(morning[0]), str(morning[1])), "SUCCESS")
    of_both = [one for one in found.values() if one.backfill in (apart, together)]
    assert {one.status for one in of_both} == {"SUCCESS"}, services.said
    of_apart = sorted(one.days for one in of_both if one.backfill == apart)
    assert of_apart == [("2025-06-05", "2025-06-06"), ("2025-06-09", "2025-06-09")]
    for name in DAILY:
        assert services.days_by_status(name)["MATERIALIZED"][0] == ("2025-06-05", "2025-06-11")
    told = [entry.message for run_id in found for entry in household.instance.all_logs(run_id)]
    assert not [line for line in [*told, *services.said.splitlines()] if "locked" in line]
    assert lived_in.held(date(2025, 6, 5), morning[1]) == household.events_that_exist(date(2025, 6, 5), morning[1])
    with Warehouse.open(household.root) as warehouse:
        distinct = "SELECT count(*) = count(DISTINCT (vehicle_id, event_id, name, timestamp)) FROM signals"
        assert warehouse.execute(distinct).fetchall() == [(True,)]


def test_started_in_the_background_it_stops_when_told_to_and_leaves_no_process(lived_in: Home) -> None:
    services = lived_in.services
    assert services.stop(signal.SIGTERM) == 0
    eventually(lambda: not left_of_session(services.process.pid), "its code server to end")
    assert "Supersession" not in services.said
    assert "Warning:" not in services.said


def test_ctrl_c_stops_it_and_leaves_no_process(household: Household, home: Path) -> None:
    with dev(household.environ, home) as services:
        services.stop(signal.SIGINT)
        eventually(lambda: not left_of_session(services.process.pid), "its code server to end")
        assert f"http://127.0.0.1:{services.port}" in services.said
        assert "Traceback" not in services.said


def test_a_port_that_is_taken_is_told_in_one_sentence(
    household: Household, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    for name, value in household.environ.items():
        monkeypatch.setenv(name, value)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        found = subprocess.run([PROGRAM, "dev", "--port", str(port)], capture_output=True, text=True, timeout=60)
    assert found.returncode == 1
    assert found.stderr == (
        f"Error: The UI cannot listen on 127.0.0.1, port {port} (Address already in use); give another with --port.\n"
    )
