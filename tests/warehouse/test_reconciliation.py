"""DIMO's distances beside ours: each difference has its reason, on small lakes checked by hand."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from tests.warehouse.lake import ZONES, Lake, at

ASKED = at("2026-02-01T06:20")
DAY = date(2026, 1, 5)


class Compared(Lake):
    """A lake with what DIMO said of vehicle 1."""

    def total(self, km: float, asked_at: datetime = ASKED) -> None:
        self.say("1", km, asked_at)

    def day(self, km: float | None, day: date = DAY, zone: str = "UTC", asked_at: datetime = ASKED) -> None:
        self.say("1", km, asked_at, zone, day.isoformat())

    def held(self, *days: int, **known: object) -> None:
        """Days of January that are proved complete, or what else is known of them."""
        for day in days:
            self.cover("1", f"2026-01-{day:02}", **known)

    def verdicts(self, columns: str = "date, ours_km, agrees, why") -> list[tuple]:
        self.write()
        return self.query(f"SELECT {columns} FROM reconciliation ORDER BY date NULLS FIRST")


@pytest.fixture
def lake(tmp_path) -> Compared:
    return Compared(tmp_path / "lake")


def test_the_same_distance_agrees_in_all_and_by_day(lake):
    lake.odometer("1", [10_000, 10_004, 10_030.5])
    lake.held(5)
    lake.total(30.5)
    lake.day(30.5)
    assert lake.verdicts() == [(None, 30.5, True, "agrees"), (DAY, 30.5, True, "agrees")]


def test_our_readings_are_rounded_to_32_bits_as_those_of_the_index_are(lake):
    lake.odometer("1", [88_164.32, 125_841_491])
    lake.held(5)
    lake.total(125_841_488 - 88_164.3203125)
    assert lake.verdicts("ours_km, difference_km, why") == [(125_753_323.6796875, 0, "agrees")]


@pytest.mark.parametrize(("off_by", "agrees"), [(0.0, True), (0.01, True), (-0.01, True), (0.011, False)])
def test_a_hundredth_of_a_kilometre_is_noise_and_more_is_not(lake, off_by, agrees):
    lake.odometer("1", [10_000, 10_030])
    lake.held(5)
    lake.total(30 + off_by)
    assert lake.verdicts("agrees") == [(agrees,)]


def test_zero_without_a_reading_and_zero_without_movement_are_told_apart(lake):
    lake.held(5)
    lake.total(0)
    assert lake.verdicts() == [(None, 0, True, "no_odometer")]
    lake.odometer("1", [10_000, 10_000])
    lake.day(0)
    assert lake.verdicts() == [(None, 0, True, "no_movement"), (DAY, 0, True, "no_movement")]


def test_a_day_without_a_distance_on_either_side_agrees(lake):
    lake.held(5)
    lake.day(None)
    assert lake.verdicts("dimo_km, ours_km, difference_km, agrees, why") == [(None, None, None, True, "no_odometer")]


def test_a_day_whose_greatest_reading_is_invalid_is_null_on_our_side_too(lake):
    lake.odometer("1", [10_000, 10_010, 65538])
    lake.held(5, origin="import")
    lake.day(None)
    assert lake.verdicts() == [(DAY, None, True, "agrees")]


def test_days_are_those_of_the_zone_that_was_asked_for(lake):
    for moment, km in (("04T23:30", 10_000), ("05T00:00", 10_010), ("05T22:00", 10_040), ("05T23:30", 10_100)):
        lake.add("1", at(f"2026-01-{moment}"), "odometer", km)
    lake.held(4, 5, 6)
    lake.day(90, zone="UTC")
    assert lake.verdicts("date, time_zone, ours_km, agrees") == [(DAY, "UTC", 90, True)]
    lake.day(40, zone="Europe/Berlin", asked_at=at("2026-02-01T07:20"))
    lake.day(0, date(2026, 1, 6), zone="Europe/Berlin", asked_at=at("2026-02-01T07:20"))
    assert lake.verdicts("date, time_zone, ours_km, agrees") == [
        (DAY, "Europe/Berlin", 40, True),
        (date(2026, 1, 6), "Europe/Berlin", 0, True),
    ]


def test_the_last_answer_counts_and_earlier_ones_are_kept(lake):
    lake.odometer("1", [10_000, 10_030])
    lake.held(5)
    lake.total(12, asked_at=at("2026-01-31"))
    lake.total(30)
    assert lake.verdicts() == [(None, 30, True, "agrees")]
    assert lake.query("SELECT dimo_km FROM dimo_distances ORDER BY asked_at") == [(12,), (30,)]


def test_readings_that_came_after_dimo_was_asked_are_not_held_against_it(lake):
    lake.odometer("1", [10_000, 10_030])
    lake.add("1", at("2026-01-05T12:00"), "odometer", 10_050, received_at=at("2026-02-01T06:21"))
    lake.held(5)
    lake.total(30)
    lake.day(30)
    assert [why for (why,) in lake.verdicts("why")] == ["agrees", "agrees"]


@pytest.mark.parametrize("invalid", [983_040, 65_538, 6.5])
def test_a_bad_reading_that_dimo_counts_and_history_deletes_is_named(lake, invalid):
    lake.odometer("1", [10_000, 10_030])
    lake.held(5)
    lake.total(max(invalid, 10_030) - min(invalid, 10_000))
    ((agrees, why, detail),) = lake.verdicts("agrees, why, detail")
    assert (agrees, why) == (False, "bad_reading")
    assert f": {round(invalid, 1):g} km" in detail


def test_two_bad_readings_one_on_either_end_are_both_named(lake):
    lake.odometer("1", [88_000, 88_030])
    lake.held(5)
    lake.total(983_040 - 65_538)
    ((why, detail),) = lake.verdicts("why, detail")
    assert why == "bad_reading"
    assert ": 983040 and 65538 km" in detail


def test_a_low_glitch_that_makes_a_day_huge_is_named(lake):
    lake.odometer("1", [10_000, 10_030])
    lake.held(5)
    lake.day(10_030 - 3)
    ((why, detail),) = lake.verdicts("why, detail")
    assert why == "bad_reading"
    assert ": 3.0 km" in detail


def test_a_day_that_dimo_gives_no_distance_for_since_its_greatest_is_invalid_is_told(lake):
    lake.odometer("1", [10_000, 10_030])
    lake.held(5)
    lake.total(30)
    lake.day(None)
    assert lake.verdicts("why, detail")[1] == (
        "bad_reading",
        "DIMO gives no distance, since its greatest reading of the day is invalid: 65538, 65539 or 983040 km",
    )


def test_a_bad_reading_that_we_hold_and_dimo_does_not_count_is_named(lake):
    lake.odometer("1", [10_000, 10_030, 983_040])
    lake.held(5, origin="import")
    lake.total(30)
    lake.day(30)
    for why, detail in lake.verdicts("why, detail"):
        assert why == "bad_reading"
        assert detail == "we hold an invalid reading, which DIMO does not count: 983040.0 km"


def test_days_in_between_that_are_not_held_or_not_proved_are_counted(lake):
    lake.odometer("1", [10_000, 10_030])
    lake.held(1, 2, 5, 9)
    lake.held(7, complete=False, expected_events=12, reason="a millisecond over the cap")
    lake.total(55)
    lake.day(25, date(2026, 1, 7))
    assert lake.verdicts("date, agrees, why, missing_days, detail") == [
        (None, False, "days_missing", 5, "5 UTC days from our first to our last are not proved complete"),
        (date(2026, 1, 7), False, "days_missing", 1, "1 UTC days from our first to our last are not proved complete"),
    ]


def test_days_of_a_vehicle_nobody_brought_are_missing(lake):
    lake.total(55)
    assert lake.verdicts("agrees, why, detail") == [(False, "days_missing", "no day of the vehicle is held")]


def test_a_day_with_nothing_but_a_snapshot_is_not_one_of_ours(lake):
    lake.odometer("1", [10_000, 10_030])
    lake.held(4, 5)
    lake.held(20, origin="snapshot", complete=None)
    lake.total(30)
    assert lake.verdicts("why, missing_days") == [("agrees", 0)]


def test_days_dimo_counts_after_our_last_are_newer_than_ours(lake):
    lake.odometer("1", [10_000, 10_030])
    lake.held(4, 5)
    lake.total(90, at("2026-01-10"))
    lake.day(30, DAY, asked_at=at("2026-01-10"))
    lake.day(58, date(2026, 1, 8), asked_at=at("2026-01-10"))
    assert lake.verdicts("date, agrees, why") == [
        (None, False, "newer_than_ours"),
        (DAY, True, "agrees"),
        (date(2026, 1, 8), False, "newer_than_ours"),
    ]


def test_a_day_that_was_not_over_when_dimo_was_asked_is_no_disagreement_yet(lake):
    lake.odometer("1", [10_000, 10_030])
    lake.held(4, 5)
    asked = at("2026-01-06T18:00")
    lake.total(70, asked)
    lake.day(30, DAY, asked_at=asked)
    lake.day(40, date(2026, 1, 6), asked_at=asked)
    assert lake.verdicts("date, agrees, why") == [
        (None, None, "newer_than_ours"),
        (DAY, True, "agrees"),
        (date(2026, 1, 6), None, "newer_than_ours"),
    ]


def test_a_day_that_is_not_over_does_not_hide_what_was_driven_before_our_first(lake):
    lake.odometer("1", [10_000, 10_030])
    lake.held(4, 5)
    asked = at("2026-01-06T18:00")
    lake.total(9_070, asked)
    lake.day(30, DAY, asked_at=asked)
    lake.day(40, date(2026, 1, 6), asked_at=asked)
    assert lake.verdicts("date, agrees, why")[0] == (None, False, "before_our_first_day")


def test_what_came_before_the_days_dimo_speaks_of_and_after_our_last_may_be_any_distance(lake):
    lake.odometer("1", [10_000, 10_030])
    lake.held(4, 5)
    lake.total(9_070)
    lake.day(0, date(2026, 1, 26))
    assert lake.verdicts("date, agrees, why") == [
        (None, False, "newer_than_ours"),
        (date(2026, 1, 26), False, "newer_than_ours"),
    ]


def test_late_documents_may_have_come_to_a_day_fetched_soon_after_its_end(lake):
    lake.odometer("1", [10_000, 10_030])
    lake.held(5, fetched_at=at("2026-01-06T06:15"))
    lake.day(45)
    assert lake.verdicts("agrees, why, detail") == [
        (False, "newer_than_ours", "late documents may have come since it was fetched")
    ]


def test_a_valid_reading_below_our_lowest_lies_before_our_first_day(lake):
    lake.odometer("1", [10_000, 10_030])
    lake.held(4, 5)
    lake.total(2_030, at("2026-01-05T23:59"))
    lake.day(30, asked_at=at("2026-01-05T23:59"))
    assert lake.verdicts("date, agrees, why")[0] == (None, False, "before_our_first_day")


def test_a_local_day_that_begins_before_our_first_utc_day_says_so(lake):
    lake.odometer("1", [10_000, 10_030])
    lake.held(5)
    lake.day(50, zone="Europe/Berlin")
    assert lake.verdicts("agrees, why") == [(False, "before_our_first_day")]


def test_a_distance_that_nothing_history_gives_can_explain_is_beyond_history(lake):
    lake.odometer("1", [10_000, 10_030])
    lake.held(4, 5, 6)
    lake.total(30)
    lake.day(4_000)
    assert lake.verdicts("date, agrees, why")[1] == (DAY, False, "beyond_history")


def test_a_day_is_never_explained_by_an_invalid_greatest_for_then_dimo_gives_none(lake):
    lake.odometer("1", [10_000, 10_030])
    lake.held(5)
    lake.day(983_040 - 10_000)
    assert lake.verdicts("why") == [("beyond_history",)]


def test_readings_that_dimo_lacks_are_not_counted_by_it(lake):
    lake.odometer("1", [10_000, 10_030])
    lake.held(4, 5)
    lake.total(0)
    lake.day(None)
    assert lake.verdicts("agrees, why") == [(False, "not_counted"), (False, "not_counted")]


def test_other_vehicles_and_their_gaps_play_no_part(lake):
    lake.odometer("1", [10_000, 10_030])
    lake.odometer("2", [50_000, 90_000])
    lake.held(5)
    lake.cover("2", "2026-01-01", complete=False)
    lake.total(30)
    assert lake.verdicts() == [(None, 30, True, "agrees")]


def test_readings_that_are_no_numbers_play_no_part(lake):
    lake.odometer("1", [10_000, 10_030, "soon", "10040"])
    lake.add("1", at("2026-01-05T13:00"), "odometer", json="null")
    lake.add("1", at("2026-01-05T13:10"), "odometer", json="1e300")
    lake.held(5)
    lake.total(40)
    assert lake.verdicts() == [(None, 40, True, "agrees")]


def test_the_verdicts_are_the_same_in_every_session(lake):
    for hour in range(48):
        lake.add(
            "1", datetime(2026, 1, 4, hour % 24, 30, tzinfo=UTC).replace(day=4 + hour // 24), "odometer", 10_000 + hour
        )
    lake.held(4, 5)
    lake.day(23, zone="Europe/Berlin")
    first = lake.verdicts("*")
    for zone in ZONES:
        assert lake.query("FROM reconciliation", zone)[0][:8] == first[0][:8]


def test_an_empty_warehouse_has_nothing_to_reconcile(lake):
    assert lake.verdicts() == []
