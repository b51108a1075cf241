"""Figures that tests count (crash points, faults, cases), told at the end with `--figures`."""

from __future__ import annotations

from collections import Counter

import pytest


def pytest_addoption(parser):
    parser.addoption("--figures", action="store_true", help="tell at the end what the tests counted")


@pytest.fixture
def figures(request):
    """Counts by name; what several tests count under one name is added up."""
    counted: Counter[str] = Counter()
    yield counted
    request.node.user_properties.append(("figures", dict(counted)))


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
