"""One calm day of a mixed fleet: everything is held once, proved, and at a bounded price."""

from __future__ import annotations

import dataclasses
import random
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

import pytest

from dimo_etl.history.fetch import Outcome
from tests.rival.client import User
from tests.rival.documents import DAY_MS, Author, burst, spread, start_of
from tests.rival.oracle import assert_held, assert_tiled, fewest_requests, on
from tests.rival.server import Rival, Vehicle

# The clocks of Europe change on this day; the days here are UTC and do not care.
DAY = date(2026, 3, 29)
TOTALS = (0, 1, 999, 1000, 1001, 1500, 1990, 2500, 9_999, 12_000)
# Whatever a folder may be called.
NAME = 'it\'s "q" ünï 100%25 [ab]*?{c,d} $HOME #x;--'


def fleet() -> dict[int, Vehicle]:
    """Vehicles by total, then those whose events crowd in one second, one millisecond, and at the ends of the day."""
    chance, start = random.Random(7), start_of(DAY)
    vehicles = {4000 + 7 * n: Vehicle(spread(Author(n), DAY, total, chance)) for n, total in enumerate(TOTALS)}
    author = Author(100)
    vehicles[5] = Vehicle(burst(author, start + 5_000, 700, 1000) + spread(author, DAY, 400, chance))
    vehicles[6] = Vehicle(burst(author, start + 7_123, 990))
    vehicles[7] = Vehicle(burst(author, start + DAY_MS - 1, 1200) + spread(author, DAY, 300, chance))
    borders = (start - 1, start, start + DAY_MS - 1, start + DAY_MS)
    vehicles[8] = Vehicle([document for ms in borders for document in burst(author, ms, 700)])
    twice = spread(author, DAY, 400, chance)
    vehicles[2**53] = Vehicle([*twice, *(dataclasses.replace(document, index="replayed") for document in twice[:150])])
    return vehicles


@dataclass(frozen=True, slots=True)
class Story:
    """A sync that has ended."""

    service: Rival
    user: User
    ended: subprocess.CompletedProcess[str]


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    with Rival(fleet(), concurrency=3) as service:
        user = User(tmp_path_factory.mktemp("mix"), NAME)
        variables = service.environment | {"DIMO_CONCURRENCY": "3", "TZ": "Europe/Berlin"}
        yield Story(service, user, user.sync(variables, DAY, DAY))


def test_the_sync_ends_with_zero_and_says_what_it_brought(story):
    events = sum(len(on(vehicle, DAY)) for vehicle in story.service.vehicles.values())
    assert story.ended.returncode == 0, story.ended.stderr
    assert f"15 of 15 vehicle-days complete, {events:,} events" in story.ended.stdout


def test_every_event_is_held_once_as_it_was_sent_and_leaf_by_leaf(story):
    assert_held(story.user.warehouse, story.service, [DAY])


def test_nothing_of_the_days_beside_is_held(story):
    assert {path.name for path in (story.user.warehouse / "raw").iterdir()} == {f"date={DAY}"}


def test_the_protocol_is_kept(story):
    assert story.service.violations == []
    assert story.service.most_at_once > 1


def test_every_vehicle_day_is_tiled_by_windows_that_prove_it(story):
    for token_id in story.service.vehicles:
        assert_tiled(story.service, token_id, DAY)


def test_coverage_says_the_numbers_the_service_has(story):
    held = {
        row["vehicle_id"]: (row["expected_events"], row["fetched_events"], row["received"], row["complete"])
        for row in story.user.rows_told(
            "SELECT *, received_events - duplicate_events - quarantined_events AS received FROM coverage "
            "WHERE state <> 'never_asked'"
        )
    }
    counts = {str(token_id): len(on(vehicle, DAY)) for token_id, vehicle in story.service.vehicles.items()}
    assert held == {vehicle: (count, count, count, True) for vehicle, count in counts.items()}


def test_the_requests_it_took_are_recorded_and_few(story):
    spent = story.user.rows("SELECT sum(requests)::BIGINT AS requests FROM coverage")[0]["requests"]
    assert spent == story.service.history_requests()
    assert spent <= 1.5 * fewest_requests(story.service, [DAY])


def test_a_second_sync_asks_for_no_history(story):
    before = story.service.history_requests()
    again = story.user.bring(story.service.environment, [DAY])
    assert set(again.values()) == {Outcome.ALREADY_COMPLETE}
    assert story.service.history_requests() == before


def test_a_week_of_quiet_vehicles_costs_a_request_each(user):
    week = [DAY + timedelta(days=n) for n in range(7)]
    chance, author = random.Random(3), Author(9)
    quiet = [document for day in week for document in spread(author, day, 100, chance)]
    with Rival({1: Vehicle(quiet), 2: Vehicle([])}) as service:
        assert set(user.bring(service.environment, week).values()) == {Outcome.COMPLETE}
        assert service.history_requests() == 2
        assert_held(user.warehouse, service, week)
