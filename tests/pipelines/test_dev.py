"""`dimo-etl dev`: the UI and the daemon, started, used for a backfill, and stopped."""

from __future__ import annotations

import signal
import socket
import subprocess
from datetime import date
from pathlib import Path

import dagster as dg
import pytest

from tests.pipelines.conftest import Household
from tests.pipelines.services import PROGRAM, dev, eventually, left_of_session

FIRST, LAST = date(2025, 6, 9), date(2025, 6, 11)
DAYS = ["2025-06-09", "2025-06-10", "2025-06-11"]
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
STATUS = """
query ($id: String!) {
  partitionBackfillOrError(backfillId: $id) { ... on PartitionBackfill { status runs { status } error { message } } }
}
"""


def test_a_backfill_started_in_the_ui_brings_every_day(household: Household, home: Path) -> None:
    with dev(household.environ, home) as services:
        (location,) = services.ask(SCHEDULES)["workspaceOrError"]["locationEntries"]
        (repository,) = location["locationOrLoadError"]["repositories"]
        assert location["name"] == "dimo"
        states = {one["name"]: one["scheduleState"]["status"] for one in repository["schedules"]}
        assert states == dict.fromkeys(("every_forenoon", "every_hour", "every_morning"), "STOPPED")

        # The daemon looks at a backfill every thirty seconds, and once more for each stage of assets.
        assets = ["raw_history", "signals"]
        launched = services.ask(
            LAUNCH, params={"assetSelection": [{"path": [name]} for name in assets], "partitionNames": DAYS}
        )["launchPartitionBackfill"]
        assert launched["__typename"] == "LaunchBackfillSuccess", launched

        def ended() -> dict | None:
            backfill = services.ask(STATUS, id=launched["backfillId"])["partitionBackfillOrError"]
            return backfill if backfill["status"].startswith(("COMPLETED", "FAILED", "CANCELED")) else None

        backfill = eventually(ended, "the backfill")
        assert backfill["status"] == "COMPLETED_SUCCESS", (backfill, services.said)
        assert {run["status"] for run in backfill["runs"]} == {"SUCCESS"}
        assert services.stop(signal.SIGTERM) == 0
        eventually(lambda: not left_of_session(services.process.pid), "its code server to end")
    with dg.DagsterInstance.from_config(str(home)) as instance:
        for name in ("raw_history", "signals"):
            assert instance.get_materialized_partitions(dg.AssetKey(name)) == set(DAYS)
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
