"""The three processes of compose.yaml, as it starts them, on a real Postgres: a run goes through from the UI."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from pipelines.jobs import JOB, PARTITION
from tests.pipelines.conftest import PROJECT, Household
from tests.pipelines.conftest import _running as _running
from tests.pipelines.conftest import household as household
from tests.pipelines.conftest import sandbox as sandbox
from tests.pipelines.services import eventually, free_port
from tests.pipelines.ui import Ui

CONTAINERS = PROJECT / "deploy" / "containers"


@dataclass(frozen=True)
class Database:
    """A database server of its own."""

    port: int
    password: str


def _programs() -> Path:
    """Where the newest Postgres of this machine is."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if not found:
        pytest.skip("Postgres is not there; install the package postgresql to try deploy/ on it")
    return found[-1].parent


@pytest.fixture
def database() -> Iterator[Database]:
    programs = _programs()
    # Postgres does not run as root, and its own user cannot look into pytest's folders.
    as_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.geteuid() == 0 else []
    folder, password, port = Path(tempfile.mkdtemp(prefix="dimo-etl-postgres-")), secrets.token_hex(8), free_port()
    (folder / "password").write_text(password)
    if as_user:
        for path in (folder, folder / "password"):
            shutil.chown(path, "postgres", "postgres")
    made = [*as_user, programs / "initdb", "-D", folder / "data", "-U", "dagster", "-A", "scram-sha-256"]
    subprocess.run([*made, "--no-sync", f"--pwfile={folder}/password"], check=True, capture_output=True, cwd=folder)
    options = ["-p", str(port), "-h", "127.0.0.1", "-k", folder, "-F"]
    with subprocess.Popen(
        [*as_user, programs / "postgres", "-D", folder / "data", *options],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as server:
        try:
            ready = [programs / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port), "-U", "dagster"]
            eventually(lambda: subprocess.run(ready, check=False).returncode == 0, "Postgres")
            create = [programs / "createdb", "-h", "127.0.0.1", "-p", str(port), "-U", "dagster", "dagster"]
            subprocess.run(create, check=True, env=os.environ | {"PGPASSWORD": password})
            yield Database(port, password)
        finally:
            server.terminate()
            server.wait(30)
            shutil.rmtree(folder)


@contextmanager
def started(command: list[str], environ: dict[str, str], home: Path) -> Iterator[Path]:
    """One of the processes, and what it says."""
    said = home / f"{Path(command[0]).name}-{secrets.token_hex(2)}.log"
    with said.open("wb") as out, subprocess.Popen(command, env=environ, cwd=home, stdout=out, stderr=out) as process:
        try:
            yield said
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()


def is_open(port: int) -> bool:
    with socket.socket() as caller:
        return caller.connect_ex(("127.0.0.1", port)) == 0


def test_a_run_goes_through_on_postgres_with_the_processes_of_compose(
    household: Household, tmp_path: Path, database: Database
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    # As the image does it.
    (home / "dagster.yaml").write_text(
        (PROJECT / "dagster.yaml").read_text() + (CONTAINERS / "storage.yaml").read_text()
    )
    code_port, ui_port = free_port(), free_port()
    workspace = (CONTAINERS / "workspace.yaml").read_text()
    (home / "workspace.yaml").write_text(
        workspace.replace("host: code", "host: 127.0.0.1").replace("4000", str(code_port))
    )
    services = yaml.safe_load((CONTAINERS / "compose.yaml").read_text())["services"]
    places = {
        "0.0.0.0": "127.0.0.1",
        "4000": str(code_port),
        "3000": str(ui_port),
        "/opt/dimo_etl/home/workspace.yaml": str(home / "workspace.yaml"),
    }
    given = services["code"]["environment"] | {
        "DAGSTER_PG_HOST": "127.0.0.1",
        "DAGSTER_PG_PORT": str(database.port),
        "DAGSTER_PG_PASSWORD": database.password,
        "DAGSTER_HOME": str(home),
    }
    programs = Path(shutil.which("dagster", path=str(PROJECT / ".venv/bin")) or shutil.which("dagster") or "").parent
    base = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)} | given

    ui = Ui(ui_port)
    with ExitStack() as stack:
        for name in ("code", "webserver", "daemon"):
            program, *arguments = (places.get(part, part) for part in services[name]["command"])
            # The licence and the warehouse are the code server's alone.
            environ = base | (household.environ if name == "code" else {})
            said = stack.enter_context(started([str(programs / program), *arguments], environ, home))
            if name == "code":
                check = [programs / "dagster", *services["code"]["healthcheck"]["test"][2:-1], str(code_port)]
                eventually(lambda: is_open(code_port), "the code server")
                subprocess.run(check, env=base, capture_output=True, check=True)
        eventually(ui.serves_the_code, "the UI")
        run = ui.launch(JOB, {PARTITION: "2025-06-09"})
        assert eventually(lambda: ui.ended(run), "the run") == "SUCCESS", said.read_text()
    assert {day.isoformat() for _, day in household.events_held()} == {"2025-06-09"}
