"""What views are made from, as found in the SQL itself."""

from __future__ import annotations

import pytest

from dimo_etl.warehouse import lineage


def test_a_view_reads_the_views_it_names_and_those_of_the_macros_it_calls() -> None:
    assert lineage.reads("odometer") == ("signals",)
    assert "odometer" in lineage.reads("distance_daily"), "through the macro distance_daily_in"
    assert lineage.reads("snapshots") == (), "its column `signals` is not the view"


def test_the_version_of_a_view_changes_with_its_sql_and_with_that_of_what_it_is_built_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = ("odometer", "odometer_daily", "errors", "signals")
    before = {name: lineage.version_of(name) for name in names}
    changed = dict(lineage.definitions())
    changed["odometer_received"] = changed["odometer_received"].replace("999999", "999998")
    changed["errors"] = changed["errors"].replace("--", "-- A word in a comment.")
    monkeypatch.setattr(lineage, "definitions", lambda: changed)
    for cached in (lineage.version_of, lineage.reads):
        cached.cache_clear()
    try:
        after = {name: lineage.version_of(name) for name in names}
    finally:
        for cached in (lineage.version_of, lineage.reads):
            cached.cache_clear()
    assert {name for name in names if before[name] != after[name]} == {"odometer", "odometer_daily"}
