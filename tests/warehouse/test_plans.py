"""What views read: only the row groups of the names they are about; years of a fleet are a hundred million rows."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

LIGHT = ("errors", "error_episodes", "odometer", "trips", "charges", "refuels", "wide", "freshness")


def scans(node: dict) -> Iterator[dict]:
    """The scans of the signals' files in a plan."""
    info = node.get("extra_info", {})
    if info.get("Function") == "READ_PARQUET" and "/signals/" in str(info.get("Filename(s)")):
        yield info
    for child in node.get("children", []):
        yield from scans(child)


@pytest.mark.parametrize("view", LIGHT)
def test_a_view_names_what_it_reads_to_the_scan(simulated, view):
    ((_, plan),) = simulated.query(f"EXPLAIN (ANALYZE, FORMAT json) FROM {view} WHERE vehicle_id = '8102'")
    found = [scan for root in json.loads(plan)["operator"] for scan in scans(root)]
    assert found
    for scan in found:
        told = f"{scan.get('Filters')} {scan.get('Dynamic Filters')}"
        assert any(f"name {sign}" in told for sign in ("IN", "=", ">=")), scan
