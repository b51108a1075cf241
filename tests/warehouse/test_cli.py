"""`dimo-etl sql` and `dimo-etl status`, on a pipe and, as programs of their own, on a terminal."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import subprocess
import sys

import pytest
import typer
from typer.testing import CliRunner

from dimo_etl.cli.sql import sql
from dimo_etl.cli.status import status
from dimo_etl.errors import QueryError
from tests.warehouse.lake import START, Lake

APP = typer.Typer()
APP.command()(sql)
APP.command()(status)
PROGRAM = "from tests.warehouse.test_cli import APP; APP()"


def run(lake, *arguments, given=None):
    """A command with its output on a pipe."""
    return CliRunner().invoke(APP, arguments, input=given, env={"DIMO_WAREHOUSE": str(lake.root)})


def run_on_terminal(lake, *arguments, typed=b""):
    environ = os.environ | {"DIMO_WAREHOUSE": str(lake.root), "HOME": str(lake.root.parent), "TERM": "dumb"}
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *arguments], env=environ, stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    os.write(ours, typed)
    shown = b""
    try:
        while chunk := os.read(ours, 4096):
            shown += chunk
    except OSError:
        pass  # the program has left the terminal
    os.close(ours)
    return process.wait(), shown.decode()


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    lake = Lake(tmp_path_factory.mktemp("commands") / "lake")
    lake.odometer("1", [10_000, 10_010])
    lake.add("1", START, "ssid", "a\x1b]0;x\x07\x9b31m\n,\u202eü")
    lake.cover("1", "2026-01-05", expected_events=3, fetched_events=3, kept_events=3)
    lake.cover(
        "22", "2026-01-06", complete=False, reason="a sample was drawn", expected_events=1500, fetched_events=1000
    )
    lake.write()
    return lake


def test_a_pipe_gets_aligned_text(filled):
    answer = run(filled, "sql", "SELECT vehicle_id, date, distance_km FROM distance_daily ORDER BY 2 LIMIT 1")
    assert answer.stdout == "vehicle_id  date        distance_km\n1           2026-01-05  10.0\n"


def test_csv_is_read_back_as_it_was_with_iso_times(filled):
    answer = run(filled, "sql", "--format", "csv", "SELECT timestamp, value_string FROM latest WHERE name = 'ssid'")
    assert list(csv.reader(io.StringIO(answer.stdout))) == [
        ["timestamp", "value_string"],
        ["2026-01-05T10:00:00Z", "a\x1b]0;x\x07\x9b31m\n,\u202eü"],
    ]


def test_json_is_an_array_of_objects_one_a_line(filled):
    answer = run(filled, "sql", "--format", "json", "SELECT timestamp, odometer_km, reason FROM odometer ORDER BY 1")
    assert json.loads(answer.stdout) == [
        {"timestamp": "2026-01-05T10:00:00Z", "odometer_km": 10_000.0, "reason": None},
        {"timestamp": "2026-01-05T10:10:00Z", "odometer_km": 10_010.0, "reason": None},
    ]
    assert len(answer.stdout.splitlines()) == 4


def test_no_rows_are_an_empty_array(filled):
    assert json.loads(run(filled, "sql", "--format", "json", "FROM errors").stdout) == []


def test_the_query_may_come_from_standard_input(filled):
    assert run(filled, "sql", given="SELECT 42 AS answer").stdout == "answer\n42\n"


def test_a_reader_that_leaves_early_is_no_error(filled):
    environ = os.environ | {"DIMO_WAREHOUSE": str(filled.root)}
    query = "SELECT range AS n FROM range(1000000)"
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "sql", "--format", "csv", query],
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout.readline() == b"n\n"
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0


def test_a_long_table_says_that_there_is_more(filled):
    answer = run(filled, "sql", "SELECT range AS n FROM range(5000)")
    assert len(answer.stdout.splitlines()) == 1_001
    assert "first 1,000 rows" in answer.stderr


def test_a_wrong_query_is_an_error_of_one_sentence(filled):
    answer = run(filled, "sql", "DROP VIEW signals")
    assert answer.exit_code == 1
    assert isinstance(answer.exception, QueryError)


@pytest.mark.parametrize("form", ["table", "csv", "json"])
def test_a_terminal_gets_no_control_characters_from_data(filled, form):
    code, shown = run_on_terminal(filled, "sql", "--format", form, "SELECT value_string AS v FROM signals")
    assert code == 0
    assert not [char for char in shown if not char.isprintable() and char not in "\r\n"]


def test_the_prompt_answers_until_it_is_left_and_survives_mistakes(filled):
    typed = b"SELEC 1;\nSELECT 40 + 2\nAS answer;\n.exit\n"
    code, shown = run_on_terminal(filled, "sql", "--format", "json", typed=typed)
    assert code == 0
    assert "syntax error" in shown
    assert '{"answer":42}' in shown


def test_status_shows_each_vehicle_and_the_days_that_are_missing(filled):
    lines = run(filled, "status").stdout.splitlines()
    assert lines[1].split()[:6] == ["1", "1", "1", "0", "0", "3"]
    assert lines[1].endswith("10,010.0")
    assert lines[2].split()[:6] == ["22", "1", "0", "1", "0", "1"]
    assert "vehicle 22: 1 day incomplete: dimo-etl sync --from 2026-01-06 --to 2026-01-06" in lines
    assert lines[-1].split(maxsplit=4) == ["2026-01-06", "22", "1,000", "1,500", "a sample was drawn"]


def test_status_of_an_empty_warehouse_says_how_to_begin(lake):
    lake.write()
    assert "dimo-etl demo" in run(lake, "status").stdout
