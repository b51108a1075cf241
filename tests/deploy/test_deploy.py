"""The files for running it unattended, held against the real tools; no container engine is needed."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from packaging.specifiers import SpecifierSet

from dimo_etl.config import Settings
from tests.pipelines.conftest import PROJECT

DEPLOY = PROJECT / "deploy"
UNITS = ("dimo-etl-daemon.service", "dimo-etl-webserver.service")


@pytest.fixture
def compose() -> dict:
    return yaml.safe_load((DEPLOY / "containers" / "compose.yaml").read_text())


def test_the_units_are_what_systemd_takes(tmp_path: Path) -> None:
    verifier = shutil.which("systemd-analyze")
    if verifier is None:
        pytest.skip("systemd-analyze is not there; install systemd to verify the units")
    files = []
    for name in UNITS:
        # What is verified must be there: this project and its programs stand for the installed ones.
        text = (DEPLOY / "systemd" / name).read_text().replace("/opt/dimo_etl", str(PROJECT))
        files.append(tmp_path / name)
        files[-1].write_text(text)
    found = subprocess.run([verifier, "verify", *map(str, files)], capture_output=True, text=True, timeout=60)
    ours = [line for line in found.stderr.splitlines() if "dimo-etl" in line]
    assert (ours, found.returncode) == ([], 0)


def test_both_units_share_one_user_home_and_warehouse_and_neither_runs_as_root_or_holds_a_key() -> None:
    for name in UNITS:
        lines = (DEPLOY / "systemd" / name).read_text().splitlines()
        assert {"DynamicUser=yes", "User=dimo-etl", "StateDirectory=dimo-etl", "Restart=always"} <= set(lines)
        assert "Environment=DAGSTER_HOME=/var/lib/dimo-etl DIMO_WAREHOUSE=/var/lib/dimo-etl/warehouse" in lines
        assert "EnvironmentFile=/etc/dimo-etl.env" in lines
        assert not [line for line in lines if "API_KEY" in line]


def test_the_containers_are_the_three_of_dagster_and_the_database(compose: dict) -> None:
    services = compose["services"]
    assert services.keys() == {"postgres", "code", "webserver", "daemon"}
    for name, service in services.items():
        assert service["restart"] == "unless-stopped", name
        assert service["mem_limit"], name
        named = [volume.split(":")[0] for volume in service["volumes"]]
        assert set(named) <= compose["volumes"].keys(), name
    assert "warehouse:/data" in services["code"]["volumes"], "runs are processes of the code server"


def test_the_ui_is_reached_from_this_machine_alone_and_the_licence_from_the_code_server_alone(compose: dict) -> None:
    services = compose["services"]
    assert services["webserver"]["ports"] == ["127.0.0.1:3000:3000"]
    assert [name for name, service in services.items() if "ports" in service] == ["webserver"]
    assert [name for name, service in services.items() if "env_file" in service] == ["code"]
    passwords = {service["environment"].get("DAGSTER_PG_PASSWORD", "${") for service in services.values()}
    assert all(password.startswith("${") for password in passwords), "no password is in the file"


def test_the_example_of_the_licence_names_settings_there_are() -> None:
    text = (DEPLOY / "containers" / "dimo.env.example").read_text()
    given = dict(line.split("=", 1) for line in text.splitlines())
    found = Settings.from_environment(given)
    assert (found.client_id, found.start_date.isoformat()) == ("0x...", "2026-01-01")


def test_the_image_is_made_from_files_there_are_and_runs_as_nobody_special() -> None:
    lines = (DEPLOY / "containers" / "Containerfile").read_text().replace("\\\n", " ").splitlines()
    instructions = [line.split(maxsplit=1) for line in lines if line and not line.startswith("#")]
    for instruction, rest in instructions:
        if instruction == "COPY":
            for source in rest.split()[:-1]:
                assert list(PROJECT.glob(source)), source
    ((_, base), *_) = instructions
    wanted = re.search(r'requires-python = "(.*)"', (PROJECT / "pyproject.toml").read_text())
    assert wanted is not None
    assert re.sub(r".*:|-.*", "", base) in SpecifierSet(wanted[1])
    assert instructions[-1] == ["USER", "10001"]
