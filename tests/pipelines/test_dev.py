"""`dimo-etl dev`: the UI and the daemon, started, used for a backfill, and stopped."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from dimo_etl.model import days_between
from tests.pipelines.conftest import LEXUS, Household
from tests.pipelines.services import PROGRAM, Services, dev, eventually, left_of_session

FIRST, BROKEN, LAST = date(2025, 6, 8), date(2025, 6, 10), date(2025, 6, 12)
DAYS = [day.isoformat() for day in days_between(FIRST, LAST)]
DAILY = ("raw_history", "signals")
SCHEDULES = """
{ workspaceOrError { ... on Workspace { locationEntries {
    name
    locationOrLoadError {
      ... on RepositoryLocation { repositories { name schedules { name scheduleState { status } } } }
      ... on PythonError { message }
    } } } } }
"""
LAUNCH = """
mutation ($params: LaunchBackfillParams!) {
  launchPartitionBackfill(backfillParams: $params) {
    __typename
    ... on LaunchBackfillSuccess { backfillId }
    ... on PythonError { message }
  }
}
"""
ASSETS = "{ assetNodes { assetKey { path } isPartitioned groupName } }"
RUNS = """
query ($id: String!) {
  runsOrError(filter: {tags: [{key: "dagster/backfill", value: $id}]}) { ... on Runs { results { runId status } } }
}
"""
DAYS_OF = """
query ($name: String!) {
  assetNodeOrError(assetKey: {path: [$name]}) { ... on AssetNode {
    assetPartitionStatuses { ... on TimePartitionStatuses { ranges { startKey endKey status } } }
  } }
}
"""
AGAIN = """
mutation ($run: String!) {
  launchRunReexecution(reexecutionParams: {parentRunId: $run, strategy: FROM_FAILURE}) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on PythonError { message }
  }
}
"""
STATUS_OF = "query ($run: ID!) { runOrError(runId: $run) { ... on Run { status } } }"


@pytest.fixture
def told() -> Iterator[tuple[str, list[str]]]:
    """An address that takes messages, and the texts it was told."""
    texts: list[str] = []

    class Webhook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            texts.append(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["text"])
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Webhook) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/", texts
        server.shutdown()
        thread.join()


def days_by_status(services: Services, asset: str) -> dict[str, list[tuple[str, str]]]:
    """The ranges of days, first and last, that the UI shows in each colour."""
    found: dict[str, list[tuple[str, str]]] = {}
    for one in services.ask(DAYS_OF, name=asset)["assetNodeOrError"]["assetPartitionStatuses"]["ranges"]:
        found.setdefault(one["status"], []).append((one["startKey"], one["endKey"]))
    return found


def test_a_backfill_of_which_a_day_fails_is_healed_from_the_ui(
    household: Household, home: Path, told: tuple[str, list[str]]
) -> None:
    address, texts = told
    household.sandbox.faults.break_day(LEXUS, BROKEN)
    environ = household.environ | {"DIMO_RETRY_AFTER": "0", "DIMO_WEBHOOK_URL": address}
    with dev(environ, home) as services:
        (location,) = services.ask(SCHEDULES)["workspaceOrError"]["locationEntries"]
        (repository,) = location["locationOrLoadError"]["repositories"]
        assert location["name"] == "dimo"
        states = {one["name"]: one["scheduleState"]["status"] for one in repository["schedules"]}
        assert states == dict.fromkeys(("every_forenoon", "every_hour", "every_morning"), "STOPPED")
        assets = {one["assetKey"]["path"][0]: one for one in services.ask(ASSETS)["assetNodes"]}
        assert {name for name, one in assets.items() if one["isPartitioned"]} == {"raw_history", "signals"}
        assert assets["odometer"]["groupName"] == "answers"

        # The daemon looks at a backfill every thirty seconds.
        launched = services.ask(
            LAUNCH, params={"assetSelection": [{"path": [name]} for name in DAILY], "partitionNames": DAYS}
        )["launchPartitionBackfill"]
        assert launched["__typename"] == "LaunchBackfillSuccess", launched

        def ended() -> str | None:
            runs = services.ask(RUNS, id=launched["backfillId"])["runsOrError"]["results"]
            return runs[0]["runId"] if runs and runs[0]["status"] in {"SUCCESS", "FAILURE"} else None

        failed = eventually(ended, "the backfill's run")
        around = {"MATERIALIZED": [("2025-06-08", "2025-06-09"), ("2025-06-11", "2025-06-12")]}
        failed_day = {"FAILED": [("2025-06-10", "2025-06-10")]}
        assert days_by_status(services, "raw_history") == around | failed_day, services.said
        whole = {"MATERIALIZED": [("2025-06-08", "2025-06-12")]}
        assert days_by_status(services, "signals") == whole, "what did not come turns one asset red"
        eventually(lambda: texts, "the message that the run failed")
        assert texts[0].startswith("dimo_etl: the run of chosen assets over 2025-06-08 to 2025-06-12 failed\nhistory: ")
        assert f"vehicle {LEXUS}" in texts[0]

        household.sandbox.faults.clear()
        asked = len(household.sandbox.requests)
        again = services.ask(AGAIN, run=failed)["launchRunReexecution"]
        assert again["__typename"] == "LaunchRunSuccess", again

        def healed() -> str | None:
            status = services.ask(STATUS_OF, run=again["run"]["runId"])["runOrError"]["status"]
            return status if status in {"SUCCESS", "FAILURE"} else None

        assert eventually(healed, "the run from failure") == "SUCCESS", services.said
        for name in DAILY:
            assert days_by_status(services, name) == whole
        asked_again = [made for made in household.sandbox.requests[asked:] if made.path.endswith("/history")]
        assert {made.path.split("/")[-2] for made in asked_again} == {str(LEXUS)}, "what was complete is not asked for"
        assert services.stop(signal.SIGTERM) == 0
        eventually(lambda: not left_of_session(services.process.pid), "its code server to end")
    assert household.events_held() == household.events_that_exist(FIRST, LAST)
    assert "Supersession" not in services.said
    assert "Warning:" not in services.said


def test_ctrl_c_stops_it_and_leaves_no_process(household: Household, home: Path) -> None:
    with dev(household.environ, home) as services:
        services.stop(signal.SIGINT)
        eventually(lambda: not left_of_session(services.process.pid), "its code server to end")
        assert f"http://127.0.0.1:{services.port}" in services.said
        assert "Traceback" not in services.said


def test_started_in_the_background_it_still_stops_when_told_to(household: Household, home: Path) -> None:
    with dev(household.environ, home, in_background=True) as services:
        services.stop(signal.SIGTERM)
        eventually(lambda: not left_of_session(services.process.pid), "its code server to end")


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
