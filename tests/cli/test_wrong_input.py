"""Whatever is wrong, a command ends with 1 and one sentence on standard error that says what to do."""

from __future__ import annotations

import re
import socket
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

SYNC = ("sync", "--from", "2026-01-05", "--to", "2026-01-05")


def told(answer):
    """The sentence after `Error: `; tries that were made before it may stand above it."""
    assert answer.returncode == 1, answer
    *tries, line = answer.stderr.splitlines()
    assert all(try_.endswith(" s") and "; trying again in " in try_ for try_ in tries), answer.stderr
    sentence = re.fullmatch(r"Error: ((?:[A-Z'-]|DIMO_).*\.)", line)
    assert sentence, line
    return sentence[1]


@pytest.mark.parametrize(
    ("first", "last", "sentence"),
    [
        ("2026-01-06", "2026-01-05", "--from 2026-01-06 is after --to 2026-01-05; give the earlier day first."),
        ("yesterday", "2026-01-05", "--from 'yesterday' is not a day; give one such as 2026-01-05."),
        ("2026-01-05", "2026-02-30", "--to '2026-02-30' is not a day; give one such as 2026-01-05."),
    ],
)
def test_days_that_are_none_or_reversed(offline, first, last, sentence):
    assert told(offline.run("sync", "--from", first, "--to", last)) == sentence


def test_a_day_that_is_not_over(offline):
    sentence = told(offline.run("sync", "--from", "2026-01-05", "--to", "2999-01-01"))
    assert sentence.startswith("The day 2999-01-01 is not over yet in UTC, so it cannot be complete; the newest day ")


def test_a_day_before_the_first(offline):
    sentence = told(offline.run(*SYNC, DIMO_START_DATE="2026-01-06"))
    assert sentence == "The day 2026-01-05 is before the first, 2026-01-06; set DIMO_START_DATE to bring earlier days."


def test_a_name_that_is_no_vehicle(offline):
    sentence = told(offline.run(*SYNC, "--vehicle", "../x"))
    assert sentence == "'../x' is not a vehicle id; give a token id such as 4711 or a 27-character user device id."


def test_a_vehicle_that_is_not_shared(user):
    sentence = told(user.run(*SYNC, "--vehicle", "9001"))
    assert sentence.startswith("Vehicle 9001 is not among those shared with this licence (known: 4711, 5023, ")
    assert sentence.endswith("; check the id, or ask the owner to share it.")


def test_no_account(offline):
    sentence = told(offline.run(*SYNC))
    assert sentence == "Whose vehicles is not known: set DIMO_CLIENT_ID, or name vehicles in DIMO_VEHICLES."


def test_a_variable_that_cannot_be_used(offline):
    assert told(offline.run(*SYNC, DIMO_MAX_RPS="fast")).startswith("DIMO_MAX_RPS is 'fast'; give a number from ")
    assert told(offline.run("status", DIMO_VEHICLES="4711,..")).startswith("DIMO_VEHICLES: '..' is not a vehicle id; ")


@contextmanager
def web_site():
    """A server that has nothing to do with DIMO."""

    class Page(BaseHTTPRequestHandler):
        def do_POST(self):
            page = b"<!doctype html><title>It works</title>"
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(page)))
            self.end_headers()
            self.wfile.write(page)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_an_address_that_is_not_dimos(user):
    with web_site() as address:
        sentence = told(user.run(*SYNC, DIMO_IDENTITY_URL=address))
    assert sentence.startswith(f"The identity API at {address} gave no usable answer (")
    assert sentence.endswith("; check DIMO_IDENTITY_URL, or try again later.")


def test_an_address_where_nobody_listens(user):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    sentence = told(user.run(*SYNC, DIMO_IDENTITY_URL=f"http://127.0.0.1:{port}"))
    assert sentence.startswith(f"The identity API at http://127.0.0.1:{port} cannot be reached (connection refused)")
    assert sentence.endswith("; check DIMO_IDENTITY_URL and the network.")


def test_an_address_without_http(user):
    assert told(user.run(*SYNC, DIMO_IDENTITY_URL="identity.example")).startswith("DIMO_IDENTITY_URL is not an http(s)")


@pytest.mark.parametrize("name", ["file", "file/lake"])
def test_a_warehouse_that_cannot_be_written(offline, name):
    (offline.folder / "file").write_bytes(b"{}")
    sentence = told(offline.run("import", "file", DIMO_WAREHOUSE=name))
    assert re.fullmatch(r"Cannot .* the warehouse .*; make room or allow writing there, then run again\.", sentence)


@pytest.mark.parametrize("command", [("status",), ("sql", "FROM signals")])
def test_no_warehouse_yet(offline, command):
    sentence = told(offline.run(*command))
    assert sentence.startswith("There is no warehouse at ")
    assert sentence.endswith(" yet; bring some days with `dimo-etl sync`, or try `dimo-etl demo`.")


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("SELEC 1", 'The query cannot be run: Parser Error: syntax error at or near "SELEC".'),
        (
            "DELETE FROM signals",
            "The warehouse is read-only: DELETE is refused; use SELECT, FROM, DESCRIBE or EXPLAIN.",
        ),
        ("SELECT 1; SELECT 2", "Give one query at a time; this text holds 2 statements."),
    ],
)
def test_a_query_that_is_wrong_or_writes(offline, query, sentence):
    offline.warehouse.mkdir()
    assert told(offline.run("sql", query)) == sentence


def test_a_file_that_is_not_there(offline):
    assert told(offline.run("import", "nowhere.json")) == "There is no file nowhere.json; give a file of saved events."


def test_a_folder_without_json(offline):
    (offline.folder / "empty").mkdir()
    sentence = told(offline.run("import", "empty"))
    assert sentence == "The folder empty holds no .json, .ndjson or .jsonl file; name the files."


def test_a_picture(offline):
    (offline.folder / "car.png").write_bytes(b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR")
    sentence = told(offline.run("import", "car.png"))
    assert sentence.startswith("The file car.png holds no JSON documents; give history responses, ")


def test_an_option_that_does_not_exist(offline):
    answer = offline.run("sync", "--until", "2026-01-05")
    assert answer.returncode == 2
    assert "--until" in answer.stderr
    assert "Traceback" not in answer.stderr
