"""Distances: conserved, by UTC and by local day, and DIMO's own number beside the robust one."""

from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from tests.warehouse.lake import ZONES, Lake, at

DAILY = "SELECT date, distance_km, observed_km, bridged_km FROM distance_daily ORDER BY date"


def test_what_is_driven_over_midnight_counts_on_the_day_it_is_seen(lake):
    lake.add("1", at("2026-01-05T22:00"), "odometer", 10_000)
    lake.add("1", at("2026-01-05T23:50"), "odometer", 10_040)
    lake.add("1", at("2026-01-06T00:10"), "odometer", 10_060)
    lake.add("1", at("2026-01-06T08:00"), "odometer", 10_065)
    lake.write()
    for zone in ZONES:
        assert lake.query(DAILY, zone) == [(date(2026, 1, 5), 40, 40, 0), (date(2026, 1, 6), 25, 5, 20)]


def test_a_day_that_was_not_read_is_null_and_a_day_without_movement_is_zero(lake):
    lake.add("1", at("2026-01-05T12:00"), "odometer", 10_000)
    lake.add("1", at("2026-01-07T12:00"), "odometer", 10_100)
    lake.add("1", at("2026-01-08T12:00"), "odometer", 10_100)
    lake.cover("1", "2026-01-04")
    lake.cover("1", "2026-01-10")
    lake.write()
    assert lake.query(DAILY) == [
        (date(2026, 1, 4), None, None, None),
        (date(2026, 1, 5), 0, 0, 0),
        (date(2026, 1, 6), None, None, None),
        (date(2026, 1, 7), 100, 0, 100),
        (date(2026, 1, 8), 0, 0, 0),
        (date(2026, 1, 9), None, None, None),
        (date(2026, 1, 10), None, None, None),
    ]


def test_a_day_with_only_invalid_readings_was_not_read(lake):
    lake.add("1", at("2026-01-05T12:00"), "odometer", 65538)
    lake.cover("1", "2026-01-05")
    lake.write()
    assert lake.query(DAILY) == [(date(2026, 1, 5), None, None, None)]


def test_across_a_reset_nothing_is_counted_and_both_sides_are(lake):
    for hour, km in enumerate([88_000, 88_040, 12_000, 12_050]):
        lake.add("1", at("2026-01-05T22:00") + timedelta(hours=hour), "odometer", km)
    lake.write()
    assert lake.query("SELECT date, distance_km, resets FROM distance_daily ORDER BY date") == [
        (date(2026, 1, 5), 40, 0),
        (date(2026, 1, 6), 50, 1),
    ]
    assert lake.query("SELECT distance_km, distance_robust_km, resets FROM distance_driven") == [(76_040, 90, 1)]


def test_the_days_add_up_to_the_whole_to_the_metre_in_every_zone(lake):
    chance = random.Random(3)
    moment, km = at("2026-03-20"), 20_000.0
    for _ in range(1_500):
        moment += timedelta(minutes=chance.choice([1, 5, 30, 120]))
        km += chance.choice([0, 0.123, 1.7, 9.99])
        lake.add("1", moment, "odometer", chance.choice([km] * 40 + [0, 65538, km * 2, km / 2]))
    lake.add("1", moment + timedelta(minutes=1), "odometer", km)
    lake.add("1", moment + timedelta(minutes=2), "odometer", km)
    lake.write()
    (first, last, resets), *_ = lake.query("SELECT first_km, last_km, resets FROM distance_driven")
    assert resets == 0
    for zone in ZONES:
        total = lake.query(f"SELECT sum(distance_m) FROM distance_daily_in('{zone}')", "Asia/Tokyo")
        assert total == [(round(last * 1000) - round(first * 1000),)]


def test_local_days_are_those_of_the_zone_also_where_its_clocks_change(lake):
    hours = [at("2026-03-27T00:30") + timedelta(hours=n) for n in range(11 * 24)]
    for n, moment in enumerate(hours):
        lake.add("1", moment, "odometer", 10_000 + n)
    lake.write()
    for zone in ZONES:
        # One kilometre an hour, so that a local day has as many kilometres as it has readings.
        expected = Counter(moment.astimezone(ZoneInfo(zone)).date() for moment in hours)
        expected[hours[0].astimezone(ZoneInfo(zone)).date()] -= 1
        days = f"SELECT date, distance_km FROM distance_daily_in('{zone}') WHERE readings > 0"
        assert dict(lake.query(days, "Asia/Tokyo")) == expected


def test_a_day_of_23_hours_and_one_of_25_are_whole_days(lake):
    for zone_day in (at("2026-03-28T23:00"), at("2026-10-24T22:00")):
        for hour in range(26):
            lake.add("1", zone_day + timedelta(hours=hour), "odometer", 10_000 + (zone_day.month * 100) + hour)
    lake.write()
    readings = dict(lake.query("SELECT date, readings FROM distance_daily_in('Europe/Berlin') WHERE readings > 0"))
    assert readings[date(2026, 3, 29)] == 23
    assert readings[date(2026, 10, 25)] == 25


def test_dimos_own_number_counts_every_reading_and_the_robust_one_only_the_curve(lake):
    lake.odometer("1", [6, 10_000, 10_010, 65538, 10_020])
    lake.write()
    assert lake.query("SELECT distance_km, distance_robust_km, readings, valid_readings FROM distance_driven") == [
        (65532, 20, 5, 3)
    ]


def test_a_vehicle_without_an_odometer_has_driven_zero_and_has_its_row(lake):
    lake.odometer("1", [10_000, 10_010])
    lake.cover("2", "2026-01-05")
    lake.cover("1", "2026-01-05")
    lake.write()
    assert lake.query("SELECT vehicle_id, distance_km, distance_robust_km FROM distance_driven ORDER BY 1") == [
        ("1", 10, 10),
        ("2", 0, 0),
    ]


def test_a_clock_far_in_the_future_does_not_make_a_million_days(lake):
    lake.odometer("1", [10_000, 10_001])
    lake.add("1", datetime(9998, 1, 1, tzinfo=UTC), "odometer", 10_002, day=date(2026, 1, 5))
    lake.write()
    assert lake.query("SELECT count(*) FROM distance_daily") == [(1,)]


def test_a_year_of_vehicles_is_measured_as_plain_python_measures_it(tmp_path):
    lake = Lake(tmp_path / "lake")
    chance, expected = random.Random(5), {}
    for vehicle in ("1", "2", "3"):
        km = chance.uniform(5_000, 90_000)
        for day in range(0, 60, chance.choice([1, 2])):
            start = at("2026-01-01T06:00") + timedelta(days=day)
            for hour in range(12):
                lake.add(vehicle, start + timedelta(hours=hour), "odometer", round(km, 3))
                expected.setdefault((vehicle, start.date()), []).append(round(km, 3))
                km += chance.choice([0, 0, 31.5])
    lake.write()
    days = lake.query("SELECT vehicle_id, date, distance_km FROM distance_daily WHERE readings > 0 ORDER BY ALL")
    previous: dict[str, float] = {}
    for vehicle, day, distance in days:
        readings = expected[vehicle, day]
        assert distance == pytest.approx(readings[-1] - previous.get(vehicle, readings[0]), abs=1e-6)
        previous[vehicle] = readings[-1]
    assert len(days) == len(expected)


def test_weeks_and_months_are_the_sum_of_their_days(lake):
    # 2026-01-05 is a Monday. A kilometre at each noon, except that the 4th has no reading and the 12th stands still.
    for day, km in ((2, 10_000), (3, 10_001), (5, 10_003), (6, 10_004), (11, 10_009), (12, 10_009)):
        lake.add("1", at(f"2026-01-{day:02}T12:00"), "odometer", km)
    lake.add("1", at("2026-02-01T00:30"), "odometer", 10_030)
    for day in ("2026-01-02", "2026-02-01"):
        lake.cover("1", day)
    lake.write()
    assert lake.query("SELECT week, distance_km, days_read FROM distance_weekly ORDER BY week") == [
        (date(2025, 12, 29), 1, 2),
        (date(2026, 1, 5), 8, 3),
        (date(2026, 1, 12), 0, 1),
        (date(2026, 1, 19), None, 0),
        (date(2026, 1, 26), 21, 1),
    ]
    months = "SELECT month, distance_km, bridged_km FROM distance_monthly{} ORDER BY month"
    assert lake.query(months.format("")) == [(date(2026, 1, 1), 9, 9), (date(2026, 2, 1), 21, 21)]
    # In Los Angeles the last reading is still of January; a part of its UTC day is of February, and was not read.
    assert lake.query(months.format("_in('America/Los_Angeles')")) == [
        (date(2026, 1, 1), 30, 30),
        (date(2026, 2, 1), None, None),
    ]


def test_a_vehicle_that_moves_from_one_source_to_another_has_one_curve(lake):
    # 1 km each 10 minutes: history until the 30th reading, live from the 20th on, the same readings 400 ns apart.
    start = at("2026-06-01T08:00")
    for n in range(60):
        moment = start + timedelta(minutes=10 * n)
        if n <= 30:
            lake.add("1", moment, "odometer", 50_000 + n, source="dimo/integration/history")
        if n >= 20:
            live = moment + timedelta(microseconds=n % 2)
            lake.add("1", live, "powertrainTransmissionTravelledDistance", 50_000 + n, source="0xlive")
    # And then by a Tesla's own payload, in miles.
    lake.add("1", start + timedelta(hours=11), "vehicle_state.odometer", 50_065 / 1.609344, source="0xtesla")
    lake.add("1", start + timedelta(hours=12), "vehicle_state.odometer", 50_070 / 1.609344, source="0xtesla")
    lake.write()
    assert lake.query("SELECT DISTINCT is_valid, cycle FROM odometer") == [(True, 1)]
    assert lake.query("SELECT distance_robust_km, resets FROM distance_driven") == [(70, 0)]
    assert lake.query("SELECT sum(distance_m) FROM distance_daily") == [(70_000,)]
