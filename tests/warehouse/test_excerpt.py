"""The views over some days alone."""

from __future__ import annotations

from datetime import date, timedelta

from dimo_etl.warehouse.excerpt import Excerpt
from tests.warehouse.lake import Lake, at

MONDAY = date(2026, 1, 5)


def test_only_what_the_days_themselves_tell_is_seen_by_the_same_rules(lake: Lake) -> None:
    for day, first in enumerate((1000, 1010, 1050)):
        start = at("2026-01-05T10:00") + timedelta(days=day)
        lake.odometer("4711", [first, first + 2, first + 5], start=start)
    lake.write()
    tuesday = MONDAY + timedelta(days=1)
    with Excerpt(lake.root, ["distance_daily"]) as excerpt, excerpt.over([MONDAY, tuesday]) as session:
        rows = session.execute("SELECT date, distance_km FROM distance_daily ORDER BY ALL").fetchall()
    # On Tuesday the five kilometres between Monday's last reading and Tuesday's first count, too.
    assert rows == [(MONDAY, 5.0), (tuesday, 10.0)]


def test_a_day_that_is_not_held_shows_nothing(lake: Lake) -> None:
    lake.odometer("4711", [1000, 1002])
    lake.write()
    with Excerpt(lake.root, ["signals", "errors_daily"]) as excerpt:
        with excerpt.over([date(2020, 1, 1)]) as session:
            assert session.execute("FROM signals").fetchall() == []
            assert session.execute("FROM errors_daily").fetchall() == []
        with excerpt.over([MONDAY]) as session:
            assert session.execute("SELECT count(*) FROM signals").fetchall() == [(2,)], "nor does it stay empty"
