"""`sql` and `report` read the views and nothing else, unless they are told `--unsafe`."""

from __future__ import annotations

import shutil

import pytest

from tests.cli.conftest import PROJECT, User
from tests.warehouse.lake import Lake


@pytest.fixture(scope="module")
def user(tmp_path_factory):
    """Somebody with a warehouse, whose own view of the vehicles reads another file of theirs."""
    folder = tmp_path_factory.mktemp("somebody")
    own = folder / "checkout"
    shutil.copytree(PROJECT / "warehouse", own / "warehouse", ignore=shutil.ignore_patterns("data", "demo"))
    (own / "dimo_etl").symlink_to(PROJECT / "dimo_etl")
    (folder / "make.txt").write_text("Hupmobile")
    view, make = own / "warehouse" / "vehicles.sql", "coalesce(known.make, described.make)"
    assert make in view.read_text()
    view.write_text(view.read_text().replace(make, f"(SELECT max(content) FROM read_text('{folder}/make.txt'))"))
    lake = Lake(folder / "warehouse")
    lake.odometer("1", [10_000, 10_010])
    lake.cover("1", "2026-01-05")
    lake.write()
    return User(folder, {"PYTHONPATH": str(own)})


def test_sql_writes_a_file_only_where_it_is_told_that_it_may(user):
    file = user.folder / "odometer.csv"
    copy = f"COPY (SELECT odometer_km FROM odometer ORDER BY timestamp) TO '{file}'"
    refused = user.run("sql", copy)
    assert (refused.returncode, refused.stderr.splitlines()) == (
        1, ["Error: The warehouse is read-only: COPY is refused; use SELECT, FROM, DESCRIBE or EXPLAIN."]
    )  # fmt: skip
    assert not file.exists()
    done = user.run("sql", "--unsafe", copy)
    assert (done.returncode, done.stdout) == (0, "Count\n2\n"), done.stderr
    assert file.read_text() == "odometer_km\n10000.0\n10010.0\n"


def test_a_report_reads_another_file_only_where_it_is_told_that_it_may(user):
    page = user.folder / "report.html"
    refused = user.run("report")
    assert refused.returncode == 1
    assert "make.txt" in refused.stderr and refused.stderr.count("\n") == 1
    assert not page.exists()
    done = user.run("report", "--unsafe")
    assert done.returncode == 0, done.stderr
    assert "Hupmobile" in page.read_text()


def test_the_views_stay_as_they_are_and_a_statement_is_one_also_where_everything_is_allowed(user):
    for statement in ("DROP VIEW signals", "SELECT 1; SELECT 2", "SELEC 1"):
        refused = user.run("sql", "--unsafe", statement)
        assert refused.returncode == 1
        assert refused.stderr.startswith("Error: ") and refused.stderr.count("\n") == 1
