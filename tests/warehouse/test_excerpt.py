"""The views over some days alone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

import duckdb
import pytest

from dimo_etl.errors import WarehouseError
from dimo_etl.lake import layout
from dimo_etl.warehouse.excerpt import Excerpt
from tests.warehouse.lake import Lake, at

MONDAY = date(2026, 1, 5)


def asked(query: str) -> Callable[[duckdb.DuckDBPyConnection], list[tuple[object, ...]]]:
    return lambda session: session.execute(query).fetchall()


def test_only_what_the_days_themselves_tell_is_seen_by_the_same_rules(lake: Lake) -> None:
    for day, first in enumerate((1000, 1010, 1050)):
        start = at("2026-01-05T10:00") + timedelta(days=day)
        lake.odometer("4711", [first, first + 2, first + 5], start=start)
    lake.write()
    tuesday = MONDAY + timedelta(days=1)
    with Excerpt(lake.root, ["distance_daily"]) as excerpt:
        rows = excerpt.ask([MONDAY, tuesday], asked("SELECT date, distance_km FROM distance_daily ORDER BY ALL"))
    # On Tuesday the five kilometres between Monday's last reading and Tuesday's first count, too.
    assert rows == [(MONDAY, 5.0), (tuesday, 10.0)]


def test_a_day_that_is_not_held_shows_nothing(lake: Lake) -> None:
    lake.odometer("4711", [1000, 1002])
    lake.write()
    with Excerpt(lake.root, ["signals", "errors_daily"]) as excerpt:
        assert excerpt.ask([date(2020, 1, 1)], asked("FROM signals")) == []
        assert excerpt.ask([date(2020, 1, 1)], asked("FROM errors_daily")) == []
        assert excerpt.ask([MONDAY], asked("SELECT count(*) FROM signals")) == [(2,)], "nor does it stay empty"


def test_a_file_that_is_replaced_while_it_is_read_is_asked_again(lake: Lake) -> None:
    lake.odometer("4711", [1000, 1002])
    lake.write()
    file = lake.root / layout.signals_file(MONDAY)
    whole = file.read_bytes()
    asks = 0

    def ask(session: duckdb.DuckDBPyConnection) -> list[tuple[object, ...]]:
        nonlocal asks
        asks += 1
        # As if the one that DuckDB read the footer of were gone when it reads the rows.
        file.write_bytes(whole if asks > 2 else whole[:-1])
        return session.execute("SELECT count(*) FROM signals").fetchall()

    with Excerpt(lake.root, ["signals"]) as excerpt:
        assert excerpt.ask([MONDAY], ask) == [(2,)]


def test_a_damaged_file_is_named_as_the_warehouse_has_it(lake: Lake) -> None:
    lake.odometer("4711", [1000, 1002])
    lake.write()
    file = lake.root / layout.signals_file(MONDAY)
    file.write_bytes(file.read_bytes()[:-1])
    with Excerpt(lake.root, ["signals"]) as excerpt, pytest.raises(WarehouseError) as told:
        excerpt.ask([MONDAY], asked("SELECT count(*) FROM signals"))
    assert str(told.value).startswith(f"The file {file} cannot be read (")
