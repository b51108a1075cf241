"""Whatever arrives whenever, under whatever cap and draw: a day is held whole, or is said not to be.

A machine of events that arrive on time, late and in the middle of a sync, that vanish, and of syncs of any days, with
and without asking again. It follows the whole way, from the service's draws to the rows of a day's file.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow.parquet as pq
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from dimo_etl.history.complete import Reach
from dimo_etl.history.device_data import DeviceDataSource
from dimo_etl.history.fetch import Fetcher
from dimo_etl.lake.layout import signals_file
from dimo_etl.lake.raw import events_of, find_unit
from dimo_etl.lake.signals import write_day
from dimo_etl.lake.store import Store
from dimo_etl.model import DAY_MS, Vehicle
from tests.history.service import DAY, HOUR, SECOND, START, Service, Stored, evenly
from tests.long import LONG

CAR = Vehicle("4711", token_id=4711)
DAYS = [DAY + timedelta(days=n) for n in range(5)]
LOOKBACK = 3
NOW = datetime(2026, 1, 12, tzinfo=UTC)


class Route:
    """Leads to the service; it knows the car."""

    reach = Reach()

    def __init__(self, service: Service) -> None:
        self._service = service

    def to(self, vehicle: Vehicle) -> Service:
        return self._service


@st.composite
def bursts(draw, first: int, last: int) -> list[Stored]:
    """Some events close together, or all over days, which are numbered."""
    span = draw(st.sampled_from([1, 3, SECOND, HOUR, DAY_MS]))
    end = START + (last + 1) * DAY_MS - span
    start = draw(st.one_of(st.integers(first, last).map(lambda day: START + day * DAY_MS), st.integers(START, end)))
    start = max(start, START + first * DAY_MS)
    matches, count = (
        draw(st.sampled_from([1, 2])),
        draw(st.sampled_from([1, 5, 20, 60, 60 if span < SECOND else 1_200])),
    )
    label = draw(st.integers(0, 1 << 40))
    return evenly(count, start, span, seed=label, matches=matches, label=f"{label:x}")


class AnyStream(RuleBasedStateMachine):
    """A service whose events come and go, and a warehouse that follows it."""

    @initialize(
        cap=st.sampled_from([3, 20, 1000]),
        counts_to=st.sampled_from([50, 10_000]),
        seed=st.integers(0, 99),
        first=bursts(0, 0),
    )
    def begin(self, cap: int, counts_to: int, seed: int, first: list[Stored]) -> None:
        self.service = Service([], cap=cap, counts_to=max(cap, counts_to), seed=seed)
        self.ample = cap == 1000
        self.today = 0
        self.ever: set[str] = set()
        self._folder = TemporaryDirectory(prefix="any-stream-")
        self.root = Path(self._folder.name)
        self.store = Store(str(self.root))
        self.arrive(first)
        self.sync(DAYS[:1], refresh=False)

    def teardown(self) -> None:
        """However it went, asking once more in calm ends with the truth."""
        if not hasattr(self, "store"):
            return
        try:
            self.sync(DAYS[: self.today + 1], refresh=True)
            for day in DAYS[: self.today + 1]:
                self.check(day, at_rest=True)
        finally:
            self.store.close()
            self._folder.cleanup()

    @rule(data=st.data())
    def a_day_goes_by(self, data: st.DataObject) -> None:
        if self.today + 1 < len(DAYS):
            self.today += 1
            self.arrive(data.draw(bursts(self.today, self.today)))

    @rule(data=st.data())
    def events_come_late(self, data: st.DataObject) -> None:
        self.arrive(data.draw(bursts(0, self.today)))

    @rule(data=st.data())
    def events_are_taken_back(self, data: st.DataObject) -> None:
        if self.service.events:
            self.service.change(
                vanishing=data.draw(st.lists(st.sampled_from(self.service.events), min_size=1, max_size=9))
            )

    @rule(first=st.integers(0, 4), last=st.integers(0, 4), refresh=st.booleans())
    def some_days_are_asked_for(self, first: int, last: int, refresh: bool) -> None:
        days = DAYS[min(first, last) : max(first, last) + 1]
        self.sync([day for day in days if day <= DAYS[self.today]], refresh=refresh)

    @rule()
    def the_morning_asks_for_the_last_days_again(self) -> None:
        days = DAYS[max(0, self.today + 1 - LOOKBACK) : self.today + 1]
        self.sync(days, refresh=True)
        for day in days:
            self.check(day, at_rest=True)

    @rule(data=st.data(), after=st.integers(0, 5))
    def events_arrive_in_the_middle(self, data: st.DataObject, after: int) -> None:
        late = data.draw(bursts(0, self.today))
        self.service.arrive_later(after, late)
        self.ever |= {event.doc_id for event in late}
        before = {day: self.truth(day) for day in DAYS}
        self.sync(DAYS[: self.today + 1], refresh=True)
        self.service.settle()
        for day in DAYS[: self.today + 1]:
            assert before[day] <= self.held(day) or not self.record(day).complete
            self.check(day, at_rest=False)

    def arrive(self, events: list[Stored]) -> None:
        self.ever |= {event.doc_id for event in events}
        self.service.change(events)

    def sync(self, days: list[date], *, refresh: bool) -> None:
        fetcher = Fetcher(self.store, DeviceDataSource([Route(self.service)]), concurrency=1, now=lambda: NOW)
        fetcher.fetch([CAR], days, refresh=refresh)
        for day in days:
            write_day(self.store, day)

    def truth(self, day: date) -> set[str]:
        start = START + (day - DAY).days * DAY_MS
        return {event.doc_id for event in self.service.events if start <= event.time_ms < start + DAY_MS}

    def record(self, day: date):
        return find_unit(self.store, CAR.vehicle_id, day).coverage

    def held(self, day: date) -> set[str]:
        """The events of the raw unit and of the day's file, which are the same, each once."""
        unit = find_unit(self.store, CAR.vehicle_id, day)
        ids = Counter(event.event_id for _, batch in events_of(self.store, unit) for event in batch)
        assert not ids or max(ids.values()) == 1
        rows = pq.read_table(self.root / signals_file(day), columns=["event_id", "name"]).to_pylist()
        times = Counter(row["event_id"] for row in rows if row["name"] == "odometer")
        assert times == ids
        return set(ids)

    def check(self, day: date, *, at_rest: bool) -> None:
        """Nothing twice, nothing invented, and nobody told that a day is complete which is not."""
        record, held, truth = self.record(day), self.held(day), self.truth(day)
        assert held <= self.ever
        assert record.kept_events == len(held)
        if record.complete:
            assert record.reason is None and record.expected_events == record.fetched_events == len(held)
            if at_rest:
                assert held == truth
        else:
            assert record.reason
        if at_rest and self.ample:
            assert record.complete


AnyStream.TestCase.settings = settings(
    max_examples=300 if LONG else 12,
    stateful_step_count=30 if LONG else 8,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)
test_a_day_is_held_whole_or_said_not_to_be = AnyStream.TestCase
