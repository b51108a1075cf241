"""Every event of any distribution is held exactly once, or the day is honestly incomplete with both numbers."""

from __future__ import annotations

import dataclasses
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dimo_etl.api.device_data import Draw
from dimo_etl.errors import AuthError, ServiceError
from dimo_etl.history.complete import CompleteHistory, Piece
from dimo_etl.model import DAY_MS, Window, day_window
from tests.history.service import DAY, HOUR, SECOND, START, AtOnce, Service, Stored, evenly, uneven_day
from tests.long import cases

END = START + DAY_MS - 1
NIGHT = START + 3 * HOUR


def pieces_of(service, days: int = 1) -> list[Piece]:
    return list(CompleteHistory(service, AtOnce()).pieces([DAY + timedelta(days=n) for n in range(days)]))


def held(pieces: list[Piece]) -> Counter[str]:
    return Counter(event.event_id for piece in pieces for event in piece.events)


def documents(service: Service) -> Counter[str]:
    return Counter(event.doc_id for event in service.events)


def assert_tiled(pieces: list[Piece], days: int = 1) -> None:
    """Each piece begins where the one before ended; one that only states a shortfall lies in what is passed."""
    reached = START
    for piece in pieces:
        if not piece.events and piece.reason and piece.window.end_ms < reached:
            continue
        assert piece.window.start_ms == reached
        reached = piece.window.end_ms + 1
    assert reached == START + days * DAY_MS


def assert_honest(service: Service, pieces: list[Piece], days: int = 1) -> None:
    """Nothing twice, nothing invented; what is missing lies in a piece that says so with both numbers."""
    assert_tiled(pieces, days)
    got, there = held(pieces), documents(service)
    assert not got - there
    missing = [event for event in service.events if got[event.doc_id] < there[event.doc_id]]
    for piece in pieces:
        if piece.reason is None:
            assert piece.expected == len(piece.events)
            assert not [one for one in missing if piece.window.start_ms <= one.time_ms <= piece.window.end_ms]
    unproved = [piece for piece in pieces if piece.reason is not None]
    for event in missing:
        assert any(piece.window.start_ms <= event.time_ms <= piece.window.end_ms for piece in unproved)
    if missing and all(piece.expected is not None for piece in pieces):
        assert sum(piece.expected or 0 for piece in pieces) > sum(got.values())


def assert_complete(service: Service, pieces: list[Piece], days: int = 1) -> None:
    assert [piece.reason for piece in pieces if piece.reason] == []
    assert_tiled(pieces, days)
    assert held(pieces) == documents(service)


@st.composite
def bursts(draw, days: int = 1, most: int = 2_500, in_one_ms: int = 1_000) -> list[Stored]:
    """Events of some days in up to five bursts, from one millisecond to a whole day wide, at either end or anywhere."""
    end = START + days * DAY_MS
    events: list[Stored] = []
    for number in range(draw(st.integers(0, 5))):
        span = draw(st.sampled_from([1, 2, 7, SECOND, 60 * SECOND, HOUR, DAY_MS]))
        start = draw(st.one_of(st.just(START), st.just(end - span), st.integers(START, end - span)))
        count = draw(st.one_of(st.integers(0, 20), st.integers(0, most)))
        matches = draw(st.sampled_from([1, 2]))
        made = evenly(min(count, in_one_ms * span // 4), start, span, seed=number, matches=matches, label=str(number))
        events += made
    crowded = Counter(event.time_ms for event in events)
    return [event for event in events if crowded[event.time_ms] <= in_one_ms]


slow = settings(
    max_examples=cases(80), deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


@slow
@given(bursts(), st.integers(0, 3))
def test_every_event_of_any_day_is_held_exactly_once(events, seed):
    service = Service(events, seed=seed)
    assert_complete(service, pieces_of(service))


@slow
@given(bursts(days=5), st.integers(0, 3))
def test_every_event_of_consecutive_days_is_held_exactly_once(events, seed):
    service = Service(events, seed=seed)
    assert_complete(service, pieces_of(service, days=5), days=5)


@slow
@given(bursts(most=800), st.sampled_from([10, 100, 999]))
def test_a_service_with_a_smaller_cap_is_asked_for_smaller_windows(events, cap):
    crowded = Counter(event.time_ms for event in events)
    service = Service([event for event in events if crowded[event.time_ms] <= cap // 2], cap=cap)
    pieces = pieces_of(service)
    assert_honest(service, pieces)


@slow
@given(bursts(most=1_500), st.lists(st.integers(START, END), max_size=30), st.integers(0, 6))
def test_events_that_arrive_between_requests_never_hide_those_that_were_there(events, late, request):
    there = Counter(event.doc_id for event in events)
    arriving = [Stored(time, f"late-{n}") for n, time in enumerate(late)]
    service = Service(events, arrivals={request: arriving})
    pieces = pieces_of(service)
    assert_tiled(pieces)
    got = held(pieces)
    assert not got - documents(service)
    assert not there - got


@slow
@given(bursts(most=1_500), st.sets(st.integers(0, 30), max_size=6), st.integers(1, 400))
def test_an_answer_with_hits_missing_is_asked_again_until_they_came(events, spoiled, missing):
    def spoil(number: int, draw: Draw) -> Draw:
        return dataclasses.replace(draw, hits=draw.hits[missing:]) if number in spoiled else draw

    service = Service(events, spoil=spoil)
    assert_honest(service, pieces_of(service))


def test_an_answer_with_hits_missing_once_ends_complete():
    def spoil(number: int, draw: Draw) -> Draw:
        return dataclasses.replace(draw, hits=draw.hits[3:]) if number == 0 else draw

    service = Service(uneven_day(800), spoil=spoil)
    assert_complete(service, pieces_of(service))


@pytest.mark.parametrize("days", [1, 3])
def test_one_millisecond_with_just_the_cap_is_complete(days):
    service = Service([Stored(NIGHT, f"{n}") for n in range(1_000)] + uneven_day(700))
    assert_complete(service, pieces_of(service, days), days)


def test_one_millisecond_a_little_over_the_cap_is_drawn_again_until_every_event_came():
    service = Service([Stored(NIGHT, f"{n}") for n in range(1_300)] + uneven_day(500))
    assert_complete(service, pieces_of(service))


def test_one_millisecond_far_over_the_cap_is_incomplete_with_both_numbers():
    service = Service([Stored(NIGHT, f"{n}", matches=1 + n // 8_000) for n in range(9_000)] + uneven_day(500))
    pieces = pieces_of(service)
    assert_honest(service, pieces)
    [unproved] = [piece for piece in pieces if piece.reason]
    assert (unproved.window, unproved.expected) == (Window(NIGHT, NIGHT), 9_000)
    assert f"9000 events in the millisecond {unproved.window}" in unproved.reason
    assert f"{len(unproved.events)} drawn" in unproved.reason
    assert 1_000 < len(unproved.events) < 9_000
    assert len(service.asked) < 60


def test_two_field_events_do_not_crowd_out_the_others():
    events = evenly(6_000, START, DAY_MS, matches=2, label="two") + evenly(300, NIGHT, HOUR, matches=1, label="one")
    service = Service(events)
    assert_complete(service, pieces_of(service))


def test_events_on_both_borders_of_every_window_are_held_once():
    events = [Stored(time, f"{time}-{n}") for time in range(START, START + 900) for n in range(5)]
    service = Service([*events, Stored(END, "last")])
    assert_complete(service, pieces_of(service))


def test_an_event_at_midnight_belongs_to_the_day_that_begins():
    service = Service([Stored(END + 1, "next day"), Stored(END, "this day")])
    pieces = pieces_of(service)
    assert held(pieces) == Counter(["this day"])


def test_the_same_id_in_two_indices_is_two_documents():
    service = Service([Stored(NIGHT, "same", "status-05"), Stored(NIGHT, "same", "status-06"), Stored(NIGHT, "other")])
    pieces = pieces_of(service)
    assert [(piece.expected, piece.reason) for piece in pieces] == [(3, None)]
    assert held(pieces) == Counter({"same": 2, "other": 1})


def test_events_from_outside_the_window_are_left_out_and_told():
    stray = Stored(NIGHT - DAY_MS, "stray")

    def spoil(_: int, draw: Draw) -> Draw:
        return dataclasses.replace(draw, hits=(*draw.hits[1:], stray.hit()))

    pieces = pieces_of(Service(uneven_day(100), spoil=spoil))
    assert "stray" not in held(pieces)
    assert any(piece.reason and "1 events from outside the window" in piece.reason for piece in pieces)


def test_a_total_that_its_windows_do_not_bear_out_leaves_the_day_incomplete():
    def spoil(_: int, draw: Draw) -> Draw:
        return dataclasses.replace(draw, total=draw.total + 700) if draw.window.span_ms == DAY_MS else draw

    service = Service(uneven_day(2_500), spoil=spoil)
    pieces = pieces_of(service)
    assert sum(piece.expected or 0 for piece in pieces) == 3_200
    assert sum(held(pieces).values()) == 2_500
    assert [piece.reason for piece in pieces if piece.reason] == [
        "its windows hold 2500 of the 3200 events the service says the whole has"
    ]


def test_a_total_that_was_wrong_for_a_moment_does_no_harm():
    def spoil(number: int, draw: Draw) -> Draw:
        return dataclasses.replace(draw, total=draw.total + 700) if number == 0 else draw

    service = Service(uneven_day(2_500), spoil=spoil)
    assert_complete(service, pieces_of(service))


@pytest.mark.parametrize(
    "lie",
    [
        pytest.param(lambda draw: dataclasses.replace(draw, total=10_000, exact=False, hits=()), id="many, none given"),
        pytest.param(lambda draw: dataclasses.replace(draw, total=5_000, exact=True, hits=()), id="5000, none given"),
        pytest.param(lambda draw: dataclasses.replace(draw, total=900, exact=True, hits=()), id="900, none given"),
        pytest.param(lambda draw: dataclasses.replace(draw, total=10_000, exact=False), id="always at least 10000"),
        pytest.param(lambda draw: dataclasses.replace(draw, total=draw.total + 1, exact=True), id="always one more"),
        pytest.param(lambda draw: dataclasses.replace(draw, total=0, exact=False), id="at least none"),
        pytest.param(
            lambda draw: dataclasses.replace(draw, total=7_777, exact=True, hits=draw.hits[:1]), id="7777, one given"
        ),
    ],
)
def test_a_service_whose_totals_contradict_themselves_is_left_after_bounded_requests(lie):
    service = Service(uneven_day(300), spoil=lambda _, draw: lie(draw))
    pieces = pieces_of(service)
    assert any(piece.reason for piece in pieces)
    assert len(service.asked) < 400


def test_a_window_that_is_not_answered_keeps_what_a_wider_draw_brought():
    service = Service(uneven_day(3_000))
    refused: list[Window] = []

    def ask(window: Window, refresh: bool) -> Draw:
        if len(service.asked) == 2:
            service.asked.append(window)
            refused.append(window)
            raise ServiceError("the service did not answer", 6)
        return service(window, refresh)

    pieces = list(CompleteHistory(ask, AtOnce()).pieces([DAY]))
    assert_tiled(pieces)
    [unproved] = [piece for piece in pieces if piece.reason]
    assert unproved.window == refused[0]
    assert unproved.expected is None
    assert unproved.reason == "the service did not answer"
    assert unproved.events


def test_a_day_that_is_not_answered_does_not_stop_its_neighbours():
    bad = day_window(DAY + timedelta(days=1))
    service = Service([event for n in range(3) for event in uneven_day(400, START + n * DAY_MS, seed=n)])

    def ask(window: Window, refresh: bool) -> Draw:
        if window.start_ms <= bad.end_ms and window.end_ms >= bad.start_ms:
            raise ServiceError("Internal error.", 6)
        return service(window, refresh)

    days: list[date] = [DAY + timedelta(days=n) for n in range(3)]
    pieces = list(CompleteHistory(ask, AtOnce()).pieces(days))
    assert [(piece.window, piece.expected, piece.reason) for piece in pieces] == [
        (day_window(days[0]), 400, None),
        (bad, None, "Internal error."),
        (day_window(days[2]), 400, None),
    ]


def test_refused_credentials_end_it_at_once():
    def ask(window: Window, refresh: bool) -> Draw:
        raise AuthError("refused")

    with pytest.raises(AuthError):
        list(CompleteHistory(ask, AtOnce()).pieces([DAY, DAY + timedelta(days=1)]))


def test_a_refresh_passes_the_cache_by_from_the_first_request():
    service = Service(uneven_day(2_000))
    asked: list[bool] = []

    def ask(window: Window, refresh: bool) -> Draw:
        asked.append(refresh)
        return service(window, refresh)

    list(CompleteHistory(ask, AtOnce(), refresh=True).pieces([DAY]))
    assert len(asked) > 1
    assert all(asked)


def test_quiet_days_cost_one_request_for_all_of_them():
    service = Service([event for n in range(7) for event in uneven_day(90, START + n * DAY_MS, seed=n)])
    assert_complete(service, pieces_of(service, days=7), days=7)
    assert len(service.asked) == 1


def test_completeness_costs_at_most_a_third_as_many_requests_again_as_the_least():
    asked = needed = 0
    for total in (100, 900, 1_100, 2_500, 4_000, 7_000, 12_000, 20_000, 60_000):
        service = Service(uneven_day(total, seed=total))
        assert_complete(service, pieces_of(service))
        asked += len(service.asked)
        needed += -(-total // 1_000)
    assert asked <= 1.33 * needed


def test_a_week_costs_hardly_more_requests_than_the_least_of_its_days():
    sizes = (3_000, 2_400, 0, 2_800, 3_600, 900, 1_200)
    service = Service([event for n, size in enumerate(sizes) for event in uneven_day(size, START + n * DAY_MS, seed=n)])
    assert_complete(service, pieces_of(service, days=7), days=7)
    assert len(service.asked) <= 1.25 * sum(max(1, -(-size // 1_000)) for size in sizes)


def test_events_that_crowd_others_out_of_a_draw_do_not_make_completeness_dear():
    asked = needed = 0
    for total in (2_500, 4_000, 5_000, 7_000, 20_000):
        service = Service(uneven_day(total, seed=total, two_fields=True))
        assert_complete(service, pieces_of(service))
        asked += len(service.asked)
        needed += -(-total // 1_000)
    assert asked <= 1.45 * needed


@pytest.mark.parametrize("seed", range(4))
def test_a_day_that_is_hardly_over_the_cap_is_drawn_again_and_not_cut(seed):
    service = Service(uneven_day(1_002, two_fields=True), seed=seed)
    assert_complete(service, pieces_of(service))
    assert len(service.asked) == 2


def test_a_day_that_is_well_over_the_cap_is_cut_and_not_drawn_again():
    service = Service(uneven_day(1_100))
    assert_complete(service, pieces_of(service))
    assert len(service.asked) == 3
    assert len(set(service.asked)) == 3


def test_a_service_that_tells_no_scores_costs_hardly_more():
    for total in (2_500, 7_000, 20_000):
        service = Service(uneven_day(total, two_fields=True), tells_scores=False)
        assert_complete(service, pieces_of(service))
        assert len(service.asked) <= 1.6 * total / 1_000


def test_windows_asked_for_ahead_of_one_that_overflows_tile_all_the_same():
    with ThreadPoolExecutor(4) as pool:
        service = Service(uneven_day(9_000, two_fields=True))
        pieces = list(CompleteHistory(service, pool, ahead=4).pieces([DAY]))
    assert_complete(service, pieces)
