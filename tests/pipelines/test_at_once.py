"""Two backfills, the daily run and a crash at once, on days that overlap: one story on a running UI and daemon."""

from __future__ import annotations

import os
import re
import signal
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import dagster as dg

from dimo_etl.warehouse import Warehouse
from pipelines.jobs import JOB, range_tags
from pipelines.schedules import MORNING_TAGS
from tests.pipelines.conftest import Household
from tests.pipelines.services import Services, dev, eventually
from tests.pipelines.test_dev import DAILY, LAUNCH, days_by_status

APART = ["2025-06-03", "2025-06-05", "2025-06-06", "2025-06-09"]
TOGETHER = [f"2025-06-{number:02}" for number in range(5, 12)]
MORNING = (date(2025, 6, 9), date(2025, 6, 11))
ENDED = {"SUCCESS", "FAILURE", "CANCELED"}
LAUNCH_RUN = """
mutation ($params: ExecutionParams!) {
  launchRun(executionParams: $params) { __typename ... on LaunchRunSuccess { run { runId } } }
}
"""
RUNS = """
{ runsOrError { ... on Runs { results { runId status jobName startTime tags { key value } parentRunId } } } }
"""
BACKFILL = "query ($id: String!) { partitionBackfillOrError(backfillId: $id) { ... on PartitionBackfill { status } } }"


@dataclass(frozen=True)
class Run:
    """A run, as the UI tells it."""

    run_id: str
    status: str
    job: str
    tags: dict[str, str]
    parent: str | None

    @property
    def days(self) -> tuple[str, str]:
        """The first and last day of the run."""
        day = self.tags.get("dagster/partition", "")
        ends = ("dagster/asset_partition_range_start", "dagster/asset_partition_range_end")
        first, last = (self.tags.get(end, day) for end in ends)
        return first, last


def runs(services: Services) -> list[Run]:
    return [
        Run(
            one["runId"],
            one["status"],
            one["jobName"],
            {tag["key"]: tag["value"] for tag in one["tags"]},
            one["parentRunId"],
        )
        for one in services.ask(RUNS)["runsOrError"]["results"]
    ]


def backfill(services: Services, days: list[str]) -> str:
    chosen = [{"path": [name]} for name in DAILY]
    launched = services.ask(LAUNCH, params={"assetSelection": chosen, "partitionNames": days})
    return launched["launchPartitionBackfill"]["backfillId"]


def killed(instance: dg.DagsterInstance, run_id: str) -> bool:
    """Kill the process of a run, as the kernel does where memory ends; False where it has none yet."""
    for entry in instance.all_logs(run_id, of_type=dg.DagsterEventType.ENGINE_EVENT):
        if found := re.search(r"Started process for run \(pid: (\d+)\)", entry.message):
            os.kill(int(found[1]), signal.SIGKILL)
            return True
    return False


def test_two_backfills_the_morning_and_a_crash_at_once_lose_nothing_and_double_nothing(
    household: Household, home: Path
) -> None:
    household.sandbox.faults.slow(20)  # the first answer: the run that waits for it is killed meanwhile
    with dev(household.environ, home) as services, dg.DagsterInstance.from_config(str(home)) as instance:
        tags = [{"key": key, "value": value} for key, value in (range_tags(*MORNING) | MORNING_TAGS).items()]
        selector = {"repositoryLocationName": "dimo", "repositoryName": "__repository__", "jobName": JOB}
        morning = services.ask(LAUNCH_RUN, params={"selector": selector, "executionMetadata": {"tags": tags}})
        crashed = morning["launchRun"]["run"]["runId"]
        eventually(lambda: household.sandbox.faults.pending == 0, "the morning's first request")
        eventually(lambda: killed(instance, crashed), "the process of the morning's run")
        apart, together = backfill(services, APART), backfill(services, TOGETHER)

        def all_ended() -> bool:
            over = {services.ask(BACKFILL, id=one)["partitionBackfillOrError"]["status"] for one in (apart, together)}
            found = runs(services)
            again = [one for one in found if one.parent == crashed]
            return over == {"COMPLETED_SUCCESS"} and bool(again) and {one.status for one in found} <= ENDED

        eventually(all_ended, "the end of all runs")
        found = {one.run_id: one for one in runs(services)}
        assert found.pop(crashed).status == "FAILURE"
        assert {one.status for one in found.values()} == {"SUCCESS"}, services.said
        assert [one.days for one in found.values() if one.parent == crashed] == [(str(MORNING[0]), str(MORNING[1]))]
        of_apart = sorted(one.days for one in found.values() if one.tags.get("dagster/backfill") == apart)
        assert of_apart == [("2025-06-03", "2025-06-03"), ("2025-06-05", "2025-06-06"), ("2025-06-09", "2025-06-09")]
        for name in DAILY:
            green = [("2025-06-03", "2025-06-03"), ("2025-06-05", "2025-06-11")]
            assert days_by_status(services, name) == {"MATERIALIZED": green}
        told = [entry.message for run_id in [crashed, *found] for entry in instance.all_logs(run_id)]
        assert not [line for line in [*told, *services.said.splitlines()] if "locked" in line]
    exist = household.events_that_exist(date(2025, 6, 5), MORNING[1])
    exist |= household.events_that_exist(date(2025, 6, 3), date(2025, 6, 3))
    assert household.events_held() == exist
    with Warehouse.open(household.root) as warehouse:
        distinct = "SELECT count(*) = count(DISTINCT (vehicle_id, event_id, name, timestamp)) FROM signals"
        assert warehouse.execute(distinct).fetchall() == [(True,)]
