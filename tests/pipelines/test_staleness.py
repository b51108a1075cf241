"""When Dagster calls an asset out of date: after a change of what makes it, and of nothing else."""

from __future__ import annotations

from datetime import date

import dagster as dg
import pytest
from dagster._core.definitions.data_version import CachingStaleStatusResolver
from dagster._core.loader import LoadingContextForTest

from pipelines.assets import history
from pipelines.build import build_defs
from tests.pipelines.conftest import LEXUS, Household

MONDAY, TUESDAY, WEDNESDAY = date(2025, 6, 9), date(2025, 6, 10), date(2025, 6, 11)


def stale(household: Household) -> set[str]:
    """The assets of which Dagster calls Monday out of date."""
    graph = build_defs(household.dimo).resolve_asset_graph()
    resolver = CachingStaleStatusResolver(household.instance, graph, LoadingContextForTest(household.instance))
    names = ("raw_history", "signals")
    return {name for name in names if resolver.get_status(dg.AssetKey(name), MONDAY.isoformat()).value == "STALE"}


@pytest.mark.parametrize("another_day_fails", [False, True], ids=["the run went well", "another day failed"])
def test_a_change_in_flattening_makes_signals_out_of_date_and_not_raw_history(
    household: Household, monkeypatch: pytest.MonkeyPatch, another_day_fails: bool
) -> None:
    if another_day_fails:
        household.sandbox.faults.break_day(LEXUS, TUESDAY)
    assert household.run(MONDAY, TUESDAY).success is not another_day_fails
    assert stale(household) == set()
    monkeypatch.setattr(history, "FLATTEN_VERSION", history.FLATTEN_VERSION + 1)
    assert stale(household) == {"signals"}


def test_listing_the_same_vehicles_again_makes_no_day_out_of_date(household: Household) -> None:
    household.run(MONDAY)
    household.run(WEDNESDAY)
    assert stale(household) == set()
