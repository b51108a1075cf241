"""`dimo-etl export request`, and the import of the file that it brings."""

from __future__ import annotations

import hashlib
from datetime import date
from functools import partial
from ipaddress import ip_address

import httpx
import pytest

from dimo_etl.cli.importing import import_files
from dimo_etl.importing import download
from dimo_etl.sandbox.server import SandboxServer
from tests.cli.conftest import User
from tests.importing.https import HOST, Server

SMARTCAR, NOT_OWNED = 5023, 8816
DAY = date(2026, 1, 14)


@pytest.fixture
def sandbox():
    with SandboxServer(port=0, today=date(2026, 1, 15), history_days=2) as server:
        yield server


@pytest.fixture
def user(tmp_path, sandbox):
    return User(tmp_path, sandbox.environ)


def test_an_export_is_asked_for_and_what_comes_then_is_told(user, sandbox):
    told = user.run("export", "request", "--vehicle", SMARTCAR)
    assert (told.returncode, told.stderr) == (0, "")
    assert f"Vehicle {SMARTCAR}: your request has been received" in told.stdout
    assert "good for 24 hours" in told.stdout
    assert "dimo-etl import 'THE LINK'" in told.stdout
    assert sandbox.exports.requested == [sandbox.fleet.vehicle(SMARTCAR).user_device_id]


def test_every_vehicle_of_the_account_is_asked_for_and_others_are_named(user, sandbox):
    told = user.run("export", "request")
    mine = {v.user_device_id for v in sandbox.fleet.vehicles if v.owner == sandbox.environ["DIMO_CLIENT_ID"]}
    assert told.returncode == 3
    assert set(sandbox.exports.requested) == mine
    assert f"Vehicle {NOT_OWNED}: " in told.stderr
    assert "only its owner's account can ask for it" in told.stderr


def test_without_a_verified_address_one_sentence_says_so(user, sandbox):
    sandbox.exports.verified = False
    told = user.run("export", "request", "--vehicle", SMARTCAR)
    assert (told.returncode, told.stdout) == (1, "")
    assert told.stderr.startswith("Error: The device data API refused the export of device ")
    assert told.stderr.count("\n") == 1
    assert "verify the account's address in the DIMO app" in told.stderr


def test_a_vehicle_of_somebody_else_alone_is_an_error(user, sandbox):
    told = user.run("export", "request", "--vehicle", NOT_OWNED)
    assert told.returncode == 1
    assert told.stderr.splitlines()[-1].startswith("Error: No export was started")
    assert sandbox.exports.requested == []


def export_of(user, sandbox):
    assert user.run("export", "request", "--vehicle", SMARTCAR).returncode == 0
    # The page's size divides the number of documents, so the file ends with a comma too many.
    sandbox.exports.page_size = sum(len(sandbox.fleet.events(SMARTCAR, date(2026, 1, d))) for d in (13, 14, 15))
    content = httpx.get(sandbox.exports.mailed[0]).content
    assert content.endswith(b"},]}")
    return content


def test_the_file_brings_everything_and_coverage_says_what_history_cannot_give(user, sandbox):
    (user.folder / "export.json").write_bytes(export_of(user, sandbox))
    told = user.run("import", "export.json")
    assert (told.returncode, told.stderr) == (0, "")
    events = sandbox.fleet.events(SMARTCAR, DAY)
    beyond = len(events) - len(sandbox.fleet.reachable(SMARTCAR, DAY))
    assert beyond > 0
    query = (
        f"SELECT vehicle_id, kept_events, beyond_history_events FROM coverage WHERE date = '{DAY}' AND kept_events > 0"
    )
    assert user.answer(query) == [f"{SMARTCAR},{len(events)},{beyond}"]


def test_the_link_itself_is_imported_and_leaves_no_file(user, sandbox, tmp_path, monkeypatch, capsys):
    """The address rule keeps an import off this machine, so the command runs here, with a rule that lets it on."""
    content = export_of(user, sandbox)
    server = Server(tmp_path)
    here = {"allowed": lambda _: True, "resolve": lambda _host, _port: [ip_address("127.0.0.1")], "tls": server.trust()}
    monkeypatch.setattr(download, "Downloader", partial(download.Downloader, **here))
    monkeypatch.chdir(user.folder)
    monkeypatch.setenv("DIMO_WAREHOUSE", str(user.warehouse))
    link = server.serve("/export.json", content) + "?sig=5ecre7"
    import_files([link], sha256=hashlib.sha256(content).hexdigest())
    server.close()
    told = capsys.readouterr()
    assert f"from {HOST}: " in told.out
    assert "5ecre7" not in told.out + told.err
    assert not [path for path in user.warehouse.joinpath(".tmp").rglob("*") if path.is_file()]
    kept = sum(len(sandbox.fleet.events(SMARTCAR, date(2026, 1, d))) for d in (13, 14, 15))
    assert user.answer("SELECT sum(kept_events)::INT FROM coverage") == [str(kept)]


@pytest.mark.parametrize(
    ("link", "sentence"),
    [
        ("http://files.example/x?sig=5ecre7", "The link is not https"),
        ("https://localhost:1/x?sig=5ecre7", "The link's host localhost is not on the public internet"),
        ("https://169.254.169.254/x?sig=5ecre7", "host 169.254.169.254 is not on the public internet"),
        ("https://me:5ecre7@files.example/x", "The link holds a user or a password"),
    ],
)
def test_a_link_that_must_not_be_followed_is_one_sentence_without_its_secret(user, link, sentence):
    told = user.run("import", link)
    assert told.returncode == 1
    assert told.stderr.startswith("Error: ")
    assert sentence in told.stderr
    assert "5ecre7" not in told.stdout + told.stderr


def test_a_pin_is_for_one_link(user):
    (user.folder / "export.json").write_text("{}")
    told = user.run("import", "export.json", "--sha256", "0" * 64)
    assert (told.returncode, told.stderr) == (1, "Error: --sha256 pins the file of one link; import that link alone.\n")


def test_a_file_that_is_missing_is_told_before_any_is_imported(user):
    (user.folder / "export.json").write_text('{"id":"1","time":"2026-01-05T10:00:00Z","subject":"x","data":{"n":1}}')
    told = user.run("import", "export.json", "nowhere.json")
    assert (told.returncode, told.stdout) == (1, "")
    assert "There is no file nowhere.json" in told.stderr
