"""A vehicle is one vehicle under either of its names: in what is asked for, held and imported."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest

from dimo_etl.batch import fetch_days, remember_vehicles
from dimo_etl.config import Settings
from dimo_etl.connection import Connection
from dimo_etl.errors import InputError
from dimo_etl.history.fetch import Outcome
from dimo_etl.lake.raw import find_unit
from dimo_etl.lake.store import Store
from dimo_etl.lake.vehicles import known_vehicles
from dimo_etl.model import Vehicle
from dimo_etl.sandbox.server import SandboxServer
from dimo_etl.warehouse import Warehouse
from dimo_etl.warehouse.publish import publish
from tests.cli.conftest import User
from tests.lake.make import DAY as OTHER_DAY
from tests.lake.make import events, imported
from tests.signals import write_signals

DAY = date(2026, 1, 11)
LISTING = "/devices-api"


@pytest.fixture(scope="module")
def running():
    with SandboxServer(port=0, seed=1, today=date(2026, 1, 15), history_days=20) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running):
    yield running
    running.faults.clear()


@pytest.fixture
def device(sandbox) -> str:
    """The user device id of vehicle 4711."""
    return sandbox.fleet.vehicle(4711).user_device_id


@pytest.fixture
def unminted(sandbox) -> str:
    return sandbox.fleet.unminted.user_device_id


@pytest.fixture
def settings(sandbox, tmp_path: Path):
    def make(*vehicles: str, **more: str) -> Settings:
        environ = {"DIMO_WAREHOUSE": str(tmp_path / "lake"), "DIMO_VEHICLES": ",".join(vehicles)}
        return Settings.from_environment(sandbox.environ | environ | more)

    return make


def vehicles(settings: Settings, only: tuple[str, ...] = ()) -> list[Vehicle]:
    with Store(settings.warehouse) as store, Connection(settings, known_vehicles(store)) as connection:
        return connection.vehicles(only)


def known(settings: Settings) -> dict[str, Vehicle]:
    with Store(settings.warehouse) as store:
        return {one.vehicle.vehicle_id: one.vehicle for one in known_vehicles(store)}


def test_a_device_id_that_has_a_token_id_names_the_token_ids_vehicle(settings, device):
    assert vehicles(settings(device)) == [Vehicle("4711", token_id=4711, user_device_id=device)]


def test_both_names_of_a_vehicle_name_it_once(settings, device):
    assert [vehicle.vehicle_id for vehicle in vehicles(settings("4711", device))] == ["4711"]


def test_a_device_that_was_never_minted_keeps_its_name(settings, unminted):
    assert vehicles(settings(unminted)) == [Vehicle(unminted, user_device_id=unminted)]


def test_the_devices_are_listed_only_where_a_device_is_named_that_is_not_known(settings, sandbox, device):
    before = len(sandbox.requests.below(LISTING))
    vehicles(settings())
    vehicles(settings("4711"))
    assert len(sandbox.requests.below(LISTING)) == before

    fetch_days(settings(device), [DAY])
    asked = len(sandbox.requests.below(LISTING))
    assert vehicles(settings(device))[0].vehicle_id == "4711"
    assert (asked - before, len(sandbox.requests.below(LISTING)) - asked) == (1, 0)


def test_without_a_listing_a_device_is_asked_for_by_the_name_it_was_given(settings, sandbox, device, caplog):
    sandbox.faults.answer(404, times=9, at=LISTING)

    assert vehicles(settings(device)) == [Vehicle(device, user_device_id=device)]
    assert "Which token ids the user device ids stand for is not known" in caplog.text


def test_a_shared_vehicle_can_be_chosen_by_its_device_id(settings, device):
    assert [vehicle.vehicle_id for vehicle in vehicles(settings(), (device, "5023", "4711"))] == ["4711", "5023"]


def test_a_device_of_the_account_can_be_chosen_though_nobody_shares_it(settings, unminted):
    assert vehicles(settings(), (unminted,)) == [Vehicle(unminted, user_device_id=unminted)]


@pytest.mark.parametrize("name", ["9001", "2" * 27])
def test_a_vehicle_that_nobody_shares_cannot_be_chosen(settings, name):
    with pytest.raises(InputError, match=f"Vehicle {name} is not among those shared"):
        vehicles(settings(), (name,))


def test_days_of_a_device_with_a_token_id_are_held_under_the_token_id(settings, sandbox, device):
    chosen = settings(device)

    [day] = fetch_days(chosen, [DAY]).days

    assert [(done.coverage.vehicle_id, done.outcome) for done in day.vehicle_days] == [("4711", Outcome.COMPLETE)]
    assert known(chosen)["4711"].user_device_id == device
    assert not [one for one in sandbox.requests if one.path.endswith("/historical")]


def test_the_events_of_a_vehicle_tell_its_device_id(settings, sandbox):
    chosen = settings("5023")

    fetch_days(chosen, [DAY])

    assert known(chosen)["5023"].user_device_id == sandbox.fleet.vehicle(5023).user_device_id


def test_what_was_imported_under_the_device_id_moves_once_a_fetch_tells_the_mapping(settings, sandbox):
    chosen, device = settings("5023"), sandbox.fleet.vehicle(5023).user_device_id
    with Store(chosen.warehouse) as store:
        imported(store, events(4), device)
    write_signals(chosen, OTHER_DAY)

    fetch_days(chosen, [DAY])

    with Store(chosen.warehouse) as store:
        assert find_unit(store, device, OTHER_DAY) is None
        assert find_unit(store, "5023", OTHER_DAY).coverage.imported_events == 4
    write_signals(chosen, DAY)
    publish(Path(chosen.warehouse))
    with Warehouse.open(Path(chosen.warehouse)) as warehouse:
        assert {
            row["vehicle_id"] for row in warehouse.arrow("FROM coverage WHERE state <> 'never_asked'").to_pylist()
        } == {"5023"}
        assert [row["vehicle_id"] for row in warehouse.arrow("FROM vehicles").to_pylist()] == ["5023"]


def test_the_vehicles_asset_remembers_the_mapping_of_a_device_that_is_named(settings, device, unminted):
    chosen = settings(device, unminted)

    remember_vehicles(chosen)

    assert {name: one.user_device_id for name, one in known(chosen).items()} == {"4711": device, unminted: unminted}
    assert known(chosen)["4711"].make == "Ford"


def test_a_device_that_nobody_lists_is_not_said_to_be_shared_no_longer(settings, unminted):
    chosen = settings(unminted)

    remember_vehicles(chosen)

    with Store(chosen.warehouse) as store:
        [one] = known_vehicles(store)
    assert one.sharing.shared_now is None


def test_an_export_that_names_a_token_id_only_later_is_of_one_vehicle(settings, sandbox, tmp_path):
    device = sandbox.fleet.vehicle(5023).user_device_id
    documents = sandbox.fleet.events(5023, DAY)
    for early in documents[: len(documents) // 2]:
        del early["vehicleTokenId"]
    export = tmp_path / "export.json"
    export.write_text(
        json.dumps({"userDeviceId": device, "requestTimestamp": "2026-01-15T00:00:00Z", "data": documents})
    )
    user = User(tmp_path, sandbox.environ)

    answer = user.run("import", export)

    assert answer.returncode == 0
    assert user.answer("SELECT vehicle_id, imported_events FROM coverage WHERE state <> 'never_asked'") == [
        f"5023,{len(documents)}"
    ]


def test_a_file_that_names_a_known_device_is_of_its_vehicle(settings, sandbox, tmp_path):
    user, device = User(tmp_path, sandbox.environ), sandbox.fleet.vehicle(5023).user_device_id
    fetch_days(settings("5023", DIMO_WAREHOUSE=str(user.warehouse)), [DAY])
    saved = tmp_path / "saved.ndjson"
    saved.write_text(json.dumps({"id": "late", "subject": device, "time": f"{DAY}T10:00:00Z", "data": {"speed": 3}}))

    user.run("import", saved)

    assert user.answer("SELECT vehicle_id, complete, imported_events FROM coverage WHERE state <> 'never_asked'") == [
        "5023,true,1"
    ]
