"""`dimo-etl views`: what there is to ask for, without a warehouse."""

from __future__ import annotations

import pytest
import typer
from typer.testing import CliRunner

from dimo_etl.cli.views import views
from dimo_etl.errors import InputError
from dimo_etl.warehouse import views as defined

APP = typer.Typer()
APP.command()(views)


def run(*arguments, columns="120"):
    return CliRunner().invoke(APP, arguments, env={"COLUMNS": columns, "DIMO_WAREHOUSE": "/nowhere"})


def test_every_view_is_listed_with_what_a_row_is():
    lines = run().stdout.splitlines()
    assert {line.split()[0] for line in lines if not line.startswith(" ")} == {"view", *(v.name for v in defined())}


@pytest.mark.parametrize("view", defined(), ids=lambda view: view.name)
def test_a_view_is_shown_whole_with_a_type_for_each_column(view):
    told = run(view.name)
    assert told.exit_code == 0
    words = " ".join(told.stdout.split())
    assert view.example in told.stdout
    assert all(" ".join(remark.split()) in words for remark in view.remarks)
    table = told.stdout.partition("column ")[2].split("\n\n")[0].splitlines()[1:]
    rows = [line.split(maxsplit=1) for line in table if not line.startswith(" ")]
    assert [row[0] for row in rows] == [column.name for column in view.columns]
    for (_, rest), column in zip(rows, view.columns, strict=True):
        assert column.description.split()[0] in rest.split()[1:]


def test_what_is_long_is_wrapped_to_the_terminal():
    table = run("trips", columns="90").stdout.partition("\n\nRules")[0]
    assert max(map(len, table.splitlines())) <= 90


def test_a_name_that_is_no_view_is_an_error_that_names_one_near_it():
    told = run("trip")
    assert isinstance(told.exception, InputError)
    assert "do you mean trips?" in str(told.exception)
