"""`dimo-etl report`: a file where it is wanted, or a sentence that says why there is none."""

from __future__ import annotations

import pytest
import typer
from typer.testing import CliRunner

from dimo_etl.cli.report import report
from dimo_etl.errors import InputError

APP = typer.Typer()
APP.command()(report)


def run(fleet, *arguments):
    return CliRunner().invoke(APP, list(map(str, arguments)), env={"DIMO_WAREHOUSE": str(fleet.root)})


def test_the_page_replaces_the_file_whole_and_what_is_in_it_is_said(fleet, tmp_path):
    file = tmp_path / "fleet.html"
    file.write_text("old")
    answer = run(fleet, "-o", file, "--vehicle", "1", "--to", "2026-01-06")
    assert answer.exit_code == 0
    assert answer.stdout.startswith(f"{file}: 1 vehicle, 2026-01-05 to 2026-01-06, ")
    assert file.read_text().startswith("<!doctype html>")
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--vehicle", "2"], "Vehicle 2 is not in the warehouse"),
        (["--from", "monday"], "--from 'monday' is not a day"),
        (["--from", "2026-02-02", "--to", "2026-02-01"], "--from 2026-02-02 is after --to 2026-02-01"),
        (["-o", "none/report.html"], "The file none/report.html cannot be written"),
    ],
)
def test_what_cannot_be_done_is_said_and_writes_nothing(fleet, tmp_path, monkeypatch, arguments, says):
    monkeypatch.chdir(tmp_path)
    answer = run(fleet, *arguments)
    assert isinstance(answer.exception, InputError)
    assert says in str(answer.exception)
    assert list(tmp_path.iterdir()) == []
