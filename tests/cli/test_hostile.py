"""Whatever a text holds, it stays a text: in paths, addresses, SQL, on a terminal, in CSV, JSON and HTML.

One file of events has every hostile text as the name of a signal, a value, a source, an id, an error and a subject; it
is imported by the real command, and then every command shows it on a terminal.
"""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import subprocess
import termios
from html.parser import HTMLParser
from pathlib import Path

import pytest

from dimo_etl.errors import InputError
from dimo_etl.model import parse_vehicle_id
from tests.cli.conftest import PROGRAM, User
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
)


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


def on_terminal(user: User, *arguments: str) -> tuple[int, str]:
    """What a command shows on a terminal."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (40, 100))
    with subprocess.Popen(
        [PROGRAM, *arguments],
        cwd=user.folder,
        env=user.environ | {"TERM": "dumb"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        shown = b""
        try:
            while chunk := os.read(ours, 65_536):
                shown += chunk
        except OSError:
            pass  # the program has left the terminal
        os.close(ours)
    return process.returncode, shown.decode()


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


@pytest.mark.parametrize("arguments", SHOWING, ids=[" ".join(one[:3])[:40] for one in SHOWING])
def test_a_terminal_is_shown_no_character_that_it_would_act_on(user, arguments):
    _, shown = on_terminal(user, *arguments)
    assert shown
    assert "Traceback" not in shown
    assert {char for char in shown if not char.isprintable()} <= {"\r", "\n"}


def test_the_report_has_no_element_and_no_address_of_a_text(user):
    class Elements(HTMLParser):
        def __init__(self, text):
            super().__init__()
            self.found = []
            self.feed(text)

        def handle_starttag(self, tag, attrs):
            self.found.append((tag, dict(attrs)))

    code, shown = on_terminal(user, "report")
    assert code == 0 and shown.replace("\r\n", "").isprintable()
    page = (user.folder / "report.html").read_text()
    elements = Elements(page).found
    assert not [tag for tag, _ in elements if tag in ("img", "iframe", "object", "embed", "base", "form")]
    assert not [attributes for _, attributes in elements if any(name.startswith("on") for name in attributes)]
    links = {value for _, attributes in elements for name, value in attributes.items() if name in ("href", "src")}
    assert not [link for link in links if "198.51.100.7" in (link or "") or (link or "").startswith("javascript:")]
    assert "document.title='owned'</script>" not in page


def test_what_is_no_vehicle_reaches_no_path_and_no_address(user):
    for text in TEXTS:
        with pytest.raises(InputError) as refused:
            parse_vehicle_id(text)
        assert str(refused.value).isprintable()
    for arguments in (("sync", "--from", "2026-01-05", "--to", "2026-01-05"), ("report",), ("export", "request")):
        code, shown = on_terminal(
            user, *arguments, "--vehicle", HOSTILE["a cleared screen"] + HOSTILE["a folder above"]
        )
        assert code != 0
        assert {char for char in shown if not char.isprintable()} <= {"\r", "\n"}, arguments
    assert not Path("/tmp/x").exists()
