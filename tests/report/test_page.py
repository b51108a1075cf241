"""The page as a file: what it says is what the views say, beside the SQL that says it, and text stays text."""

from __future__ import annotations

import html
import json
import re
from datetime import UTC, date, datetime
from html.parser import HTMLParser

import pytest

from dimo_etl.errors import InputError, WarehouseError
from dimo_etl.report.figures import FIGURES, Scope, grain
from dimo_etl.report.page import render
from dimo_etl.report.scope import scope_of
from dimo_etl.warehouse import Warehouse
from tests.report.conftest import HOSTILE, NOW


class Elements(HTMLParser):
    """The elements of a page, in order, with their attributes and the text of those that hold only text."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.found = []
        self.is_inside = False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append([tag, dict(attrs), ""])
        self.is_inside = True

    def handle_endtag(self, tag):
        self.is_inside = False

    def handle_data(self, data):
        if self.is_inside:
            self.found[-1][2] += data

    def texts(self, tag):
        return [text for name, _, text in self.found if name == tag]


@pytest.fixture(scope="module")
def elements(page):
    return Elements(page.read_text(encoding="utf-8"))


def drawn(elements):
    data = next(text for tag, attributes, text in elements.found if attributes.get("id") == "data")
    return {figure["name"]: figure for figure in json.loads(data)}


def test_the_sql_beside_a_figure_gives_the_numbers_of_the_figure(elements, warehouse):
    shown = dict(zip([figure.name for figure in FIGURES], elements.texts("code"), strict=True))
    for name, figure in drawn(elements).items():
        rows = warehouse.arrow(shown[name])
        assert rows.num_rows > 0, name
        for column, values in figure["columns"].items():
            expected = rows[column].to_pylist()
            if column in figure["times"]:
                expected = [_milliseconds(value) for value in expected]
            assert values == expected, (name, column)


def test_the_tables_and_the_totals_say_what_the_views_say(elements):
    assert elements.texts("h1")[0].strip() == "3 vehicles"
    totals = {
        attributes["data-sum"]: text.strip() for _, attributes, text in elements.found if "data-sum" in attributes
    }
    assert totals["driven_km"] == "90"  # 30 + 2 + 38 of the one, 20 of the other
    assert totals["rejected_readings"] == "2"
    assert totals["trips"] == "3"  # two of them told by the odometer alone
    assert totals["errors"] == "1"
    cells = elements.texts("td")
    assert cells[:5] == ["1", "", "70.0", "10,070.0", "1"]


def test_distances_are_told_by_day_what_was_bridged_apart(elements):
    columns = drawn(elements)["distance"]["columns"]
    assert list(
        zip(columns["vehicle"], columns["day"], columns["observed_km"], columns["bridged_km"], strict=True)
    ) == [
        ("1", _milliseconds(date(2026, 1, 5)), 30, 0),
        ("1", _milliseconds(date(2026, 1, 6)), 38, 2),
        (HOSTILE, _milliseconds(date(2026, 1, 7)), 20, 0),
    ]


def test_a_rejected_reading_is_in_the_curve_with_its_reason(elements):
    columns = drawn(elements)["odometer"]["columns"]
    rejected = [
        (vehicle, km, reason)
        for vehicle, km, reason in zip(columns["vehicle"], columns["km"], columns["reason"], strict=True)
        if reason is not None
    ]
    assert rejected == [("1", 65_538, "sentinel"), ("3", None, "not_a_number")]


def test_a_hostile_text_makes_no_element_and_ends_none(elements, page):
    assert not elements.texts("img")
    assert [attributes.get("type") for tag, attributes, _ in elements.found if tag == "script"] == [
        "application/json",
        None,
        None,
    ]
    assert HOSTILE in elements.texts("td")
    assert HOSTILE in drawn(elements)["coverage"]["columns"]["reason"]
    data = page.read_text().partition('id="data">')[2].partition("</script>")[0]
    assert not re.search("[<>&\u2028]", data)


def test_the_page_asks_for_nothing_and_runs_its_own_two_scripts_alone(elements):
    policy = next(
        attributes["content"]
        for tag, attributes, _ in elements.found
        if tag == "meta" and attributes.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe-eval" not in policy
    assert "http" not in policy
    links = [attributes for _, attributes, _ in elements.found if {"src", "href", "action"} & set(attributes)]
    assert all(attributes["href"].startswith("#") for attributes in links)


def test_a_report_of_one_vehicle_and_some_days_has_nothing_else(warehouse):
    scope = scope_of(warehouse, vehicles=["1"], first=date(2026, 1, 6), last=date(2026, 1, 6))
    elements = Elements(render(warehouse, scope, now=NOW))
    assert elements.texts("h1")[0].strip() == "1 vehicle"
    for figure in drawn(elements).values():
        assert set(figure["columns"]["vehicle"]) <= {"1"}
    assert drawn(elements)["distance"]["columns"]["day"] == [_milliseconds(date(2026, 1, 6))]


def test_a_quote_in_a_vehicle_id_stays_in_the_query(warehouse):
    scope = scope_of(warehouse, vehicles=[HOSTILE])
    for figure in FIGURES:
        rows = warehouse.arrow(figure.query(scope))
        assert set(rows["vehicle"].to_pylist()) <= {HOSTILE}
    assert html.unescape(render(warehouse, scope, now=NOW)).count("''\u2028{{7*7}}'") > 8


def test_by_default_the_report_is_of_the_last_year_there_is(lake):
    lake.cover("1", "2024-03-01")
    lake.cover("1", "2026-01-10")
    lake.write()
    with Warehouse.open(lake.root) as warehouse:
        scope = scope_of(warehouse)
        assert (scope.first, scope.last, scope.days) == (date(2025, 1, 10), date(2026, 1, 10), 366)


@pytest.mark.parametrize(
    ("asked", "error", "says"),
    [
        ({"vehicles": ["2"]}, InputError, "Vehicle 2 is not in the warehouse"),
        ({"first": date(2026, 2, 1), "last": date(2026, 1, 1)}, InputError, "--from 2026-02-01 is after --to"),
    ],
)
def test_what_cannot_be_reported_is_said(warehouse, asked, error, says):
    with pytest.raises(error, match=says):
        scope_of(warehouse, **asked)


def test_an_empty_warehouse_is_said_to_be_empty(lake):
    lake.write()
    with Warehouse.open(lake.root) as warehouse, pytest.raises(WarehouseError, match="holds no day yet"):
        scope_of(warehouse)


def test_the_larger_the_fleet_and_the_longer_the_span_the_coarser_the_bars():
    def of(vehicles, last):
        return Scope(date(2026, 1, 1), last, tuple(map(str, range(vehicles))), only=False)

    assert grain(of(50, date(2026, 12, 31)), 20_000) == "day"
    assert grain(of(50, date(2027, 12, 31)), 20_000) == "week"
    assert grain(of(500, date(2030, 12, 31)), 20_000) == "month"


def _milliseconds(value):
    if not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day, tzinfo=UTC)
    return int(value.timestamp() * 1000)
