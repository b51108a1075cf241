"""What was known of a vehicle-day, and when, stays to see once something else is known."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from dimo_etl.lake.raw import find_unit
from dimo_etl.lake.signals import write_day
from dimo_etl.lake.store import Store
from dimo_etl.warehouse import Warehouse
from tests.lake.make import DAY, NOW, event, events, fetched, imported


@pytest.fixture
def store(tmp_path):
    with Store(str(tmp_path / "lake")) as store:
        yield store


def history(store: Store) -> list[tuple]:
    write_day(store, DAY)
    with Warehouse.open(Path(store.root)) as warehouse:
        return warehouse.execute(
            "SELECT version, held_events, complete, change FROM coverage_history ORDER BY version"
        ).fetchall()


def test_a_day_that_grew_shrank_and_changed_says_so(store):
    fetched(store, events(10), fetched_at=NOW)
    fetched(store, events(12), fetched_at=NOW + timedelta(days=1))
    fetched(store, [event(n, speed=99) if n == 4 else event(n) for n in range(9)], fetched_at=NOW + timedelta(days=2))
    assert history(store) == [
        (1, 10, True, None),
        (2, 12, True, "2 events came"),
        (3, 9, True, "3 events are gone at the source; 1 events changed"),
    ]


def test_a_day_asked_for_again_that_gives_the_same_is_no_new_version(store):
    for days in range(3):
        fetched(store, events(10), fetched_at=NOW + timedelta(days=days))
    (only,) = find_unit(store, "4711", DAY).versions
    assert (only.known_from, only.confirmed_at) == (NOW, NOW + timedelta(days=2))


def test_each_version_holds_until_the_next_and_the_last_is_what_coverage_says(store):
    fetched(store, events(10), complete=False, expected_events=12, reason="two are missing", fetched_at=NOW)
    imported(store, events(2, first=10))
    fetched(store, events(12), fetched_at=NOW + timedelta(days=3))
    write_day(store, DAY)
    with Warehouse.open(Path(store.root)) as warehouse:
        rows = warehouse.execute("FROM coverage_history ORDER BY version").fetchall()
        spans = warehouse.execute("SELECT known_from, known_until FROM coverage_history ORDER BY version").fetchall()
        now = warehouse.execute("""
            SELECT count(*) FROM coverage_history JOIN coverage USING (vehicle_id, date)
            WHERE known_until IS NULL AND coverage_history.fetched_events = coverage.fetched_events
            AND coverage_history.complete = coverage.complete
        """).fetchone()
    assert len(rows) == 3
    assert [until for _, until in spans] == [*(since for since, _ in spans[1:]), None]
    assert now == (1,)
    assert history(store)[2][3] == "now proved complete"
