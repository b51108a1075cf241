"""What a vehicle-day becomes when something new is known of it: nothing proved is lost, nothing stale stays."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dimo_etl.lake.commit import asked_of, commit_late
from dimo_etl.lake.raw import events_of, find_unit
from dimo_etl.lake.store import Store
from tests.lake.make import DAY, LATER, NOW, event, events, fetched, held, ids, imported
from tests.long import cases


@pytest.fixture
def store(tmp_path: Path):
    with Store(str(tmp_path / "lake")) as store:
        yield store


def unit_record(store):
    return find_unit(store, "4711", DAY).coverage


def test_a_refresh_of_a_day_that_grew_holds_the_new_events(store):
    fetched(store, events(3))
    record = fetched(store, events(5))
    assert held(store) == ids(events(5))
    assert (record.expected_events, record.fetched_events, record.complete) == (5, 5, True)


def test_a_refresh_of_a_day_that_shrank_holds_what_the_service_still_has(store):
    fetched(store, events(5))
    fetched(store, events(2))
    assert held(store) == ids(events(2))


def test_a_refresh_of_a_day_that_changed_holds_the_new_content(store):
    fetched(store, [event(1, speed=10)])
    changed = event(1, speed=20)
    fetched(store, [changed])
    unit = find_unit(store, "4711", DAY)
    assert [one.payload for _, batch in events_of(store, unit) for one in batch] == [changed.payload]


def test_a_failure_never_replaces_a_proof(store):
    proof = fetched(store, events(5))
    told = fetched(store, [], complete=False, expected_events=None, reason="the service did not answer")
    assert told.reason == "the service did not answer"
    assert unit_record(store) == proof
    assert held(store) == ids(events(5))


def placed(number: int):
    """An event with a position, as only privilege 4 shows it."""
    return event(number, latitude=52.5)


def payloads(store) -> dict[str, bytes]:
    unit = find_unit(store, "4711", DAY)
    return {one.event_id: one.payload for _, batch in events_of(store, unit) for one in batch}


def test_a_refresh_with_fewer_privileges_does_not_take_the_positions_away(store):
    proof = fetched(store, [placed(1), placed(2)], privileges=(1, 3, 4))
    record = fetched(store, [event(1), event(2)], privileges=(1,), requests=7)
    assert payloads(store) == {one.event_id: one.payload for one in (placed(1), placed(2))}
    assert unit_record(store) == proof
    assert (record.complete, record.privileges, record.requests) == (True, (1, 3, 4), 7)


def test_events_that_came_once_a_privilege_was_gone_leave_the_day_open_and_say_why(store):
    fetched(store, [placed(1), placed(2)], privileges=(1, 4))
    record = fetched(store, [event(1), event(2), event(3)], privileges=(1,))
    assert payloads(store) == {one.event_id: one.payload for one in (placed(1), placed(2))}
    assert (record.complete, record.expected_events, record.fetched_events) == (False, 3, 2)
    assert record.reason == (
        "what is held was read with privilege 4, which is not granted now; ask the owner to grant it again"
    )
    assert record.received_events == record.kept_events + record.duplicate_events
    assert unit_record(store) == record


def test_a_refresh_with_more_privileges_replaces_what_showed_less(store):
    fetched(store, [event(1), event(2)], privileges=(1,))
    record = fetched(store, [placed(1), placed(2)], privileges=(1, 4))
    assert payloads(store) == {one.event_id: one.payload for one in (placed(1), placed(2))}
    assert (record.complete, record.privileges) == (True, (1, 4))


def test_a_failed_attempt_with_more_privileges_gives_way_to_whatever_comes(store):
    fetched(store, [], complete=False, expected_events=None, reason="no answer", privileges=(1, 4))
    assert fetched(store, [event(1)], privileges=(1,)).complete
    assert held(store) == ids([event(1)])


def test_an_incomplete_refresh_tells_that_the_day_grew_and_loses_nothing(store):
    fetched(store, events(5))
    record = fetched(store, events(3, first=4), complete=False, expected_events=9, reason="9 are said to exist")
    assert held(store) == ids(events(7))
    assert (record.complete, record.expected_events, record.fetched_events) == (False, 9, 7)
    assert unit_record(store) == record


def test_attempts_that_failed_add_up_what_they_brought(store):
    fetched(store, events(2), complete=False, expected_events=None)
    fetched(store, events(2, first=1), complete=False, expected_events=None)
    assert held(store) == ids(events(3))


def test_an_import_after_a_fetch_adds_what_only_the_file_has(store):
    fetched(store, events(3))
    record, new = imported(store, events(4, first=1))
    assert new == 2
    assert held(store) == ids(events(5))
    assert (record.fetched_events, record.imported_events, record.kept_events) == (3, 2, 5)
    assert (record.complete, record.expected_events, record.origin) == (True, 3, "device-data+import")


def test_a_fetch_after_an_import_keeps_what_only_the_file_has(store):
    imported(store, events(3))
    record = fetched(store, events(3, first=2))
    assert held(store) == ids(events(5))
    assert (record.fetched_events, record.imported_events) == (3, 2)
    assert (record.complete, record.origin) == (True, "device-data+import")


def test_a_refresh_that_shrank_keeps_what_only_the_file_has(store):
    fetched(store, events(4))
    imported(store, [event(100)])
    fetched(store, events(1))
    assert held(store) == ids([event(0), event(100)])


def test_an_import_does_not_turn_an_incomplete_day_into_a_proved_one(store):
    fetched(store, events(3), complete=False, expected_events=5, reason="two are missing")
    record, _ = imported(store, events(5), complete=True, expected_events=5)
    assert (record.complete, record.expected_events, record.reason) == (False, 5, "two are missing")


def test_importing_the_same_file_twice_changes_nothing(store):
    imported(store, events(3))
    before = Path(store.root, find_unit(store, "4711", DAY).name).read_bytes()
    record, new = imported(store, events(3))
    assert new == 0
    assert record.fetched_at == NOW
    assert Path(store.root, find_unit(store, "4711", DAY).name).read_bytes() == before


def test_a_second_file_of_the_same_day_is_merged_with_the_first(store):
    imported(store, events(3))
    record, new = imported(store, events(3, first=2))
    assert new == 2
    assert (record.imported_events, record.received_events, record.duplicate_events) == (5, 6, 1)
    assert record.fetched_at == LATER


def test_a_day_of_which_nothing_exists_is_proved_by_an_empty_unit(store):
    record = fetched(store, [])
    assert (record.complete, record.expected_events, record.kept_events) == (True, 0, 0)
    assert held(store).total() == 0
    assert unit_record(store) == record


def test_a_commit_leaves_no_scratch_files(store):
    fetched(store, events(3))
    fetched(store, [], complete=False, expected_events=None)
    imported(store, events(3))
    imported(store, events(9))
    assert [path.name for path in Path(store.root, ".tmp").rglob("*") if path.is_file()] == ["lock"]


def test_an_import_into_a_day_proved_empty_counts_as_imported_only(store):
    fetched(store, [])
    record, _ = imported(store, events(3))
    assert (record.expected_events, record.fetched_events, record.imported_events) == (0, 0, 3)
    assert (record.complete, record.origin) == (True, "device-data+import")


def test_a_day_proved_empty_after_an_import_says_that_it_holds_both(store):
    imported(store, events(3))
    record = fetched(store, [])
    assert held(store) == ids(events(3))
    assert (record.expected_events, record.fetched_events, record.imported_events) == (0, 0, 3)
    assert record.origin == "device-data+import"


def other(store, given, **known):
    """Commit what another source brought."""
    return fetched(store, given, **({"origin": "fetch"} | known))


def origins(store) -> dict[str, str]:
    unit = find_unit(store, "4711", DAY)
    return {one.event_id: origin for origin, batch in events_of(store, unit) for one in batch}


def test_what_two_sources_gave_is_held_once_and_the_record_says_which_gave_what(store):
    fetched(store, events(3))
    record = other(store, events(3, first=2))
    assert held(store) == ids(events(5))
    assert (record.origin, record.by_origin) == ("fetch+device-data", {"device-data": 2, "fetch": 3})
    assert (record.complete, record.expected_events, record.fetched_events, record.kept_events) == (True, 3, 3, 5)
    assert unit_record(store) == record


def test_a_proof_replaces_what_its_own_source_gave_and_not_what_another_did(store):
    fetched(store, events(2))
    other(store, events(4, first=2))
    other(store, events(1, first=5))
    assert origins(store) == dict.fromkeys(ids(events(2)), "device-data") | {"event-000005": "fetch"}


def test_an_attempt_that_proved_nothing_leaves_what_another_source_proved(store):
    proof = fetched(store, events(5))
    told = other(store, events(2, first=4), complete=False, expected_events=9, reason="9 are said to exist")
    assert told.reason == "9 are said to exist"
    assert unit_record(store) == proof
    assert held(store) == ids(events(5))


def test_a_source_that_gives_more_takes_the_day_over_even_unproved_and_loses_nothing(store):
    fetched(store, events(2), origin="telemetry")
    more = {"complete": False, "supersedes": frozenset({"telemetry"}), "reason": "one second is full"}
    record = other(store, events(3, first=1), expected_events=9, **more)
    assert held(store) == ids(events(4))
    assert (record.origin, record.complete, record.fetched_events) == ("fetch+telemetry", False, 3)
    assert other(store, [], expected_events=None, **more).complete is False
    assert held(store) == ids(events(4))


def test_a_source_that_gives_more_but_cannot_be_reached_leaves_the_proof(store):
    proof = fetched(store, events(2), origin="telemetry")
    other(store, [], complete=False, expected_events=None, supersedes=frozenset({"telemetry"}), reason="no answer")
    assert unit_record(store) == proof


def test_another_source_that_may_show_less_leaves_what_was_read_with_more(store):
    proof = other(store, [placed(1), placed(2)], privileges=(7,))
    record = fetched(store, [event(1), event(2)], privileges=(1,))
    assert unit_record(store) == proof
    assert (record.complete, record.reason) == (
        False,
        "what is held was read with privilege 4, which is not granted now; ask the owner to grant it again",
    )


def late(store, given) -> bool:
    return commit_late(store, "4711", DAY, given, LATER)


def test_what_arrived_later_joins_its_day_and_stays_through_a_proof(store):
    fetched(store, events(3), origin="fetch")
    assert late(store, events(2, first=2))
    assert origins(store) == dict.fromkeys(ids(events(3)), "fetch") | {"event-000003": "late"}
    record = unit_record(store)
    assert (record.complete, record.expected_events, record.fetched_events, record.kept_events) == (True, 3, 3, 4)
    assert not late(store, events(2, first=2))
    fetched(store, events(1), origin="fetch")
    assert origins(store) == {"event-000000": "fetch", "event-000003": "late"}


def test_a_day_of_which_only_late_events_are_held_was_asked_of_nobody(store):
    late(store, events(1))
    assert asked_of(unit_record(store)) is None
    assert fetched(store, events(2)).origin == "device-data"
    assert held(store) == ids(events(2))


steps = st.lists(
    st.tuples(st.sampled_from(["proved", "incomplete", "unanswered", "file"]), st.integers(0, 12), st.integers(0, 6)),
    min_size=1,
    max_size=6,
)


@settings(max_examples=cases(30), deadline=None)
@given(steps)
def test_in_whatever_order_things_come_the_numbers_add_up_and_what_only_a_file_gave_stays(tmp_path_factory, taken):
    only_files: set[str] = set()
    with Store(str(tmp_path_factory.mktemp("lake"))) as store:
        for kind, first, count in taken:
            brought = events(count, first)
            if kind == "file":
                only_files |= set(ids(brought)) - set(held(store))
                imported(store, brought)
            else:
                known = {"complete": False, "expected_events": None if kind == "unanswered" else count + 1}
                fetched(store, brought, **({} if kind == "proved" else known))
                only_files -= set(ids(brought))
        there, record = held(store), unit_record(store)
    assert record.received_events == record.kept_events + record.duplicate_events + record.quarantined_events
    assert record.kept_events == there.total() == len(there)
    if record.origin != "import":
        assert record.kept_events == record.fetched_events + record.imported_events
    assert only_files <= set(there)
