"""A service at its worst: whatever it does for a while, the same warehouse comes out."""

from __future__ import annotations

import random
from datetime import date

from tests.rival.documents import Author, spread
from tests.rival.oracle import assert_held, on
from tests.rival.server import Fault, Rival, Vehicle

DAY = date(2026, 2, 28)
FAULTS = (
    "401", "429", "500", "502", "503", "reset", "cut", "gzip cut", "slow", "html", "empty", "shards", "timeout", "short"
)  # fmt: skip


def fleet(*totals: int) -> dict[int, Vehicle]:
    chance = random.Random(1)
    return {n + 1: Vehicle(spread(Author(n), DAY, total, chance)) for n, total in enumerate(totals)}


def storm(share: float) -> Fault:
    chance = random.Random(11)
    return lambda number, refresh: chance.choice(FAULTS) if chance.random() < share else None


def test_faults_and_tokens_of_two_seconds_change_nothing(user):
    vehicles = fleet(0, 40, 1500, 6000)
    vehicles[2].granted = frozenset({1, 4})
    with Rival(vehicles, fault=storm(0.4), token_seconds=2) as service:
        ended = user.sync(service.environment, DAY, DAY)
        assert ended.returncode == 0, ended.stderr
        assert_held(user.warehouse, service, [DAY])
        assert service.violations == []


def test_a_partial_answer_that_the_service_keeps_in_its_cache_is_not_believed(user):
    traps = ("shards", "timeout", "short")
    with Rival(fleet(700, 40, 900), fault=lambda number, refresh: None if refresh else traps[number % 3]) as service:
        ended = user.sync(service.environment, DAY, DAY)
        assert ended.returncode == 0, ended.stderr
        assert_held(user.warehouse, service, [DAY])


def test_a_long_list_of_vehicles_is_read_through_a_failing_identity_service(user):
    vehicles = {n: Vehicle([Author(n).write(1_772_236_800_000 + n)]) for n in range(1, 124)}
    with Rival(vehicles, identity_faults=["graphql", "503", "partial"], page=50) as service:
        ended = user.sync(service.environment, DAY, DAY)
        assert "123 of 123 vehicle-days complete" in ended.stdout, ended.stderr
        assert_held(user.warehouse, service, [DAY])


def test_what_came_late_comes_with_refresh_and_what_is_gone_goes(user):
    with Rival(fleet(1200, 500)) as service:
        assert user.sync(service.environment, DAY, DAY).returncode == 0
        service.vehicles[1].add(spread(Author(77), DAY, 30, random.Random(2)))
        service.vehicles[2].documents = service.vehicles[2].documents[100:]
        service.vehicles[2].add([])
        assert user.sync(service.environment, DAY, DAY, "--refresh").returncode == 0
        assert_held(user.warehouse, service, [DAY])
        assert {row["fetched_events"] for row in user.rows("FROM coverage")} == {
            len(on(vehicle, DAY)) for vehicle in service.vehicles.values()
        }
