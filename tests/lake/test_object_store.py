"""A warehouse in an object store: the whole path over a real S3 server, and what comes of several machines at once."""

from __future__ import annotations

import json
import logging
import tempfile
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import httpx
import pytest
from moto.moto_server.threaded_moto_server import ThreadedMotoServer
from typer.testing import CliRunner

from dimo_etl.batch import fetch_days
from dimo_etl.cli.application import add_commands, app
from dimo_etl.config import Settings
from dimo_etl.errors import ConfigError, QueryError, WarehouseError
from dimo_etl.history.fetch import Outcome
from dimo_etl.lake import layout
from dimo_etl.lake.bucket import BucketStore
from dimo_etl.lake.signals import write_day
from dimo_etl.lake.stores import open_store
from dimo_etl.lake.verify import verify
from dimo_etl.model import Event
from dimo_etl.sandbox.server import SandboxServer
from dimo_etl.warehouse import Warehouse
from dimo_etl.warehouse.publish import publish
from tests.cli.conftest import User
from tests.lake.make import DAY, START_US, day_bytes, events, fetched, quarantined
from tests.signals import write_signals

DAYS = [date(2026, 1, 12), date(2026, 1, 13)]
VEHICLE = "5023"
SECRET = "hushhushhush"
CUT = Event("cut", START_US, b"{cut off")
NAME = layout.raw_file("4711", DAY)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    running = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    yield f"{host}:{port}"
    running.stop()


@pytest.fixture
def bucket(server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of an empty bucket's folder."""
    for name, value in credentials().items():
        monkeypatch.setenv(name, value)
    httpx.post(f"http://{server}/moto-api/reset")
    httpx.put(f"http://{server}/lake")
    return address(server)


def credentials() -> dict[str, str]:
    return {"AWS_ACCESS_KEY_ID": "AKIAHUSH", "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_EC2_METADATA_DISABLED": "true"}


def address(server: str, name: str = "lake/fleet") -> str:
    return f"s3://{name}?endpoint_override={server}&scheme=http&region=us-east-1"


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., BucketStore]:
    """Opens a warehouse as another machine would: with a temporary folder of its own, so with other locks."""
    opened: list[BucketStore] = []

    def open_on(name: str, root: str, kind: type[BucketStore] = BucketStore) -> BucketStore:
        (tmp_path / name).mkdir()
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / name))
        opened.append(kind(root))
        return opened[-1]

    yield open_on
    for store in opened:
        store.close()


@pytest.fixture(scope="module")
def sandbox() -> Iterator[SandboxServer]:
    with SandboxServer(port=0, today=date(2026, 1, 15), history_days=20) as running:
        yield running


def bring(sandbox: SandboxServer, root: str) -> int:
    """Two days of a vehicle, as a run brings them; returns the requests for history."""
    settings = Settings.from_environment(sandbox.environ | {"DIMO_WAREHOUSE": root, "DIMO_VEHICLES": VEHICLE})
    batch = fetch_days(settings, DAYS)
    for day in DAYS:
        write_signals(settings, day)
    publish(root)
    done = [one for day in batch.days for one in day.vehicle_days]
    assert all(one.outcome in (Outcome.COMPLETE, Outcome.ALREADY_COMPLETE) for one in done)
    return sum(one.coverage.requests for one in done if one.outcome is Outcome.COMPLETE)


def answers(root: str) -> list[list[tuple]]:
    queries = (
        "SELECT date, name, count(*), min(timestamp), sum(value_number) FROM signals GROUP BY ALL ORDER BY ALL",
        "SELECT vehicle_id, date, expected_events, fetched_events, complete FROM coverage ORDER BY ALL",
        "FROM distance_daily ORDER BY ALL",
        "SELECT vehicle_id, name, value_number FROM latest ORDER BY ALL",
        "SELECT vehicle_id, make, model FROM vehicles ORDER BY ALL",
    )
    with Warehouse.open(root) as warehouse:
        return [warehouse.execute(query).fetchall() for query in queries]


def test_a_bucket_answers_as_a_folder_does_is_sound_and_is_not_asked_for_twice(bucket, sandbox, tmp_path):
    folder = str(tmp_path / "lake")
    bring(sandbox, folder)
    assert bring(sandbox, bucket) > 0
    assert answers(bucket) == answers(folder)
    assert bring(sandbox, bucket) == 0
    with open_store(bucket) as store, open_store(folder) as local:
        for day in DAYS:
            name = layout.signals_file(day)
            assert len(store.read(name)) == local.size_of(f"signals/date={day}")
        found = list(verify(store))
        assert found
        assert not [one for one in found if one.wrong]


def test_a_run_and_the_commands_work_on_a_bucket(bucket, sandbox, tmp_path, monkeypatch):
    user = User(tmp_path, sandbox.environ | credentials() | {"DIMO_WAREHOUSE": bucket, "DIMO_VEHICLES": VEHICLE})
    done = user.run("sync", "--from", DAYS[0], "--to", DAYS[0])
    assert done.returncode == 0, done.stderr
    (tmp_path / "saved.json").write_text(
        '{"subject": "5023", "id": "mine", "data": {"timestamp": "2026-01-12T08:00:00Z"}}'
    )
    commands = ("snapshot", "distances", "import", "verify", "status", "sql")
    add_commands(commands)
    for name, value in user.environ.items():
        monkeypatch.setenv(name, value)
    for line in ("snapshot", "distances", f"import --vehicle {VEHICLE} {tmp_path}/saved.json", "verify", "status"):
        told = CliRunner().invoke(app, line.split(), catch_exceptions=False)
        assert told.exit_code == 0, told.output
    assert VEHICLE in told.output
    counted = "SELECT (SELECT count(*) FROM snapshots), (SELECT count(*) FROM dimo_distances), max(imported_events)"
    told = CliRunner().invoke(app, ["sql", "--format", "json", f"{counted} FROM coverage WHERE complete"])
    assert all(count > 0 for count in json.loads(told.output)[0].values())
    assert not list(tmp_path.glob("s3:*"))


def test_a_query_reads_nothing_of_the_bucket_but_the_views(bucket):
    with open_store(bucket) as store:
        fetched(store, events(3))
        write_day(store, DAY)
        raw = f"{store.root}/{layout.raw_file('4711', DAY)}"
    with Warehouse.open(bucket) as warehouse, pytest.raises(QueryError, match="file system operations are disabled"):
        warehouse.execute(f"FROM read_parquet('{raw}')")


def test_a_file_is_replaced_whole_and_taken_away(bucket):
    with open_store(bucket) as store:
        assert store.names("raw") == []
        for content in (b"old", b"new"):
            staged = store.stage()
            staged.write_bytes(content)
            store.publish(staged, NAME)
            assert store.read(NAME) == content
        assert not staged.exists()
        assert store.names(layout.raw_folder(DAY)) == ["4711.parquet"]
        assert store.read(store.set_aside(NAME)) == b"new"
        store.put_back(NAME)
        store.remove(NAME)
        store.remove(NAME)
        assert not store.exists(NAME)


class Overtaken(BucketStore):
    """A machine that another one overtakes just before its day file is put in place."""

    meanwhile: Callable[[], None] | None = None

    def publish(self, staged: Path, name: str) -> None:
        act, self.meanwhile = (self.meanwhile, None) if name == layout.signals_file(DAY) else (None, self.meanwhile)
        if act is not None:
            act()
        super().publish(staged, name)


def test_two_machines_that_write_one_day_end_with_the_events_of_both(bucket, machine, tmp_path):
    here, there = machine("here", bucket, Overtaken), machine("there", bucket)

    def other_machine() -> None:
        fetched(there, [*events(5, first=100), CUT], "5023")
        write_day(there, DAY)

    here.meanwhile = other_machine
    fetched(here, events(5), "4711")
    written = write_day(here, DAY)
    assert [record.vehicle_id for record in written.coverage] == ["4711", "5023"]
    with open_store(str(tmp_path / "lake")) as store:
        fetched(store, events(5), "4711")
        fetched(store, [*events(5, first=100), CUT], "5023")
        write_day(store, DAY)
        assert day_bytes(here) == day_bytes(store)
        assert quarantined(here) == quarantined(store) != []


def test_a_bucket_that_is_not_there_cannot_be_reached_or_refuses_is_told_in_a_sentence(bucket, server):
    sentence = r"^Cannot .* the warehouse s3://\S+ \([a-z ]+\); check the address, .* then run again\.$"
    told = []
    for root in (address(server, "elsewhere/fleet"), address("127.0.0.1:1")):
        with pytest.raises(WarehouseError, match=sentence) as failed, open_store(root) as store:
            fetched(store, events(1))
        told.append(str(failed.value))
    with open_store(bucket) as store:
        fetched(store, events(3))
        write_day(store, DAY)
    opened = Warehouse.open(bucket)
    httpx.post(f"http://{server}/moto-api/reset-auth", content=b"0")
    try:
        with pytest.raises(WarehouseError, match=sentence) as failed, opened:
            opened.execute("FROM signals").fetchall()
        told.append(str(failed.value))
        with pytest.raises(WarehouseError, match=sentence) as failed:
            Warehouse.open(bucket)
        told.append(str(failed.value))
        with pytest.raises(WarehouseError, match=sentence) as failed, open_store(bucket) as store:
            write_day(store, DAY)
        told.append(str(failed.value))
    finally:
        httpx.post(f"http://{server}/moto-api/reset-auth", content=b"inf")
    assert not [text for text in told if "hush" in text.lower() or "AKIA" in text]


def test_what_an_address_says_beyond_what_is_known_is_refused_without_repeating_it():
    with pytest.raises(ConfigError, match="after its") as refused:
        open_store(f"s3://bucket/lake?token={SECRET}")
    assert SECRET not in str(refused.value)
