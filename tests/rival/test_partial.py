"""Vehicles that cannot be brought: they are named, and stop no other."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from dimo_etl.api.device_data import Draw
from dimo_etl.errors import ServiceDownError, ServiceError
from dimo_etl.history.device_data import DeviceDataSource
from dimo_etl.history.fetch import Fetcher, Outcome
from dimo_etl.history.routes import ByTokenId
from dimo_etl.lake.store import Store
from dimo_etl.model import Vehicle as Known
from dimo_etl.model import Window
from tests.rival.documents import Author, burst, spread, start_of
from tests.rival.oracle import assert_held, held_payloads, on
from tests.rival.server import Rival, Vehicle

DAY = date(2024, 2, 29)


def test_a_failing_a_refused_and_an_impossible_vehicle_are_named_and_the_others_come(user):
    chance, author = random.Random(4), Author(1)
    vehicles = {n: Vehicle(spread(Author(n), DAY, 60, chance)) for n in range(10, 15)}
    vehicles[10].always = 500
    vehicles[11].granted = frozenset({2, 5})
    vehicles[13].add(burst(author, start_of(DAY) + 43_200_000, 5000))
    with Rival(vehicles, concurrency=1) as service:
        ended = user.sync(service.environment | {"DIMO_CONCURRENCY": "1"}, DAY, DAY)
        assert ended.returncode == 3
        assert "2 of 5 vehicle-days complete" in ended.stdout
        assert_held(user.warehouse, service, [DAY], without=[10, 11, 13])
        held = held_payloads(user.warehouse, 13, DAY)
        assert held.items() <= {key: document.payload for key, document in on(vehicles[13], DAY).items()}.items()
    assert f"vehicle 10, {DAY}: 0 of ? events held" in ended.stderr
    assert f"vehicle 11, {DAY}: 0 of ? events held; Vehicle 11 does not share its history" in ended.stderr
    assert f"vehicle 13, {DAY}: {len(held):,} of 5,060 events held" in ended.stderr
    row = user.rows("FROM coverage WHERE vehicle_id = '13'")[0]
    assert (row["expected_events"], row["fetched_events"], row["complete"]) == (5060, len(held), False)


def test_a_fleet_of_one_impossible_day_is_incomplete_and_not_failed(user):
    events = burst(Author(1), start_of(DAY), 4000)
    with Rival({1: Vehicle(events)}) as service:
        assert user.bring(service.environment, [DAY]) == {("1", DAY): Outcome.INCOMPLETE}


class Failing:
    """A history endpoint that fails for some vehicles, at once and always."""

    def __init__(self, *failing: int) -> None:
        self._failing = failing

    def history(self, token_id: int, window: Window, *, refresh: bool = False) -> Draw:
        if token_id in self._failing:
            raise ServiceError("The device data API answered 500.", 6)
        return Draw(window=window, total=0, exact=True, hits=(), requests=1, privileges=(1,), size_bytes=0)


def fetched(folder: Path, source: Failing) -> dict[tuple[str, date], Outcome]:
    days = [DAY + timedelta(days=n) for n in range(7)]
    fleet = [Known(str(token_id), token_id=token_id) for token_id in (1, 2, 3, 4)]
    with Store(str(folder)) as store:
        history = DeviceDataSource([ByTokenId(source)])
        done = Fetcher(store, history, concurrency=1, now=lambda: datetime.now(UTC)).fetch(fleet, days)
    return {(one.coverage.vehicle_id, one.coverage.date): one.outcome for one in done}


def test_two_vehicles_that_always_fail_are_not_taken_for_a_service_that_is_down(tmp_path):
    outcomes = fetched(tmp_path, Failing(1, 2))
    assert {vehicle for (vehicle, _), outcome in outcomes.items() if outcome is Outcome.FAILED} == {"1", "2"}
    assert {vehicle for (vehicle, _), outcome in outcomes.items() if outcome is Outcome.COMPLETE} == {"3", "4"}


def test_a_service_that_fails_for_every_vehicle_is_taken_for_down(tmp_path):
    with pytest.raises(ServiceDownError):
        fetched(tmp_path, Failing(1, 2, 3, 4))
