"""A service at its worst: whatever it does for a while, the same warehouse comes out."""

from __future__ import annotations

import random
import time
from datetime import UTC, date, datetime, timedelta

import pytest

from dimo_etl.history.fetch import Outcome, VehicleDay
from dimo_etl.sandbox.server import SandboxServer
from tests.long import LONG
from tests.rival.documents import Author, spread
from tests.rival.oracle import assert_held, on
from tests.rival.patient import Patient
from tests.rival.server import Fault, Rival, Vehicle
from tests.rival.storm import ASKED_SECONDS, FAULTS, Storm

DAY = date(2026, 2, 28)
HOUR = timedelta(hours=1)
HOURS = "hours of a simulated vehicle brought through faults and crashes"
# With the first, every fault comes to a request that is sent whatever the plan of a day is.
SEEDS = range(11, 51 if LONG else 12)
SPOILED = (
    "401", "429", "500", "502", "503", "reset", "cut", "gzip cut", "slow", "html", "empty", "shards", "timeout", "short"
)  # fmt: skip


def fleet(*totals: int) -> dict[int, Vehicle]:
    chance = random.Random(1)
    return {n + 1: Vehicle(spread(Author(n), DAY, total, chance)) for n, total in enumerate(totals)}


def storm(share: float) -> Fault:
    chance = random.Random(11)
    return lambda number, refresh: chance.choice(SPOILED) if chance.random() < share else None


def assert_complete(done: dict[tuple[str, date], VehicleDay], count: int) -> None:
    assert [one.outcome for one in done.values()] == [Outcome.COMPLETE] * count


def test_faults_and_tokens_that_hardly_live_change_nothing(tmp_path):
    vehicles = fleet(0, 40, 1500, 6000)
    vehicles[2].granted = frozenset({1, 4})
    with Rival(vehicles, fault=storm(0.4), token_seconds=0.3) as service:
        assert_complete(Patient(tmp_path).bring(service.environment, [DAY]), 4)
        assert_held(tmp_path, service, [DAY])
        assert service.calls["exchange"] > len(vehicles)
        assert service.violations == []


def test_a_partial_answer_that_the_service_keeps_in_its_cache_is_not_believed(tmp_path):
    traps = ("shards", "timeout", "short")
    with Rival(fleet(700, 40, 900), fault=lambda number, refresh: None if refresh else traps[number % 3]) as service:
        assert_complete(Patient(tmp_path).bring(service.environment, [DAY]), 3)
        assert_held(tmp_path, service, [DAY])


def test_a_long_list_of_vehicles_is_read_through_a_failing_identity_service(tmp_path):
    vehicles = {n: Vehicle([Author(n).write(1_772_236_800_000 + n)]) for n in range(1, 124)}
    with Rival(vehicles, identity_faults=["graphql", "503", "partial"], page=50) as service:
        assert_complete(Patient(tmp_path).bring(service.environment, [DAY]), 123)
        assert_held(tmp_path, service, [DAY])


def test_what_came_late_comes_with_refresh_and_what_is_gone_goes(user):
    patient = Patient(user.warehouse)
    with Rival(fleet(1200, 500)) as service:
        assert_complete(patient.bring(service.environment, [DAY]), 2)
        service.vehicles[1].add(spread(Author(77), DAY, 30, random.Random(2)))
        service.vehicles[2].documents = service.vehicles[2].documents[100:]
        service.vehicles[2].add([])
        assert_complete(patient.bring(service.environment, [DAY], refresh=True), 2)
        assert_held(user.warehouse, service, [DAY])
        assert {row["fetched_events"] for row in user.rows("FROM coverage WHERE state <> 'never_asked'")} == {
            len(on(vehicle, DAY)) for vehicle in service.vehicles.values()
        }


def test_a_day_that_is_not_over_by_the_services_clock_is_not_proved_and_comes_whole_once_it_is(user):
    now = datetime.now(UTC)
    yesterday = (now - timedelta(days=1)).date()
    an_hour_left = datetime.combine(yesterday, datetime.min.time(), UTC) + 23 * HOUR
    chance = random.Random(1)
    with Rival({1: Vehicle(spread(Author(1), yesterday, 40, chance))}) as service:
        root = service.environment["DIMO_IDENTITY_URL"].removesuffix("/id/")
        with Storm(root, seed=1, times=0, expiring=0, ahead=an_hour_left - now) as behind:
            ended = user.bring(behind.environment(service.environment), [yesterday])
        assert list(ended.values()) == [Outcome.INCOMPLETE]
        [row] = user.rows("FROM coverage WHERE fetched_events > 0")
        assert (row["complete"], row["fetched_events"]) == (False, 40)
        assert row["reason"].startswith("the day was not over yet by the service's clock, of which this machine's is ")
        service.vehicles[1].add(spread(Author(2), yesterday, 30, chance))
        assert list(user.bring(service.environment, [yesterday]).values()) == [Outcome.COMPLETE]
        assert_held(user.warehouse, service, [yesterday])


# A day of few events and one of many, vehicles that share all and only some, in the odd shapes that documents have.
def weathered() -> dict[int, Vehicle]:
    vehicles = fleet(0, 40, 1500, 3000, *range(20))
    vehicles[2].granted = frozenset({1, 4})
    return vehicles


def assert_weathered(storm: Storm, patient: Patient, *faults: str) -> None:
    """Nothing was done that must not be, and what a service asked to wait was waited."""
    assert set(faults) <= set(storm.injected)
    assert storm.violations == []
    asked_to_wait = sum(storm.injected[name] for name in ("429 in seconds", "429 until a date", "503 until a date"))
    waited = [seconds for seconds in patient.waits if seconds > 8]
    # A slow answer moves the client's one clock on, so that what it reads at the same time may come too late to count.
    beside = storm.injected["slow"] * (patient.concurrency - 1)
    assert asked_to_wait - beside <= len(waited) <= asked_to_wait
    assert all(ASKED_SECONDS - 1 <= seconds <= 1.1 * (ASKED_SECONDS + 1) for seconds in waited)
    # The client stops at its bound; what else was sent lay in the buffers of the sockets.
    assert storm.most_endless_bytes < 64 << 20


@pytest.mark.parametrize("seed", SEEDS)
def test_history_through_a_storm_is_that_of_a_calm_day(tmp_path, figures, seed):
    ahead = -HOUR if seed % 2 else HOUR
    rough = Patient(tmp_path / "rough")
    with Rival(weathered(), clock=lambda: time.time() + ahead.total_seconds(), seed=seed) as service:
        root = service.environment["DIMO_IDENTITY_URL"].removesuffix("/id/")
        with Storm(root, seed=seed, ahead=ahead, stall=rough.stall) as storm:
            rough.bring(storm.environment(service.environment), [DAY])
        assert_weathered(storm, rough, *(FAULTS if seed == SEEDS[0] else ()))
        # Where the answer to a login is lost, that it was used up is learnt by asking again.
        assert set(service.violations) <= {"a state was used twice"}
        assert_held(rough.folder, service, [DAY])
        calm = Patient(tmp_path / "calm")
        calm.bring(service.environment, [DAY])
    assert rough.held([DAY]) == calm.held([DAY])
    figures["faults injected between the client and the device data API"] += storm.injected.total()
    figures[HOURS] += 24 * len(service.vehicles)


@pytest.mark.parametrize("source", ["fetch", "telemetry"])
@pytest.mark.parametrize("seed", SEEDS)
def test_other_sources_through_a_storm_are_those_of_a_calm_day(tmp_path, figures, source, seed):
    ahead = HOUR if seed % 2 else -HOUR
    days, some = [DAY], ["5023", "6120"]
    rough, calm = Patient(tmp_path / "rough"), Patient(tmp_path / "calm")
    with SandboxServer(
        port=0, today=DAY + timedelta(days=1), history_days=3, clock=lambda: time.time() + ahead.total_seconds()
    ) as service:
        variables = service.environ | {"DIMO_SOURCE": source}
        root = f"http://127.0.0.1:{service.port}"
        with Storm(root, seed=seed, ahead=ahead, stall=rough.stall) as storm:
            done = rough.bring(storm.environment(variables), days, some)
        wanted = calm.bring(variables, days, some)
    assert_weathered(storm, rough)
    assert {key: one.outcome for key, one in done.items()} == {key: one.outcome for key, one in wanted.items()}
    assert rough.held(days) == calm.held(days)
    figures[f"faults injected between the client and the {source} API"] += storm.injected.total()
    figures[HOURS] += 24 * len(some)


@pytest.mark.skipif(not LONG, reason="the storm has each of them; this tells which one it is that harms")
@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_alone_is_weathered(tmp_path, fault):
    rough = Patient(tmp_path / "rough")
    with Rival(fleet(30)) as service:
        root = service.environment["DIMO_IDENTITY_URL"].removesuffix("/id/")
        with Storm(root, seed=1, times=1, faults=[fault], stall=rough.stall) as storm:
            rough.bring(storm.environment(service.environment), [DAY])
        assert_weathered(storm, rough, fault)
        assert storm.injected[fault] >= 2
        assert_held(rough.folder, service, [DAY])


def test_tokens_that_expire_before_any_request_are_made_anew(tmp_path):
    patient = Patient(tmp_path, concurrency=1)
    with Rival(fleet(40, 1500)) as service:
        root = service.environment["DIMO_IDENTITY_URL"].removesuffix("/id/")
        with Storm(root, seed=1, times=0, expiring=1.0) as storm:
            patient.bring(storm.environment(service.environment), [DAY])
        assert storm.expired >= 4
        assert service.violations == []
        assert_held(tmp_path, service, [DAY])
