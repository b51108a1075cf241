"""The walk back from the newest event, against any distribution of them: nothing lost, and few requests."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from random import Random

import pytest

from dimo_etl.errors import ServiceError, TooMuchAskedError
from dimo_etl.history.newest_first import NewestFirst, Stretch

DAY_S = 86_400
START = 20_000 * DAY_S
END = START + 3 * DAY_S
CAP = 1000


@dataclass(frozen=True, order=True)
class Row:
    """An event."""

    time_us: int
    name: str


@dataclass(frozen=True)
class Answer:
    """What the service says of a span."""

    count: int
    events: list[Row]


class Service:
    """Holds rows, and answers with the newest between its strict bounds; a test may have it go wrong."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self.rows = sorted(rows)
        self.asked: list[tuple[int, int]] = []
        self.arriving: dict[int, Row] = {}
        self.short: set[int] = set()
        self.always_short = False
        self.broken: range = range(0)
        self.longest_s = 10**9

    def __call__(self, start_s: int, end_s: int) -> Answer:
        number = len(self.asked)
        self.asked.append((start_s, end_s))
        if number in self.arriving:
            self.rows = sorted([*self.rows, self.arriving[number]])
        if start_s < self.broken.stop and end_s > self.broken.start:
            raise ServiceError("failed to query db")
        if end_s - start_s > self.longest_s:
            raise TooMuchAskedError("exceeds the maximum execution time")
        times = [row.time_us for row in self.rows]
        low = bisect_right(times, (start_s - 1) * 1_000_000)
        high = bisect_left(times, end_s * 1_000_000)
        newest = self.rows[max(low, high - CAP) : high][::-1]
        return Answer(high - low, newest[1:] if number in self.short or self.always_short else newest)


def spread(number: int, start_s: int = START, end_s: int = END, *, seed: int = 1, name: str = "row") -> list[Row]:
    random = Random(seed)
    return [Row(random.randrange(start_s * 1000, end_s * 1000) * 1000, f"{name}{n}") for n in range(number)]


def walked(service: Service, start_s: int = START, end_s: int = END) -> list[Stretch[Row]]:
    """The stretches, which tile the span from its end, days apart where they are not proved."""
    found = list(NewestFirst(service).walk(start_s, end_s))
    assert found[0].end_s == end_s
    assert found[-1].start_s == start_s
    assert all(later.start_s == earlier.end_s for later, earlier in pairwise(found))
    for one in found:
        assert one.reason is None or one.start_s // DAY_S == (one.end_s - 1) // DAY_S
        assert all(one.start_s * 1_000_000 <= row.time_us < one.end_s * 1_000_000 for row in one.events)
    return found


def held(found: Iterable[Stretch[Row]]) -> Counter[Row]:
    return Counter(row for one in found for row in one.events)


@pytest.mark.parametrize("number", [0, 1, 999, 1000, 1001, 2500, 11_000])
def test_every_event_is_held_and_proved_with_about_one_request_for_a_thousand(number):
    service = Service([*spread(number), *spread(50, START - 100, START), *spread(50, END, END + 100)])

    found = walked(service)

    assert all(one.reason is None for one in found)
    assert held(found) == Counter(row for row in service.rows if START * 1_000_000 <= row.time_us < END * 1_000_000)
    assert len(service.asked) <= number // 995 + 2


def test_a_burst_that_fills_whole_seconds_but_one_is_held():
    burst = [row for n in range(40) for row in spread(999, START + n, START + n + 1, seed=n, name=f"burst{n}-")]
    service = Service([*burst, *spread(500)])
    found = walked(service)
    assert all(one.reason is None for one in found)
    assert sum(held(found).values()) == len(service.rows)


def test_one_second_with_too_many_is_named_with_both_numbers_and_everything_else_is_proved():
    crowded = START + DAY_S + 1234
    service = Service([*spread(1500, crowded, crowded + 1, name="crowd"), *spread(2500)])

    found = walked(service)

    [full] = [one for one in found if one.reason is not None]
    crowd = [row for row in service.rows if row.time_us // 1_000_000 == crowded]
    assert (full.start_s, full.end_s, full.expected, len(full.events)) == (crowded, crowded + 1, len(crowd), 1000)
    assert f"{len(crowd)} events in the second" in full.reason
    assert sum(held(found).values()) == len(service.rows) - len(crowd) + 1000


def test_a_second_that_fills_an_answer_to_the_last_event_is_proved():
    second = START + 100
    found = walked(Service(spread(1000, second, second + 1)))
    assert all(one.reason is None for one in found)
    assert sum(held(found).values()) == 1000


def test_a_crowd_in_the_second_before_the_span_costs_it_nothing():
    service = Service([*spread(3000, START - 1, START, name="before"), *spread(300, START, START + DAY_S)])
    found = walked(service, START, START + DAY_S)
    assert all(one.reason is None for one in found)
    assert sum(held(found).values()) == 300


def test_an_event_that_arrives_on_the_way_makes_its_stretch_be_asked_for_again():
    service = Service(spread(3500))
    service.arriving = {2: Row((START + 5) * 1_000_000, "late")}
    found = walked(service)
    assert all(one.reason is None for one in found)
    assert held(found) == Counter(service.rows)


def test_an_answer_that_leaves_an_event_out_is_not_believed_but_asked_for_again():
    service = Service(spread(2500))
    service.short = {0, 1}
    found = walked(service)
    assert all(one.reason is None for one in found)
    assert held(found) == Counter(service.rows)


def test_a_service_that_always_leaves_an_event_out_proves_no_day_and_does_not_keep_anybody_asking():
    service = Service(spread(300))
    service.always_short = True
    found = walked(service)
    assert [one.reason is None for one in found].count(True) < len(found)
    assert all(one.expected is not None for one in found)
    assert sum(one.expected - len(one.events) for one in found if one.reason) >= 3
    assert len(service.asked) < 60


def test_a_service_that_makes_numbers_up_is_left_in_the_end():
    asked = []

    def lying(start_s: int, end_s: int) -> Answer:
        asked.append(start_s)
        return Answer(5000, [Row((end_s - 1) * 1_000_000, f"made up {end_s}")])

    found = list(NewestFirst(lying).walk(START, END))
    assert found[-1].start_s == START
    assert not any(one.reason is None for one in found)
    assert "contradict each other" in found[-1].reason
    assert len(asked) < 150


def test_events_from_outside_the_span_are_not_taken():
    service = Service(spread(10))

    def lying(start_s: int, end_s: int) -> Answer:
        return Answer(1, [Row((end_s + 5) * 1_000_000, "stray")])

    found = list(NewestFirst(lying).walk(START, END))
    assert [one.reason is None for one in found] == [False] * 3
    assert "from outside the window" in found[0].reason
    assert not held(found)
    assert service.asked == []


def test_a_day_that_is_not_answered_for_fails_alone():
    service = Service(spread(2500))
    service.broken = range(START + DAY_S, START + 2 * DAY_S)
    found = walked(service)
    failed = [one for one in found if one.reason is not None]
    assert [(one.start_s, one.end_s, one.expected) for one in failed] == [(START + DAY_S, START + 2 * DAY_S, None)]
    assert held(found) == Counter(row for row in service.rows if row.time_us // 1_000_000 not in service.broken)


def test_a_span_that_takes_the_service_too_long_is_asked_for_in_parts():
    service = Service(spread(2500))
    service.longest_s = 7 * 3600
    found = walked(service)
    assert all(one.reason is None for one in found)
    assert held(found) == Counter(service.rows)


def test_a_service_that_answers_nothing_is_left_with_a_reason_for_each_day():
    service = Service([])
    service.broken = range(START, END)
    found = walked(service)
    assert [one.reason for one in found] == ["failed to query db"] * 3


@pytest.mark.parametrize("seed", range(12))
def test_whatever_the_distribution_nothing_is_lost_or_doubled(seed):
    random = Random(seed)
    rows: list[Row] = []
    for cluster in range(random.randrange(1, 8)):
        start_s = random.randrange(START - 10, END)
        width = random.choice([1, 2, 60, 3600, DAY_S])
        rows += spread(random.randrange(1, 1800), start_s, start_s + width, seed=cluster, name=f"c{cluster}-")
    service = Service(rows)

    found = walked(service)

    inside = Counter(row for row in rows if START * 1_000_000 <= row.time_us < END * 1_000_000)
    assert not held(found) - inside
    for one in found:
        there = [row for row in inside.elements() if one.start_s <= row.time_us // 1_000_000 < one.end_s]
        assert (one.expected, one.reason is None) == (len(there), len(one.events) == len(there))
        assert one.reason is None or (one.end_s - one.start_s == 1 and len(there) > 1000)
