"""What views read: only the row groups of the names they are about; years of a fleet are a hundred million rows."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from dimo_etl.warehouse import Warehouse

LIGHT = ("errors", "error_episodes", "odometer", "trips", "charges", "refuels", "wide", "freshness")


def scans(node: dict) -> Iterator[dict]:
    """The scans of the signals' files in a plan."""
    info = node.get("extra_info", {})
    if info.get("Function") == "READ_PARQUET" and "/signals/" in str(info.get("Filename(s)")):
        yield info
    for child in node.get("children", []):
        yield from scans(child)


def nodes(node: dict) -> Iterator[dict]:
    """Every node of a plan."""
    yield node
    for child in node.get("children", []):
        yield from nodes(child)


def ran(lake, query: str) -> list[dict]:
    """The nodes of a query's plan after it ran in a session of the package's own."""
    with Warehouse.open(lake.root) as warehouse:
        ((_, plan),) = warehouse.execute(f"EXPLAIN (ANALYZE, FORMAT json) {query}").fetchall()
    return [node for root in json.loads(plan)["operator"] for node in nodes(root)]


def rows_read(lake, query: str) -> list[int]:
    """How many rows each scan of signals gave, the fewest first."""
    return sorted(
        node["intermediate_rows"]
        for node in ran(lake, query)
        if "/signals/" in str(node.get("extra_info", {}).get("Filename(s)"))
    )


@pytest.mark.parametrize("view", LIGHT)
def test_a_view_names_what_it_reads_to_the_scan(simulated, view):
    ((_, plan),) = simulated.query(f"EXPLAIN (ANALYZE, FORMAT json) FROM {view} WHERE vehicle_id = '8102'")
    found = [scan for root in json.loads(plan)["operator"] for scan in scans(root)]
    assert found
    for scan in found:
        told = f"{scan.get('Filters')} {scan.get('Dynamic Filters')}"
        assert any(f"name {sign}" in told for sign in ("IN", "=", ">=")), scan


@pytest.mark.parametrize(
    ("view", "names"),
    [
        ("vehicles", "name IN ('make', 'model', 'year')"),
        ("odometer", "name IN ('odometer', 'powertrainTransmissionTravelledDistance') OR name LIKE 'signals.%'"),
    ],
)
def test_a_view_of_several_names_reads_no_row_of_another(simulated, view, names):
    ((held,),) = simulated.query(f"SELECT count(*) FROM signals WHERE {names}")
    assert 0 < max(rows_read(simulated, f"FROM {view}")) <= held


def test_the_catalogue_is_no_constant_that_every_plan_carries(simulated):
    ((_, plan),) = simulated.query("EXPLAIN (FORMAT json) FROM signal_catalogue")
    assert len(plan) < 50_000


def test_latest_opens_twice_only_the_days_of_newest_values(simulated):
    ((held,),) = simulated.query("SELECT count(*) FROM signals")
    again, every = rows_read(simulated, "FROM latest")
    assert every == held
    assert again < held


def test_the_odometer_of_one_vehicle_keeps_and_judges_no_reading_of_another(simulated):
    ((own,),) = simulated.query("SELECT count(*) FROM odometer WHERE vehicle_id = '8102'")
    judged = [
        node["intermediate_rows"]
        for node in ran(simulated, "FROM odometer WHERE vehicle_id = '8102'")
        if node["type"] in ("FILTER", "WINDOW")
    ]
    assert own == max(judged)
