"""Each check against a real sandbox, folder and disk: what is in order, what is red and why, what is skipped."""

from __future__ import annotations

import shutil
import time
from collections.abc import Generator, Iterator, Mapping
from datetime import date
from pathlib import Path

import jwt
import pytest

from dimo_etl.config import SANDBOX_LICENCE, Secret
from dimo_etl.doctor import warehouse
from dimo_etl.doctor.examine import examine
from dimo_etl.doctor.findings import Checks, Finding, Verdict
from dimo_etl.errors import WarehouseError
from dimo_etl.lake.signals import write_day
from dimo_etl.lake.store import Store
from dimo_etl.sandbox.server import SandboxServer
from tests.lake.make import DAY, events, fetched

PROJECT = Path(__file__).parents[2]
CANARY = "c0ffee" * 10 + "beef"
NOWHERE = "http://127.0.0.1:9/nowhere"


@pytest.fixture(scope="module")
def sandbox():
    with SandboxServer(port=0, today=date(2026, 1, 15)) as server:
        yield server


class Examined(Mapping[str, Finding]):
    """What an examination found, each made when it is first asked for: the last look takes the longest."""

    def __init__(self, findings: Iterator[Finding]) -> None:
        self._findings = findings
        self._made: dict[str, Finding] = {}

    def _make(self, until: str | None) -> None:
        while until not in self._made and (one := next(self._findings, None)) is not None:
            assert one.name not in self._made
            self._made[one.name] = one

    def __getitem__(self, name: str) -> Finding:
        self._make(name)
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        self._make(None)
        return iter(self._made)

    def __len__(self) -> int:
        return len(list(iter(self)))


class Patient:
    """A folder with everything in order, until something is changed."""

    def __init__(self, folder: Path, environ: dict[str, str]) -> None:
        self.folder = folder
        self.environ = environ | {"DIMO_WAREHOUSE": str(folder / "lake")}
        self.ahead = 0.0
        self.begun: list[Generator[Finding]] = []

    def examined(self, **changes: str) -> Examined:
        self.begun.append(examine(self.environ | changes, self.folder, lambda: time.time() + self.ahead))
        return Examined(self.begun[-1])


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A Dagster home that was used before, as its tables take a second to make."""
    home = tmp_path_factory.mktemp("dagster")
    shutil.copy(PROJECT / "dagster.yaml", home)
    return home


@pytest.fixture
def patient(tmp_path, sandbox, home, monkeypatch):
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    patient = Patient(tmp_path, sandbox.environ)
    yield patient
    for examination in patient.begun:
        examination.close()
    sandbox.faults.clear()


def verdicts(found: Examined, verdict: Verdict) -> set[str]:
    return {name for name, one in found.items() if one.verdict is verdict}


def failed(found: Examined, name: str) -> str:
    assert found[name].verdict is Verdict.FAIL, found[name]
    return found[name].detail


def test_where_all_is_in_order_every_line_is_green(patient):
    found = patient.examined()
    assert verdicts(found, Verdict.OK) == set(found)
    assert SANDBOX_LICENCE["DIMO_CLIENT_ID"] in found["credentials"].detail
    assert "good until" in found["developer token"].detail
    assert found["vehicle 8102"].detail == "Tesla Model 3 2020: all history"
    assert found["vehicle 8816"].detail.startswith("Kia Niro 2019: no location (privilege 4 not granted)")
    assert "views answer; no days yet" in found["duckdb"].detail


def test_nothing_is_made_that_was_not_there(patient):
    assert list(patient.examined())
    assert not (patient.folder / "lake").exists()
    assert list(patient.folder.iterdir()) == []


def test_every_wrong_variable_is_told_and_what_needs_none_is_still_looked_at(patient):
    found = patient.examined(DIMO_CONCURRENCY="many", DIMO_START_DATE="yesterday")
    told = failed(found, "configuration")
    assert "DIMO_CONCURRENCY is 'many'" in told
    assert "DIMO_START_DATE is 'yesterday'" in told
    assert verdicts(found, Verdict.OK) == {"versions", "dagster"}
    assert found["disk"] == Finding("disk", Verdict.SKIPPED, "needs configuration")


def test_the_configuration_says_which_file_gave_which_variable(patient):
    (patient.folder / ".env").write_text("DIMO_START_DATE=2026-01-01\n")
    detail = patient.examined()["configuration"].detail
    assert f"DIMO_START_DATE from {patient.folder / '.env'}" in detail


def test_missing_credentials_are_named_and_the_token_is_skipped(patient):
    found = patient.examined(DIMO_ENVIRONMENT="production", DIMO_API_KEY="", DIMO_DOMAIN="")
    assert failed(found, "credentials") == "No credentials: set DIMO_DOMAIN and DIMO_API_KEY, or a DIMO_ACCESS_TOKEN."
    assert found["developer token"] == Finding("developer token", Verdict.SKIPPED, "needs credentials")
    assert found["vehicle tokens"] == Finding("vehicle tokens", Verdict.SKIPPED, "needs developer token")


@pytest.mark.parametrize(
    ("variable", "wrong", "told"),
    [
        ("DIMO_API_KEY", "0x12", "DIMO_API_KEY is not a private key"),
        ("DIMO_CLIENT_ID", CANARY, "DIMO_CLIENT_ID is not an address"),
    ],
)
def test_credentials_that_cannot_be_what_they_should_be_are_red(patient, variable, wrong, told):
    assert failed(patient.examined(**{variable: wrong}), "credentials").startswith(told)


def test_a_key_of_another_address_is_shown_against_the_licence_and_its_refusal_is_red(patient):
    found = patient.examined(DIMO_API_KEY=f"0x{CANARY}")
    assert "which must be enabled on it" in found["credentials"].detail
    assert "DIMO_API_KEY" in failed(found, "developer token")


def test_an_access_token_that_expired_is_red(patient):
    token = jwt.encode({"iat": 1_700_000_000, "exp": 1_700_003_600}, "k" * 32)
    found = patient.examined(DIMO_ACCESS_TOKEN=token)
    assert failed(found, "credentials") == "DIMO_ACCESS_TOKEN expired 2023-11-14 23:13Z; set a new one."


@pytest.mark.parametrize(("ahead", "words"), [(3600.0, "ahead of"), (-90.0, "behind")])
def test_a_clock_more_than_a_minute_off_is_red(patient, ahead, words):
    patient.ahead = ahead
    told = failed(patient.examined(), "clock")
    assert words in told
    assert told.endswith("set it by network time (NTP).")


def test_a_service_that_is_not_there_is_red_and_what_needs_it_is_skipped(patient):
    found = patient.examined(DIMO_AUTH_URL=NOWHERE)
    assert "check DIMO_AUTH_URL" in failed(found, "authentication service")
    assert verdicts(found, Verdict.SKIPPED) == {"developer token", "vehicle tokens"}
    assert found["clock"].verdict is Verdict.OK


def test_the_listing_of_devices_is_looked_at_where_a_device_is_named(patient, sandbox):
    device = sandbox.fleet.vehicles[0].user_device_id
    assert "devices API" not in patient.examined()
    assert patient.examined(DIMO_VEHICLES=device)["devices API"].verdict is Verdict.OK
    assert patient.examined(DIMO_VEHICLES=device, DIMO_DEVICES_URL=NOWHERE)["devices API"].verdict is Verdict.FAIL


@pytest.mark.parametrize(("source", "name"), [("fetch", "Fetch API"), ("telemetry", "telemetry API")])
def test_the_service_that_history_comes_from_is_looked_at_and_what_each_vehicle_shares_of_it(patient, source, name):
    found = patient.examined(DIMO_SOURCE=source)
    assert found[name].verdict is Verdict.OK
    assert "device data API" not in found
    assert found["vehicle 8102"].detail == "Tesla Model 3 2020: all history"
    variable = f"DIMO_{source.upper()}_URL"
    assert f"check {variable}" in failed(patient.examined(DIMO_SOURCE=source, **{variable: NOWHERE}), name)


def test_a_vehicle_that_shares_too_little_for_raw_events_is_red(patient):
    assert "ask its owner to grant its raw data" in failed(patient.examined(DIMO_SOURCE="fetch"), "vehicle 8816")


def test_a_service_in_trouble_is_red(patient, sandbox):
    sandbox.faults.answer(503, at="/device-data-api")
    assert "answered 503" in failed(patient.examined(), "device data API")


def test_a_vehicle_that_shares_nothing_is_red_and_the_others_are_not(patient):
    found = patient.examined(DIMO_VEHICLES="5023,9001")
    assert "does not share its history with this licence" in failed(found, "vehicle 9001")
    assert found["vehicle 5023"].verdict is Verdict.OK


def test_a_folder_where_no_warehouse_can_be_made_is_red(patient):
    (patient.folder / "file").write_bytes(b"")
    found = patient.examined(DIMO_WAREHOUSE=str(patient.folder / "file"))
    failed(found, "warehouse")
    assert found["duckdb"].verdict is Verdict.SKIPPED


def test_a_warehouse_in_use_is_left_as_it_was_and_answers(patient):
    root = patient.folder / "lake"
    with Store(str(root)) as store:
        fetched(store, events(3))
        write_day(store, DAY)
    found = patient.examined()
    assert found["duckdb"].detail.endswith(f"1 vehicle-days, the newest of {DAY}")
    assert not (root / ".doctor").exists()


def test_a_damaged_day_is_red_by_its_name(patient):
    root = patient.folder / "lake"
    path = root / "signals" / "date=2026-01-05" / "signals.parquet"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"rubbish")
    assert "signals.parquet" in failed(patient.examined(), "duckdb")


def test_a_disk_with_less_room_than_the_largest_day_takes_twice_is_red(patient, monkeypatch):
    root = patient.folder / "lake"
    free = shutil.disk_usage(patient.folder).free
    with Store(str(root)) as store:
        fetched(store, events(3))
    with (root / f"raw/date={DAY}" / "large.parquet").open("wb") as sparse:
        sparse.truncate(free)
    with pytest.raises(WarehouseError, match="are needed; make room, or move DIMO_WAREHOUSE"):
        warehouse.room(str(root))


def test_a_dagster_home_that_is_not_there_or_does_not_load_is_red(patient, tmp_path, monkeypatch):
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    (home / "dagster.yaml").write_text("storage: [")
    assert "check its dagster.yaml" in failed(patient.examined(), "dagster")
    (home / "dagster.yaml").unlink()
    assert "set DAGSTER_HOME" in failed(patient.examined(), "dagster")


def test_no_secret_is_in_any_finding(patient):
    token = jwt.encode({"exp": 4_000_000_000, "canary": CANARY}, "k" * 32)
    everywhere = dict.fromkeys(("DIMO_CLIENT_ID", "DIMO_DOMAIN", "DIMO_API_KEY"), CANARY)
    for changes in (everywhere, {"DIMO_ACCESS_TOKEN": token}, {"DIMO_AUTH_URL": f"https://user:{CANARY}@127.0.0.1/"}):
        for one in patient.examined(**changes).values():
            for secret in (CANARY, token, SANDBOX_LICENCE["DIMO_API_KEY"].removeprefix("0x")):
                assert secret not in one.detail, one


def test_a_check_that_breaks_is_red_without_its_words_and_stops_no_other():
    def broken() -> str:
        raise RuntimeError(Secret(CANARY).reveal())

    checks = Checks()
    assert checks.make("one", broken) == Finding(
        "one", Verdict.FAIL, "The check itself failed (RuntimeError); please report this."
    )
    assert checks.make("two", lambda: "fine").verdict is Verdict.OK
    assert checks.make("three", lambda: "fine", needs=("one", "two")).detail == "needs one"
