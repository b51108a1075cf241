"""What a draw shows: blocks of one rate, how much of each was not drawn, and how surely."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dimo_etl.events import read_event
from dimo_etl.history.density import Density, changes
from dimo_etl.model import DAY_MS, Window, day_window
from tests.history.service import DAY, HOUR, START, Service, evenly, uneven_day

WHOLE = day_window(DAY)
RUSH = Window(START + 7 * HOUR, START + 7 * HOUR + round(1.2 * HOUR) - 1)


def drawn(events, *, total: int | None = None) -> tuple[Density, list[int]]:
    """The density that one draw of a day shows, and the times of what was drawn."""
    draw = Service(events)(WHOLE, False)
    found: dict[bool, list[int]] = {False: [], True: []}
    for hit in draw.hits:
        found[b"latitude" in hit.source].append(read_event(hit.source).timestamp_us // 1000)
    density = Density(WHOLE, sorted(found[False]), sorted(found[True]), total or (draw.total if draw.exact else None))
    return density, sorted(found[False] + found[True])


def inside(events, window: Window) -> list[int]:
    return [event.time_ms for event in events if window.start_ms <= event.time_ms <= window.end_ms]


def test_a_rush_hour_is_foreseen_within_three_deviations():
    events = uneven_day(8_000)
    density, _ = drawn(events)
    mean, variance = density.expected(RUSH.start_ms, RUSH.end_ms)
    assert abs(mean - len(inside(events, RUSH))) < 3 * variance**0.5
    assert variance**0.5 < 0.1 * mean


def test_the_whole_of_a_counted_window_is_certain():
    density, _ = drawn(uneven_day(3_000))
    assert density.expected(WHOLE.start_ms, WHOLE.end_ms) == (pytest.approx(3_000), pytest.approx(0, abs=1e-6))


def test_a_window_that_was_proved_leaves_exactly_the_rest():
    events = uneven_day(3_000)
    density, _ = drawn(events)
    passed = Window(START, START + 8 * HOUR)
    held = inside(events, passed)
    density.passed(passed, held)
    assert density.expected(passed.end_ms + 1, WHOLE.end_ms)[0] == pytest.approx(3_000 - len(held))


def test_a_part_that_was_counted_leaves_exactly_the_rest_though_it_is_not_held():
    events = uneven_day(3_000)
    density, _ = drawn(events)
    counted = Window(START, START + 8 * HOUR)
    count = len(inside(events, counted))
    density.measured(counted, count)
    rest = density.expected(counted.end_ms + 1, WHOLE.end_ms)
    assert rest == (pytest.approx(3_000 - count), pytest.approx(0, abs=1e-6))
    held = Window(START, START + 7 * HOUR)
    density.passed(held, inside(events, held))
    assert density.expected(counted.end_ms + 1, WHOLE.end_ms)[0] == pytest.approx(3_000 - count)


def test_a_first_window_tells_how_much_of_an_uncounted_one_was_drawn():
    events = evenly(50_000, START, DAY_MS)
    density, _ = drawn(events)
    before = density.expected(WHOLE.start_ms, WHOLE.end_ms)[0]
    first = Window(START, START + HOUR)
    density.measured(first, len(inside(events, first)))
    after = density.expected(WHOLE.start_ms, WHOLE.end_ms)[0]
    assert before == pytest.approx(12_000, rel=0.01)
    assert after == pytest.approx(50_000, rel=0.4)


def test_events_that_the_draw_prefers_are_not_taken_for_more_than_they_are():
    ones, twos = evenly(3_300, START, HOUR, label="one"), evenly(700, START + 12 * HOUR, HOUR, matches=2, label="two")
    density, times = drawn(ones + twos)
    share = len([time for time in times if time >= START + 12 * HOUR]) / len(times)
    assert share > 1.5 * 700 / 4_000
    assert density.expected(START + 12 * HOUR, WHOLE.end_ms)[0] == pytest.approx(700, rel=0.1)


def test_a_change_of_rate_is_found_and_a_steady_rate_is_left_whole():
    steady = sorted(event.time_ms for event in evenly(1_000, START, DAY_MS))
    assert len(changes(steady, WHOLE)) <= 2
    drive = sorted(event.time_ms for event in evenly(500, START + 9 * HOUR, HOUR))
    starts = changes(drive, WHOLE)
    assert any(abs(start - drive[0]) <= 1 for start in starts)
    assert any(abs(start - drive[-1] - 1) <= 1 for start in starts)


def test_a_window_of_which_nothing_was_given_is_taken_for_even():
    density = Density(WHOLE, [], [], 4_800)
    assert density.expected(START, START + HOUR - 1)[0] == pytest.approx(200)


@settings(deadline=None)
@given(
    st.lists(st.integers(START, START + DAY_MS - 1), max_size=150),
    st.lists(st.integers(START, START + DAY_MS - 1), max_size=150),
    st.one_of(st.none(), st.integers(0, 10_000)),
    st.lists(st.integers(START, START + DAY_MS - 1), min_size=2, max_size=2),
)
def test_whatever_is_drawn_more_time_never_holds_fewer_events(ones, twos, total, ends):
    density = Density(WHOLE, sorted(ones), sorted(twos), total)
    first, second = sorted(ends)
    shorter, _ = density.expected(START, first)
    longer, variance = density.expected(START, second)
    assert 0 <= shorter <= longer + 1e-6
    assert variance >= 0
