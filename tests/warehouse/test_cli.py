"""`dimo-etl sql` and `dimo-etl status`, on a pipe and, as programs of their own, on a terminal."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import subprocess
import sys
import termios

import pyarrow.parquet as pq
import pytest
import typer
from typer.testing import CliRunner

from dimo_etl.cli.sql import sql
from dimo_etl.cli.status import status
from dimo_etl.errors import InputError, QueryError
from tests.warehouse.lake import START, Lake

APP = typer.Typer()
APP.command()(sql)
APP.command()(status)
PROGRAM = "from tests.warehouse.test_cli import APP; APP()"


def run(lake, *arguments, given=None):
    """A command with its output on a pipe."""
    return CliRunner().invoke(APP, arguments, input=given, env={"DIMO_WAREHOUSE": str(lake.root)})


def run_on_terminal(lake, *arguments, typed=b"", steps=(), **changes):
    """A command on a terminal; each step is what to wait for, and what to type then."""
    environ = os.environ | {"DIMO_WAREHOUSE": str(lake.root), "HOME": str(lake.root.parent), "TERM": "dumb"} | changes
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (40, 100))
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *arguments], env=environ, stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    os.write(ours, typed)
    shown, seen, steps = b"", 0, list(steps)
    try:
        while chunk := os.read(ours, 4096):
            shown += chunk
            while steps and steps[0][0] in shown[seen:]:
                awaited, then = steps.pop(0)
                seen = shown.index(awaited, seen) + len(awaited)
                os.write(ours, then)
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


def test_markdown_is_a_table_in_which_no_text_is_markup(filled):
    query = "SELECT 10.5 AS km, '<img onerror=x>|`a`_b_' AS v, chr(10) AS n, 'vehicle_id' AS w"
    lines = run(filled, "sql", "--format", "markdown", query).stdout.splitlines()
    assert lines[:2] == ["| km | v | n | w |", "| ---: | --- | --- | --- |"]
    assert lines[2:] == [r"| 10.5 | \<img onerror=x\>\|\`a\`\_b\_ | \\n | vehicle_id |"]


def test_values_that_python_or_json_would_cut_short_are_given_whole(filled):
    query = "SELECT INTERVAL 14 MONTHS AS span, TIMESTAMP_NS '2026-01-05 10:00:00.123456789' AS moment, {} AS sum"
    shown = run(filled, "sql", "--format", "csv", query.format("(1::HUGEINT << 80)"))
    assert shown.stdout.splitlines()[1] == f"P14M0DT0S,2026-01-05T10:00:00.123456789,{1 << 80}"
    query = "SELECT 1::HUGEINT << 80 AS sum, [1, 2]::INT[2] AS pair, MAP {2: TIMETZ '10:00:00+02'} AS map"
    assert json.loads(run(filled, "sql", "--format", "json", query).stdout) == [
        {"sum": float(1 << 80), "pair": [1, 2], "map": {"2": "10:00:00+02:00"}}
    ]


def test_parquet_goes_to_a_file_with_its_types_and_replaces_it_whole(filled, tmp_path):
    file = tmp_path / "rows.parquet"
    file.write_text("old")
    query = "SELECT timestamp, odometer_km, 1 AS n, 2 AS n FROM odometer ORDER BY 1"
    assert run(filled, "sql", "--format", "parquet", "-o", str(file), query).exit_code == 0
    table = pq.read_table(file)
    assert table.column_names == ["timestamp", "odometer_km", "n", "n_1"]
    assert table.to_pylist()[0] == {"timestamp": START, "odometer_km": 10_000.0, "n": 1, "n_1": 2}
    assert sorted(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("query", ["SELEC 1", "SELECT INTERVAL 1 DAY AS span", "SELECT value_string::INT FROM signals"])
def test_a_file_keeps_what_it_held_where_the_query_fails(filled, tmp_path, query):
    file = tmp_path / "rows.parquet"
    file.write_text("old")
    answer = run(filled, "sql", "--format", "parquet", "-o", str(file), query)
    assert isinstance(answer.exception, QueryError)
    assert "\n" not in str(answer.exception)
    assert file.read_text() == "old"
    assert sorted(tmp_path.iterdir()) == [file]


def test_a_file_that_cannot_be_written_is_named(filled, tmp_path):
    answer = run(filled, "sql", "-o", str(tmp_path / "none" / "x.csv"), "SELECT 1")
    assert isinstance(answer.exception, InputError)
    assert str(tmp_path / "none" / "x.csv") in str(answer.exception)


def test_parquet_is_refused_to_a_terminal_and_given_to_a_pipe(filled):
    code, shown = run_on_terminal(filled, "sql", "--format", "parquet", "SELECT 1")
    assert code == 1
    assert "PAR1" not in shown
    assert run(filled, "sql", "--format", "parquet", "SELECT 1").stdout_bytes.startswith(b"PAR1")


def test_what_is_too_wide_for_the_terminal_is_shown_a_line_for_each_value(filled):
    _, shown = run_on_terminal(
        filled, "sql", "SELECT repeat('x', 60) AS long, 0.1 + 0.2 AS short, repeat('y', 20) AS last"
    )
    lines = [line.split() for line in shown.splitlines()]
    assert lines == [["row", "1"], ["long", "x" * 60], ["short", "0.3"], ["last", "y" * 20]]


def test_an_error_quotes_data_without_its_control_characters(filled):
    answer = run(filled, "sql", "SELECT value_string::INT FROM signals WHERE name = 'ssid'")
    assert isinstance(answer.exception, QueryError)
    assert r"\x1b]0;x\x07" in str(answer.exception)
    assert str(answer.exception).isprintable()


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


@pytest.mark.parametrize("form", ["table", "csv", "json", "markdown"])
def test_a_terminal_gets_no_control_characters_from_data(filled, form):
    code, shown = run_on_terminal(filled, "sql", "--format", form, "SELECT value_string AS v FROM signals")
    assert code == 0
    assert not [char for char in shown if not char.isprintable() and char not in "\r\n"]


def test_the_prompt_answers_until_it_is_left_and_survives_mistakes(filled):
    typed = b"SELEC 1;\rSELECT 40 + 2\rAS answer;\r.exit\r"
    code, shown = run_on_terminal(filled, "sql", "--format", "json", typed=typed)
    assert code == 0
    assert "syntax error" in shown
    assert '{"answer":42}' in shown


def test_the_prompt_completes_and_remembers_in_a_private_file(filled):
    history = filled.root.parent / ".dimo_etl_history"
    history.unlink(missing_ok=True)
    steps = [
        (b"dimo>", b"SELECT 7 + count(*) AS many FROM odometer_dai"),
        (b"odometer_daily", b"\t;\r"),
        (b'{"many":9}', b""),
        (b"dimo>", b"\x04"),
    ]
    code, _ = run_on_terminal(filled, "sql", "--format", "json", steps=steps, TERM="xterm", PROMPT_TOOLKIT_NO_CPR="1")
    assert code == 0
    assert "FROM odometer_daily;" in history.read_text()
    assert history.stat().st_mode & 0o777 == 0o600


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
