"""What is asked of the Dagster UI: over GraphQL, as its own pages do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import httpx

DAILY = ("raw_history", "signals")
ENDED = {"SUCCESS", "FAILURE", "CANCELED"}
_SELECTOR = {"repositoryLocationName": "dimo", "repositoryName": "__repository__"}
_BACKFILL = """
mutation ($params: LaunchBackfillParams!) {
  launchPartitionBackfill(backfillParams: $params) {
    __typename
    ... on LaunchBackfillSuccess { backfillId }
    ... on PythonError { message }
  }
}
"""
_BACKFILL_STATUS = """
query ($id: String!) { partitionBackfillOrError(backfillId: $id) { ... on PartitionBackfill { status } } }
"""
_LAUNCH = """
mutation ($params: ExecutionParams!) {
  launchRun(executionParams: $params) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on PythonError { message }
  }
}
"""
_AGAIN = """
mutation ($run: String!) {
  launchRunReexecution(reexecutionParams: {parentRunId: $run, strategy: FROM_FAILURE}) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on PythonError { message }
  }
}
"""
_RUNS = "{ runsOrError { ... on Runs { results { runId status jobName tags { key value } parentRunId } } } }"
_DAYS = """
query ($name: String!) {
  assetNodeOrError(assetKey: {path: [$name]}) { ... on AssetNode {
    assetPartitionStatuses { ... on TimePartitionStatuses { ranges { startKey endKey status } } }
  } }
}
"""
_SERVED = "{ repositoriesOrError { ... on RepositoryConnection { nodes { name } } } }"


@dataclass(frozen=True)
class Run:
    """A run, as the UI tells it."""

    run_id: str
    status: str
    job: str
    tags: Mapping[str, str]
    parent: str | None

    @property
    def days(self) -> tuple[str, str]:
        """The first and last day of the run."""
        day = self.tags.get("dagster/partition", "")
        ends = ("dagster/asset_partition_range_start", "dagster/asset_partition_range_end")
        first, last = (self.tags.get(end, day) for end in ends)
        return first, last

    @property
    def backfill(self) -> str | None:
        """The backfill it is of."""
        return self.tags.get("dagster/backfill")


@dataclass(frozen=True)
class Ui:
    """A UI on a port of this machine."""

    port: int

    def ask(self, query: str, **variables: object) -> dict:
        """The data of an answer."""
        url = f"http://127.0.0.1:{self.port}/graphql"
        return httpx.post(url, json={"query": query, "variables": variables}, timeout=60).json()["data"]

    def serves_the_code(self) -> bool:
        """Whether it answers and has the definitions."""
        try:
            found = self.ask(_SERVED)
        except httpx.TransportError:
            return False
        return bool(found["repositoriesOrError"].get("nodes"))

    def backfill(self, days: Sequence[str]) -> str:
        """Launch a backfill of the daily assets over some days; its id."""
        params = {"assetSelection": [{"path": [name]} for name in DAILY], "partitionNames": list(days)}
        launched = self.ask(_BACKFILL, params=params)["launchPartitionBackfill"]
        assert launched["__typename"] == "LaunchBackfillSuccess", launched
        return launched["backfillId"]

    def status_of_backfill(self, backfill: str) -> str:
        """As the page of backfills shows it."""
        return self.ask(_BACKFILL_STATUS, id=backfill)["partitionBackfillOrError"]["status"]

    def launch(self, job: str, tags: Mapping[str, str]) -> str:
        """Launch a run of a job; its id."""
        told = [{"key": key, "value": value} for key, value in tags.items()]
        params = {"selector": {**_SELECTOR, "jobName": job}, "executionMetadata": {"tags": told}}
        return _launched(self.ask(_LAUNCH, params=params)["launchRun"])

    def launch_again(self, run_id: str) -> str:
        """Launch what a run left undone once more; the id of the new run."""
        return _launched(self.ask(_AGAIN, run=run_id)["launchRunReexecution"])

    def runs(self) -> list[Run]:
        """Every run there is."""
        return [
            Run(
                one["runId"],
                one["status"],
                one["jobName"],
                {tag["key"]: tag["value"] for tag in one["tags"]},
                one["parentRunId"],
            )
            for one in self.ask(_RUNS)["runsOrError"]["results"]
        ]

    def ended(self, run_id: str) -> str | None:
        """How a run ended, if it did."""
        (status,) = [one.status for one in self.runs() if one.run_id == run_id]
        return status if status in ENDED else None

    def days_by_status(self, asset: str) -> dict[str, list[tuple[str, str]]]:
        """The ranges of days, first and last, in each colour."""
        found: dict[str, list[tuple[str, str]]] = {}
        for one in self.ask(_DAYS, name=asset)["assetNodeOrError"]["assetPartitionStatuses"]["ranges"]:
            found.setdefault(one["status"], []).append((one["startKey"], one["endKey"]))
        return found


def _launched(answer: dict) -> str:
    assert answer["__typename"] == "LaunchRunSuccess", answer
    return answer["run"]["runId"]
