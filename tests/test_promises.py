"""The README's promises: each names a test that is there. And what can be read off the code without running it."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

from dimo_etl.cli.dev import dev

PROJECT = Path(__file__).parents[1]
# What turns off the proof of who a server is, in Python, curl and the environment.
NO_TLS = re.compile(
    r"verify\s*=\s*False|CERT_NONE|check_hostname\s*=\s*False|_create_unverified|PYTHONHTTPSVERIFY|--insecure|"
    r"TLS_INSECURE|sslmode=(disable|allow)|verify_ssl|curl.* -k\b"
)


def test_every_promise_names_tests_that_are_there():
    page = (PROJECT / "README.md").read_text().partition("## What lies where")[2].partition("\n## ")[0]
    promises = [line for line in page.splitlines() if line.startswith("- ")]
    assert len(promises) >= 10
    for promise in promises:
        links = re.findall(r"\]\((tests/[^)]*)\)", promise)
        assert links, promise
        assert all((PROJECT / link).exists() for link in links), promise


def test_nothing_turns_off_the_proof_of_who_a_server_is():
    files = [
        path
        for folder in ("dimo_etl", "pipelines", "deploy", "docs")
        for path in (PROJECT / folder).rglob("*")
        if path.is_file() and path.suffix not in (".pyc", ".png")
    ]
    assert len(files) > 150
    assert not [path for path in files if NO_TLS.search(path.read_text())]


def test_the_ui_listens_to_this_machine_alone_unless_it_is_told_otherwise():
    assert inspect.signature(dev).parameters["host"].default == "127.0.0.1"
    unit = (PROJECT / "deploy/systemd/dimo-etl-webserver.service").read_text()
    assert " -h 127.0.0.1 " in unit
