"""Figures that tests count (crash points, faults, cases), told at the end with `--figures`."""

from __future__ import annotations

import re
from collections import Counter

import pytest

# As Hypothesis tells of each of its tests.
_MADE_UP = re.compile(r"(\d+) passing,")


def pytest_addoption(parser):
    parser.addoption("--figures", action="store_true", help="tell at the end what the tests counted")


@pytest.fixture
def figures(request):
    """Counts by name; what several tests count under one name is added up."""
    counted: Counter[str] = Counter()
    yield counted
    request.node.user_properties.append(("figures", dict(counted)))


def pytest_runtest_teardown(item):
    told = getattr(item, "hypothesis_statistics", "")
    if made_up := sum(map(int, _MADE_UP.findall(told))):
        item.user_properties.append(("figures", {"cases made up by Hypothesis": made_up}))


def pytest_terminal_summary(terminalreporter, config):
    if not config.getoption("--figures"):
        return
    total: Counter[str] = Counter()
    for report in terminalreporter.stats.get("", []):
        for name, value in report.user_properties if report.when == "teardown" else ():
            if name == "figures":
                total.update(value)
    terminalreporter.section("figures")
    for name, count in sorted(total.items()):
        terminalreporter.line(f"{count:10,}  {name}")
