"""`dimo-etl verify`: damage is named, a reader is told what to do, and `--repair` makes the warehouse what it was."""

from __future__ import annotations

import shutil
from datetime import date

import pytest

from dimo_etl.batch import bring_days
from dimo_etl.config import Settings
from dimo_etl.warehouse import Warehouse
from tests.cli.conftest import User

DAYS = [date(2026, 1, 5), date(2026, 1, 6)]
LEXUS = "5023"
ANSWER = "SELECT date, vehicle_id, count(*), bit_xor(hash(s)) FROM signals s GROUP BY ALL ORDER BY ALL"
PROOF = "SELECT date, vehicle_id, expected_events, fetched_events, complete FROM coverage ORDER BY ALL"


@pytest.fixture(scope="module")
def brought(tmp_path_factory, sandbox):
    user = User(tmp_path_factory.mktemp("brought"), sandbox.environ)
    settings = Settings.from_environment(user.environ | {"DIMO_VEHICLES": LEXUS})
    bring_days(settings, DAYS, done=lambda day: None)
    return user


@pytest.fixture
def household(brought, tmp_path, sandbox):
    user = User(tmp_path, sandbox.environ)
    shutil.copytree(brought.warehouse, user.warehouse)
    return user


def answer(user: User) -> list[list[tuple[object, ...]]]:
    with Warehouse.open(user.warehouse) as warehouse:
        return [warehouse.execute(query).fetchall() for query in (ANSWER, PROOF)]


def damage(user: User, name: str) -> None:
    path = user.warehouse / name
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 1
    path.write_bytes(content)


def test_damaged_days_are_named_and_repaired_from_raw_and_from_the_service(household):
    before = answer(household)
    assert household.run("verify").returncode == 0
    raw, signals = "raw/date=2026-01-05/5023.parquet", "signals/date=2026-01-06/signals.parquet"
    damage(household, raw)
    (household.warehouse / signals).write_bytes((household.warehouse / signals).read_bytes()[:-1])

    asked = household.run("sql", "SELECT sum(hash(s)) FROM signals s")
    assert asked.returncode == 1
    assert asked.stderr.count("\n") == 1
    assert signals in asked.stderr
    assert "dimo-etl verify --repair" in asked.stderr

    told = household.run("verify")
    assert told.returncode == 1
    assert f"Damaged: {raw}: " in told.stderr
    assert f"Damaged: {signals}: " in told.stderr

    told = household.run("verify", "--repair")
    assert told.returncode == 0, told.stderr
    assert f"Repaired: {raw}: it was brought again; the damaged file is now damaged/{raw}." in told.stdout
    assert f"Repaired: {signals}: it was made again from its raw units." in told.stdout
    assert household.run("verify").returncode == 0
    assert answer(household) == before


def test_a_day_that_the_service_does_not_give_again_stays_as_it_is(household, sandbox):
    known = answer(household)
    raw = "raw/date=2026-01-05/5023.parquet"
    damage(household, raw)
    before = (household.warehouse / raw).read_bytes()
    told = household.run("verify", "--repair", DIMO_VEHICLES="7345")
    assert told.returncode == 1
    assert f"Not repaired: {raw}: it cannot be brought again: " in told.stderr
    assert (household.warehouse / raw).read_bytes() == before
    assert answer(household) == known


def test_a_folder_without_a_warehouse_is_told_in_a_sentence(offline):
    told = offline.run("verify")
    assert told.returncode == 1
    assert told.stderr.startswith("Error: There is no warehouse at ")
