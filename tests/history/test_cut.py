"""Where to cut: windows that tile, of about the same number of events, at a bounded price."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dimo_etl.events import read_event
from dimo_etl.history import cut
from dimo_etl.model import Window, day_window
from tests.history.service import DAY, HOUR, START, Service, evenly

SPAN = 10_000


@st.composite
def windows_with_samples(draw):
    start = draw(st.integers(-(10**12), 10**13))
    span = draw(st.integers(2, SPAN))
    times = draw(st.lists(st.integers(start, start + span - 1), max_size=200))
    return Window(start, start + span - 1), sorted(times)


@given(windows_with_samples(), st.integers(2, 80))
def test_a_cut_tiles_the_window_without_gap_or_overlap(window_and_times, pieces):
    window, times = window_and_times
    parts = cut.at_quantiles(window, times, pieces)
    assert len(parts) >= 2
    assert (parts[0].start_ms, parts[-1].end_ms) == (window.start_ms, window.end_ms)
    assert all(part.span_ms >= 1 for part in parts)
    assert all(after.start_ms == before.end_ms + 1 for before, after in pairwise(parts))


@given(windows_with_samples(), st.integers(2, 80))
def test_a_cut_makes_no_more_windows_than_asked_for_unless_two_are_the_least(window_and_times, pieces):
    window, times = window_and_times
    assert len(cut.at_quantiles(window, times, pieces)) <= pieces


def test_a_cut_follows_the_events_and_not_the_clock():
    times = [9_000 + n for n in range(1_000)]
    parts = cut.at_quantiles(Window(0, 9_999), times, 4)
    assert [sum(part.start_ms <= time <= part.end_ms for time in times) for part in parts] == [250] * 4


def test_events_at_the_very_start_of_a_window_are_cut_off_alone():
    assert cut.at_quantiles(Window(50, 99), [50] * 700, 3) == [Window(50, 50), Window(51, 99)]


def test_a_window_without_a_sample_is_halved():
    assert cut.at_quantiles(Window(0, 99), [], 3) == [Window(0, 49), Window(50, 99)]


def test_what_fits_one_answer_is_not_cut():
    assert cut.plan(1_000, 1_000, 1_000) == 1


@settings(max_examples=60)
@given(st.integers(1_001, 10_000))
def test_a_plan_never_expects_windows_over_the_cap(total):
    assert total / cut.plan(total, 1_000, 1_000) <= 1_000


def test_a_thin_sample_is_cut_coarsely_first():
    assert cut.plan(300_000, 1_000, 1_000) < 300


def test_a_thin_estimate_close_to_the_cap_does_not_surely_fit():
    assert cut.fits(900, 1.0, 1_000)
    assert not cut.fits(900, 0.1, 1_000)


def test_a_biased_draw_is_thinned_out_to_the_share_of_the_events_it_prefers_less():
    ones = evenly(3_300, START, HOUR, label="one")
    twos = evenly(700, START + 12 * HOUR, HOUR, matches=2, label="two")
    hits = Service(ones + twos)(day_window(DAY), False).hits
    drawn_ones = [time_of(hit) for hit in hits if b"latitude" not in hit.source]
    drawn_twos = [time_of(hit) for hit in hits if b"latitude" in hit.source]
    assert len(drawn_twos) / len(hits) > 2 * 700 / 4_000

    sample = cut.fair_sample(drawn_ones, drawn_twos, 4_000)

    assert sample == sorted(sample)
    assert set(sample) <= {*drawn_ones, *drawn_twos}
    assert len([time for time in sample if time >= START + 12 * HOUR]) / len(sample) == pytest.approx(
        700 / 4_000, abs=0.04
    )


@given(
    st.lists(st.integers(0, 10**6), max_size=120), st.lists(st.integers(0, 10**6), max_size=120), st.integers(0, 10**5)
)
def test_whatever_the_total_says_a_sample_is_in_order_and_keeps_every_event_with_one_field(ones, twos, total):
    sample = cut.fair_sample(ones, twos, total)
    assert sample == sorted(sample)
    assert not Counter(ones) - Counter(sample)
    assert not Counter(sample) - Counter([*ones, *twos])


def test_a_whole_answer_is_its_own_fair_sample():
    assert cut.fair_sample([3] * 500, [1, 2], 502) == [1, 2, *[3] * 500]


def time_of(hit) -> int:
    return read_event(hit.source).timestamp_us // 1000
