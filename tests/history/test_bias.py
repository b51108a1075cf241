"""What a draw that prefers events with two fields does not show, with the scores and without them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dimo_etl.history.bias import Bias, undrawn
from dimo_etl.history.reading import read_draw
from dimo_etl.model import day_window
from tests.history.service import DAY, START, Service, evenly

HOUR = 3_600_000


def bias_of(ones: int, twos: int, *, counted: bool = True) -> tuple[Bias, int, int]:
    """What one draw of so many events says, and how many of each kind it shows."""
    events = evenly(ones, START, HOUR, label="one") + evenly(twos, START, HOUR, matches=2, label="two")
    reading = read_draw(Service(events)(day_window(DAY), False))
    seen_ones, seen_twos = len(reading.ones), len(reading.twos)
    total = reading.total if counted else None
    return Bias(seen_ones, seen_twos, total, reading.worst), seen_ones, seen_twos


@pytest.mark.parametrize(("ones", "twos"), [(3_000, 0), (0, 15_000), (6_000, 300), (40_000, 500)])
def test_the_lowest_score_tells_how_many_there_are_of_each_kind_even_where_nobody_counted_them(ones, twos):
    bias, seen_ones, seen_twos = bias_of(ones, twos, counted=False)
    one, two = bias.undrawn()
    assert seen_ones * (1 + one) + seen_twos * (1 + two) == pytest.approx(ones + twos, rel=0.15)


def test_hidden_events_lie_as_the_others_until_a_window_was_counted_that_has_none():
    bias, seen_ones, seen_twos = bias_of(6_000, 3_000)
    assert bias.certain
    assert (seen_ones, seen_twos * (1 + bias.undrawn()[1])) == (0, pytest.approx(9_000))
    bias.learn(0, 300, 900)
    assert not bias.certain
    assert seen_twos * (1 + bias.undrawn()[1]) == pytest.approx(3_000, rel=0.1)


@given(st.integers(0, 1_000), st.integers(0, 1_000), st.integers(0, 10_000))
def test_what_was_not_drawn_makes_up_the_total(ones, twos, total):
    q_one, q_two = undrawn(ones, twos, total)
    assert q_two <= q_one + 1e-9
    if ones + twos and total > ones + twos and (ones < 30 or q_one < 1e6):
        assert ones * (1 + q_one) + twos * (1 + q_two) == pytest.approx(total, rel=1e-6)
