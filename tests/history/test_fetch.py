"""Whatever happens to one vehicle-day is in its record and stops no other; a fetch through faults equals a calm one."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from dimo_etl.errors import AuthError, ServiceDownError
from dimo_etl.history.fetch import Outcome
from dimo_etl.lake.raw import find_unit
from dimo_etl.model import Vehicle
from tests.history.conftest import DAYS, NOW

HISTORY = "/device-data-api"
EXCHANGE = "/token-exchange-api"
AUTOPI, SMARTCAR, UNSHARED = (Vehicle(str(token), token_id=token) for token in (4711, 5023, 9001))


def asked(bench) -> int:
    return len(bench.sandbox.requests.below(HISTORY))


def test_every_vehicle_day_is_fetched_and_proved(bench):
    done = bench.fetch()
    assert {one.outcome for one in done.values()} == {Outcome.COMPLETE}
    assert len(done) == len(bench.vehicles) * len(DAYS)
    bench.assert_complete()


def test_the_record_of_a_day_has_the_numbers_of_the_truth(bench):
    done = bench.fetch([AUTOPI])
    for day in DAYS:
        record = done["4711", day].coverage
        truth = bench.truth("4711", day).total()
        assert (record.expected_events, record.fetched_events, record.kept_events) == (truth, truth, truth)
        assert (record.complete, record.reason, record.fetched_at) == (True, None, NOW)
        assert record.received_events == record.kept_events + record.duplicate_events + record.quarantined_events
        assert {1, 4} <= set(record.privileges)


def test_the_requests_of_the_records_are_those_the_service_served(bench):
    before = asked(bench)
    bench.sandbox.faults.answer(503, times=2)
    done = bench.fetch()
    assert sum(one.coverage.requests for one in done.values()) == asked(bench) - before


def test_a_fetch_through_faults_equals_a_calm_one(bench, tmp_path):
    calm = bench.fetch()
    bench.store.close()
    rough_bench = type(bench)(bench.sandbox, type(bench.store)(str(tmp_path / "rough")))
    faults = bench.sandbox.faults
    faults.answer(429, times=3, retry_after="1")
    faults.answer(500, times=3)
    faults.reset(times=3)
    faults.cut(times=2)
    faults.time_out_search(times=3)
    faults.fail_shards(times=2)
    faults.drop_hits(2, times=2)
    faults.answer(502, at=EXCHANGE)

    rough = rough_bench.fetch()

    assert faults.pending == 0
    rough_bench.assert_complete()
    rough_bench.store.close()
    for key, one in calm.items():
        # The path there may differ: requests, windows, and hits drawn twice.
        assert rough[key].outcome is one.outcome
        assert facts(rough[key].coverage) == facts(one.coverage)


def facts(record):
    return msgspec.structs.replace(record, requests=0, windows=0, received_events=0, duplicate_events=0)


def test_tokens_that_expire_on_the_way_are_renewed(bench):
    expired = []

    def expire_once(_) -> None:
        if not expired:
            expired.append(True)
            bench.sandbox.faults.expire_tokens()

    done = bench.fetch(progress=expire_once)
    assert {one.outcome for one in done.values()} == {Outcome.COMPLETE}
    bench.assert_complete()


def test_a_day_the_service_cannot_answer_fails_alone(bench):
    days = [DAYS[0] + timedelta(days=n) for n in range(3)]
    bench.sandbox.faults.break_day(5023, days[1])
    done = bench.fetch([SMARTCAR], days)
    assert [done["5023", day].outcome for day in days] == [Outcome.COMPLETE, Outcome.FAILED, Outcome.COMPLETE]
    record = done["5023", days[1]].coverage
    assert (record.complete, record.expected_events, record.fetched_events) == (False, None, 0)
    assert "answered 500" in record.reason


def test_a_day_that_failed_is_brought_by_the_next_fetch(bench):
    bench.sandbox.faults.break_day(5023, DAYS[1])
    bench.fetch([SMARTCAR])
    bench.sandbox.faults.heal_day(5023, DAYS[1])
    done = bench.fetch([SMARTCAR])
    assert [done["5023", day].outcome for day in DAYS] == [Outcome.ALREADY_COMPLETE, Outcome.COMPLETE]
    bench.assert_complete([SMARTCAR])


def test_complete_days_are_not_asked_for_again(bench):
    bench.fetch()
    before = len(bench.sandbox.requests)
    done = bench.fetch()
    assert {one.outcome for one in done.values()} == {Outcome.ALREADY_COMPLETE}
    assert len(bench.sandbox.requests) == before


def test_a_refresh_asks_for_complete_days_again_past_the_cache(bench):
    bench.fetch([SMARTCAR])
    before = asked(bench)
    done = bench.fetch([SMARTCAR], refresh=True)
    again = bench.sandbox.requests.below(HISTORY)[before:]
    assert {one.outcome for one in done.values()} == {Outcome.COMPLETE}
    assert again
    assert all("refresh=true" in request.query for request in again)


def test_a_vehicle_that_is_not_shared_is_refused_and_stops_no_other(bench):
    done = bench.fetch([UNSHARED, SMARTCAR])
    assert {done["9001", day].outcome for day in DAYS} == {Outcome.REFUSED}
    assert all(done["9001", day].coverage.reason for day in DAYS)
    assert {done["9001", day].coverage.privileges for day in DAYS} == {()}
    bench.assert_complete([SMARTCAR])


def test_a_vehicle_with_neither_name_is_refused_without_asking_for_its_history(bench):
    before = asked(bench)
    name = "somebody"
    done = bench.fetch([Vehicle(name)])
    assert {one.outcome for one in done.values()} == {Outcome.REFUSED}
    assert "neither a token id nor a user device id" in done[name, DAYS[0]].coverage.reason
    assert asked(bench) == before


def test_a_service_that_is_down_is_left_alone_soon(bench):
    bench.sandbox.faults.answer(500, times=10_000)
    before = asked(bench)
    days = [DAYS[0] + timedelta(days=n) for n in range(-20, 2)]
    with pytest.raises(ServiceDownError, match=r"The service is down: .*answered 500"):
        bench.fetch(days=days)
    # Five answers in a row after six tries each, and what three others had under way.
    assert asked(bench) - before <= (5 + 4) * 6


def test_what_was_fetched_before_the_service_went_down_is_kept(bench):
    brought = []

    def break_down(done) -> None:
        brought.append(done.coverage)
        bench.sandbox.faults.answer(500, times=10_000)

    with pytest.raises(ServiceDownError):
        bench.fetch([AUTOPI], [DAYS[0] + timedelta(days=n) for n in range(-8, 2)], progress=break_down)
    kept = [record for record in brought if record.complete]
    assert kept
    for record in kept:
        assert bench.held(record.vehicle_id, record.date) == bench.truth(record.vehicle_id, record.date)


def test_refused_credentials_end_the_fetch(bench):
    bench.sandbox.faults.answer(401, times=10_000, at="/auth")
    with pytest.raises(AuthError):
        bench.fetch()
    assert all(find_unit(bench.store, vehicle.vehicle_id, day) is None for vehicle in bench.vehicles for day in DAYS)


def test_days_with_gaps_between_them_are_fetched_and_the_gaps_are_not(bench):
    days = [DAYS[0], DAYS[0] + timedelta(days=2)]
    done = bench.fetch([SMARTCAR], days)
    assert sorted(day for _, day in done) == days
    assert find_unit(bench.store, "5023", DAYS[1]) is None


def test_a_fetch_leaves_no_scratch_files(bench):
    bench.fetch([AUTOPI, UNSHARED])
    [scratch] = Path(bench.store.root, ".tmp").iterdir()
    assert [path.name for path in scratch.iterdir()] == ["lock"]
