"""What DIMO said of distances is kept: each answer once, those of other days untouched."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from dimo_etl.errors import WarehouseError
from dimo_etl.lake import layout
from dimo_etl.lake.distances import Said, add_said, said_between
from dimo_etl.lake.store import Store

ASKED = datetime(2026, 1, 5, 6, 20, tzinfo=UTC)
TOTAL = Said("4711", ASKED, None, None, 1234.5)
DAY = Said("4711", ASKED, "Europe/Berlin", date(2026, 1, 4), None)


@pytest.fixture
def store(tmp_path):
    with Store(str(tmp_path / "lake")) as store:
        yield store


def test_what_was_said_is_read_back_oldest_first(store):
    later = replace(TOTAL, asked_at=ASKED + timedelta(hours=2), dimo_km=1240.0)
    add_said(store, [later])
    add_said(store, [TOTAL, DAY])
    assert said_between(store, ASKED, ASKED + timedelta(days=1)) == [TOTAL, DAY, later]


def test_only_what_was_asked_in_the_span_is_read_also_over_midnight(store):
    times = [ASKED.replace(hour=23, minute=30), ASKED.replace(hour=23, minute=50), ASKED + timedelta(hours=18)]
    add_said(store, [replace(TOTAL, asked_at=moment) for moment in times])
    found = said_between(store, times[1], times[1] + timedelta(hours=1))
    assert [said.asked_at for said in found] == times[1:]


def test_the_same_answer_twice_is_kept_once(store):
    add_said(store, [TOTAL, DAY])
    add_said(store, [DAY])
    assert said_between(store, ASKED, ASKED) == [TOTAL, DAY]


def test_a_day_of_asking_is_one_file_and_leaves_other_days_alone(store, tmp_path):
    add_said(store, [TOTAL])
    first = tmp_path / "lake" / layout.distances_file(ASKED.date())
    before = first.stat().st_mtime_ns
    add_said(store, [replace(TOTAL, asked_at=ASKED + timedelta(days=1))])
    assert first.stat().st_mtime_ns == before
    assert len(list((tmp_path / "lake").rglob("distances.parquet"))) == 2


def test_a_damaged_file_is_named(store, tmp_path):
    add_said(store, [TOTAL])
    (tmp_path / "lake" / layout.distances_file(ASKED.date())).write_bytes(b"PAR1")
    with pytest.raises(WarehouseError, match=r"distances/asked=2026-01-05/distances\.parquet is damaged"):
        add_said(store, [TOTAL])
