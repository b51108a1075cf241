"""Whatever a text holds, it stays a text: in paths, addresses, SQL, on a terminal, in CSV, JSON and HTML.

One file of events has every hostile text as the name of a signal, a value, a source, an id, an error and a subject; it
is imported by the real command, and then every command shows it on a terminal. A server puts them into what it answers.
"""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import re
import subprocess
import sys
import termios
from html.parser import HTMLParser
from pathlib import Path

import pytest

from dimo_etl.errors import InputError
from dimo_etl.model import parse_vehicle_id
from tests.cli.conftest import User
from tests.cli.spoiling import spoiling
from tests.hostile import HOSTILE, SURROGATE
from tests.payloads import cloud_event

STAMP = "2026-01-05T10:00:00Z"
PLACES = {"raw", "signals", "quarantine", "vehicles.parquet", "dimo.duckdb", ".views", ".locks", ".tmp"}
TEXTS = [text for text in HOSTILE.values() if text]
SHOWING = (
    ("sql", "--format", "table", "SELECT name, value_string, source, event_id FROM signals"),
    ("sql", "--format", "markdown", "SELECT name, value_string FROM signals"),
    ("sql", "SELECT type, description, resolution FROM errors"),
    ("sql", "SELECT reason, payload FROM quarantine"),
    ("sql", "SELECT value_string::INTEGER FROM signals WHERE value_string LIKE '%owned%'"),
    ("status",),
    ("vehicles",),
    ("verify",),
    ("views",),
    ("import", "events.ndjson", "../inner/\x1b[2J"),
)
BRINGING = (
    ("doctor",),
    ("vehicles",),
    ("sync", "--from", "2026-01-05", "--to", "2026-01-05"),
    ("snapshot",),
    ("distances",),
    ("status",),
    ("sql", "SELECT vehicle_id, reason, unread FROM coverage"),
    ("sql", "FROM latest"),
    ("report",),
)
# Commands one after the other in one process: what each of them would import is imported once.
ONE_BY_ONE = """
import json, sys
from dimo_etl.cli.main import main
for arguments in json.loads(sys.argv[1]):
    sys.argv = ["dimo-etl", *arguments]
    try:
        main()
    except SystemExit as end:
        code = end.code
    print(f"[{arguments[0]} ended with {code}]", flush=True)
"""


def event(text: str, n: int) -> dict[str, object]:
    error = {"type": text, "errorCode": text, "errorType": text, "description": text, "resolution": {"type": text}}
    data = {"timestamp": STAMP, text: n, "text": text, "make": text, "model": text, "errors": [error], "odometer": n}
    return cloud_event(data, id=f"{n} {text}", source=text)


@pytest.fixture(scope="module")
def user(tmp_path_factory):
    """Somebody who imported the file, and all that lay around the warehouse before."""
    folder = tmp_path_factory.mktemp("outer") / "inner"
    folder.mkdir()
    somebody = User(folder, {})
    events = [event(text, n) for n, text in enumerate(TEXTS)]
    events += [cloud_event({"timestamp": STAMP, "n": 1}, subject=text, vehicleTokenId=None) for text in TEXTS]
    lines = [json.dumps(one).encode() for one in events]
    lines.append(lines[0].replace(b'"text": "', b'"text": "' + SURROGATE.encode()))
    (folder / "events.ndjson").write_bytes(b"\n".join(lines))
    told = somebody.run("import", "events.ndjson")
    assert told.returncode == 0, told.stderr
    assert "Traceback" not in told.stderr
    return somebody


def on_terminal(user: User, *commands: tuple[str, ...], **changes: str) -> str:
    """What commands show on a terminal, each with how it ended."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (40, 100))
    with subprocess.Popen(
        [sys.executable, "-c", ONE_BY_ONE, json.dumps(commands)],
        cwd=user.folder,
        env=user.environ | {"TERM": "dumb", "NO_COLOR": "1"} | changes,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    ):
        os.close(theirs)
        shown = b""
        try:
            while chunk := os.read(ours, 65_536):
                shown += chunk
        except OSError:
            pass  # the program has left the terminal
        os.close(ours)
    return shown.decode()


def assert_harmless(shown: str) -> None:
    assert "Traceback" not in shown
    assert {char for char in shown if not char.isprintable()} <= {"\r", "\n"}


class Elements(HTMLParser):
    """The elements of a page, and their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))


def assert_a_page_of_texts(path: Path) -> None:
    page = path.read_text()
    elements = Elements(page).found
    assert not [tag for tag, _ in elements if tag in ("img", "iframe", "object", "embed", "base", "form")]
    assert not [attributes for _, attributes in elements if any(name.startswith("on") for name in attributes)]
    links = {value for _, attributes in elements for name, value in attributes.items() if name in ("href", "src")}
    assert not [link for link in links if "198.51.100.7" in (link or "") or (link or "").startswith("javascript:")]
    assert "document.title='owned'</script>" not in page


def test_every_text_comes_back_as_it_was_sent_and_each_file_lies_in_its_place(user):
    rows = json.loads(user.run("sql", "--format", "json", "SELECT name, value_string, source FROM signals").stdout)
    assert set(TEXTS) <= {row["value_string"] for row in rows if row["name"] == "text"}
    assert set(TEXTS) <= {row["source"] for row in rows}
    assert set(TEXTS) <= {row["name"] for row in rows}
    as_csv = user.run("sql", "--format", "csv", "SELECT value_string AS v FROM signals WHERE name = 'text'").stdout
    # A null is no character of CSV, and Python reads the ends of lines of a program as one.
    given = {text.replace("\r\n", "\n") for text in TEXTS if "\0" not in text}
    assert {row[0] for row in csv.reader(io.StringIO(as_csv, newline=""))} >= given
    assert sorted(path.name for path in user.folder.parent.iterdir()) == ["inner"]
    files = [path.relative_to(user.warehouse) for path in user.warehouse.rglob("*") if path.is_file()]
    for file in files:
        assert file.parts[0] in PLACES, file
        assert str(file).isprintable() and str(file).isascii()
    days = {path.name for path in user.warehouse.glob("*/date=*")}
    assert days <= {"date=2026-01-05", "date=__HIVE_DEFAULT_PARTITION__"}


def test_a_terminal_is_shown_no_character_that_it_would_act_on(user):
    shown = on_terminal(user, *SHOWING)
    assert_harmless(shown)
    assert shown.count(" ended with 0]") >= len(SHOWING) - 2
    assert all(f"[{command} ended with" in shown for command, *_ in SHOWING)


def test_the_report_has_no_element_and_no_address_of_a_text(user):
    shown = on_terminal(user, ("report",))
    assert_harmless(shown)
    assert "[report ended with 0]" in shown
    assert_a_page_of_texts(user.folder / "report.html")


def test_what_a_server_says_in_names_and_errors_stays_a_text_on_terminal_and_page(tmp_path, sandbox):
    somebody = User(tmp_path, {})
    # One vehicle is refused its history, the other its token.
    with spoiling(sandbox, refused=r'/vehicle/8102/|"tokenId": ?7345\b') as variables:
        shown = on_terminal(somebody, *BRINGING, **variables, DIMO_VEHICLES="4711,7345,8102")
    assert_harmless(shown)
    codes = re.findall(r"\[(\w+) ended with (\d)\]", shown)
    some = {"doctor": "1", "vehicles": "0", "sync": "3", "snapshot": "3", "distances": "3"}
    assert dict(codes) == some | dict.fromkeys(("status", "sql", "report"), "0")
    assert shown.count("owned") > 10
    assert_a_page_of_texts(tmp_path / "report.html")


def test_what_is_no_vehicle_reaches_no_path_and_no_address(user):
    for text in TEXTS:
        with pytest.raises(InputError) as refused:
            parse_vehicle_id(text)
        assert str(refused.value).isprintable()
    named = ("--vehicle", HOSTILE["a cleared screen"] + HOSTILE["a folder above"])
    commands = (("sync", "--from", "2026-01-05", "--to", "2026-01-05"), ("report",), ("export", "request"))
    shown = on_terminal(user, *((*command, *named) for command in commands))
    assert_harmless(shown)
    assert len(re.findall(r"\[\w+ ended with [1-9]\]", shown)) == len(commands)
    assert not Path("/tmp/x").exists()
