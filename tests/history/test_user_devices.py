"""History by user device id: whole days only, complete where the distinct events equal the total, honest where not."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from urllib.parse import parse_qs

import pytest

from dimo_etl.history.complete import CompleteHistory, Reach
from dimo_etl.history.fetch import Outcome
from dimo_etl.model import DAY_MS, Vehicle
from tests.history.service import DAY, START, AtOnce, Service, Stored, evenly

AUTOPI = 4711
# Of the dense car: 641 and 95 events, then one day a little over the cap, and one far over it.
QUIET_DAYS = [date(2026, 1, 10), date(2026, 1, 11)]
FULL_DAY, CROWDED_DAY = date(2026, 1, 4), date(2026, 1, 3)
ADVICE = "ask for it otherwise"


def by_device(bench, token_id: int = AUTOPI) -> Vehicle:
    """A vehicle of which only its user device id is known."""
    device = bench.sandbox.fleet.vehicle(token_id).user_device_id
    return Vehicle(device, user_device_id=device)


def spans(bench, vehicle: Vehicle, before: int) -> list[tuple[str, str]]:
    """The first and last day of each request for a device's history."""
    path = f"/device-data-api/v1/user/device-data/{vehicle.user_device_id}/historical"
    queries = [parse_qs(request.query) for request in bench.sandbox.requests[before:] if request.path == path]
    return [(query["startDate"][0], query["endDate"][0]) for query in queries]


def pieces_of(service: Service, days: int = 1):
    history = CompleteHistory(service, AtOnce(), reach=Reach(whole_days=True, advice=ADVICE))
    return list(history.pieces([DAY + timedelta(days=n) for n in range(days)]))


def test_a_device_that_was_never_minted_is_complete_by_its_user_device_id(bench):
    device = bench.sandbox.fleet.unminted
    vehicle = Vehicle(device.user_device_id, user_device_id=device.user_device_id)

    done = bench.fetch([vehicle], QUIET_DAYS)

    for day in QUIET_DAYS:
        truth = Counter(str(event["id"]) for event in bench.sandbox.fleet.reachable(device.token_id, day))
        assert done[vehicle.vehicle_id, day].outcome is Outcome.COMPLETE
        assert bench.held(vehicle.vehicle_id, day) == truth
        assert done[vehicle.vehicle_id, day].coverage.privileges is None


def test_days_that_fit_one_answer_take_one_request(bench):
    vehicle, before = by_device(bench), len(bench.sandbox.requests)

    done = bench.fetch([vehicle], QUIET_DAYS)

    assert {one.outcome for one in done.values()} == {Outcome.COMPLETE}
    assert spans(bench, vehicle, before) == [("2026-01-10", "2026-01-11")]


def test_a_day_a_little_over_the_cap_is_drawn_again_until_every_event_came(fresh_bench):
    bench, vehicle = fresh_bench, by_device(fresh_bench)

    done = bench.fetch([vehicle], [FULL_DAY])[vehicle.vehicle_id, FULL_DAY]

    truth = bench.truth(str(AUTOPI), FULL_DAY)
    assert done.outcome is Outcome.COMPLETE
    assert bench.held(vehicle.vehicle_id, FULL_DAY) == truth
    assert (done.coverage.expected_events, done.coverage.fetched_events) == (truth.total(), truth.total())
    assert 2 < len(spans(bench, vehicle, 0)) == done.coverage.requests <= 31


def test_a_day_far_over_the_cap_is_incomplete_with_both_numbers_and_what_helps(bench):
    vehicle = by_device(bench)

    done = bench.fetch([vehicle], [CROWDED_DAY])[vehicle.vehicle_id, CROWDED_DAY]

    record = done.coverage
    held = bench.held(vehicle.vehicle_id, CROWDED_DAY)
    assert (done.outcome, record.complete) == (Outcome.INCOMPLETE, False)
    assert record.expected_events == bench.truth(str(AUTOPI), CROWDED_DAY).total()
    assert 1000 < record.fetched_events == held.total() < record.expected_events
    assert max(held.values()) == 1
    assert f"{record.expected_events} events in the day" in record.reason
    assert "name the vehicle by its token id, or import its export" in record.reason
    assert record.requests <= 31


def test_a_crowded_day_costs_its_neighbours_nothing(fresh_bench):
    vehicle = by_device(fresh_bench)

    done = fresh_bench.fetch([vehicle], [CROWDED_DAY, FULL_DAY])

    assert done[vehicle.vehicle_id, CROWDED_DAY].outcome is Outcome.INCOMPLETE
    assert done[vehicle.vehicle_id, FULL_DAY].outcome is Outcome.COMPLETE


def test_a_vehicle_with_both_names_is_asked_for_by_its_token_id(bench):
    device = bench.sandbox.fleet.vehicle(AUTOPI).user_device_id
    vehicle, before = Vehicle(str(AUTOPI), token_id=AUTOPI, user_device_id=device), len(bench.sandbox.requests)

    done = bench.fetch([vehicle], [FULL_DAY])

    assert done[vehicle.vehicle_id, FULL_DAY].outcome is Outcome.COMPLETE
    assert spans(bench, vehicle, before) == []


def test_a_device_of_somebody_else_is_refused_in_its_record(bench):
    vehicle = by_device(bench, 9001)

    done = bench.fetch([vehicle], QUIET_DAYS)

    assert {one.outcome for one in done.values()} == {Outcome.REFUSED}
    assert "only the account that owns a device" in done[vehicle.vehicle_id, QUIET_DAYS[0]].coverage.reason


@pytest.mark.parametrize("sizes", [(300, 300, 300), (900, 900, 900), (20, 0, 980, 3), (5000, 5, 5, 1400, 5)])
def test_windows_are_cut_at_midnights_alone(sizes):
    events = [event for n, size in enumerate(sizes) for event in evenly(size, START + n * DAY_MS, DAY_MS, seed=n)]
    service = Service(events)

    pieces_of(service, len(sizes))

    for window in service.asked:
        assert (window.start_ms % DAY_MS, (window.end_ms + 1) % DAY_MS) == (0, 0)


def test_every_day_under_the_cap_is_complete_whatever_its_neighbours_hold():
    sizes = (5000, 40, 990, 1300, 0, 700)
    events = [event for n, size in enumerate(sizes) for event in evenly(size, START + n * DAY_MS, DAY_MS, seed=n)]

    pieces = pieces_of(Service(events), len(sizes))

    incomplete = [piece for piece in pieces if piece.reason]
    assert [piece.window.start_ms for piece in incomplete] == [START] or incomplete == []
    held = Counter(event.event_id for piece in pieces if not piece.reason for event in piece.events)
    assert held >= Counter(event.doc_id for event in events if event.time_ms >= START + DAY_MS)


def test_a_day_of_more_events_than_the_service_counts_says_at_least():
    [piece] = pieces_of(Service(evenly(12_000, START, DAY_MS)))

    assert piece.reason.startswith(f"at least {piece.expected} events in the day")
    assert piece.reason.endswith(ADVICE)
    assert piece.expected >= len(piece.events) > 1_000


def test_draws_that_cannot_bring_the_rest_are_not_spent():
    # The draw's bias keeps events of one field out for good, however often it is repeated.
    crowd = [Stored(START + n, f"two{n}", matches=2) for n in range(3_000)]
    service = Service(crowd + [Stored(START + n, f"one{n}") for n in range(900)])

    [piece] = pieces_of(service)

    assert piece.reason is not None
    assert len(service.asked) < 25


def test_events_that_come_while_a_day_is_drawn_again_are_held_too():
    late = [Stored(START + n, f"late{n}") for n in range(5)]
    service = Service(evenly(1_100, START, DAY_MS), arrivals={2: late})

    [piece] = pieces_of(service)

    assert (piece.reason, piece.expected) == (None, 1_105)
