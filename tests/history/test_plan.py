"""Which window is asked for next: full, not over, and always getting somewhere."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dimo_etl.history.density import Density
from dimo_etl.history.plan import Outlook
from dimo_etl.model import DAY_MS, Window, day_window
from tests.history.service import DAY, START, evenly

WHOLE = day_window(DAY)


def outlook(*draws: Density) -> Outlook:
    found = Outlook()
    for draw in draws:
        found.add(draw, None)
    return found


def sample(count: int, window: Window, total: int | None, seed: int = 0) -> Density:
    times = sorted(event.time_ms for event in evenly(count, window.start_ms, window.span_ms, seed=seed))
    return Density(window, times, [], total)


def test_what_is_left_and_fits_is_asked_for_whole():
    seen = outlook(sample(1_000, WHOLE, 1_600))
    seen.passed(Window(START, START + DAY_MS // 2), [START] * 800)
    rest = Window(START + DAY_MS // 2 + 1, WHOLE.end_ms)
    assert seen.next(rest, 1_000) == rest


def test_a_little_over_the_cap_is_halved():
    first = outlook(sample(1_000, WHOLE, 1_300)).next(WHOLE, 1_000)
    assert first.span_ms == pytest.approx(DAY_MS / 2, rel=0.1)


def test_a_large_window_is_cut_almost_full():
    seen = outlook(sample(1_000, WHOLE, 9_000))
    mean, _ = seen.expected(START, seen.next(WHOLE, 1_000).end_ms)
    assert 800 < mean <= 1_000


def test_a_finer_draw_is_believed_before_a_wider_one():
    morning = Window(START, START + DAY_MS // 2 - 1)
    seen = outlook(sample(1_000, WHOLE, 10_000), sample(1_000, morning, 1_100))
    assert seen.expected(morning.start_ms, morning.end_ms)[0] == pytest.approx(1_100)


def test_whole_days_are_asked_for_as_long_as_they_surely_fit():
    week = Window(START, START + 7 * DAY_MS - 1)
    assert outlook(sample(1_000, week, 2_800)).next_days(week, 1_000).span_ms in {DAY_MS, 2 * DAY_MS}


@settings(deadline=None)
@given(
    st.lists(st.integers(0, 9_999), max_size=60),
    st.one_of(st.none(), st.integers(1, 10_000)),
    st.sampled_from([100, 1_000]),
)
def test_windows_asked_for_one_after_the_other_reach_the_end(times, total, cap):
    whole = Window(0, 9_999)
    seen = outlook(Density(whole, sorted(times), [], total))
    at = 0
    while at <= whole.end_ms:
        left = Window(at, whole.end_ms)
        part = seen.next(left, cap)
        assert (part.start_ms, part.end_ms <= left.end_ms, part.span_ms >= 1) == (at, True, True)
        assert part != whole
        seen.passed(part, sorted(time for time in times if part.start_ms <= time <= part.end_ms))
        at = part.end_ms + 1
