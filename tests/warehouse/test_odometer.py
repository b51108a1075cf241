"""The odometer's curve: which readings lie on it, which do not, and why."""

from __future__ import annotations

import itertools
import random
from datetime import UTC, date, datetime, timedelta

import pytest

from tests.warehouse.lake import START, ZONES, Lake

VERDICTS = "SELECT odometer_km, reason FROM odometer WHERE vehicle_id = '1' ORDER BY timestamp, odometer_km"
CURVE = [10_000.0 + n for n in range(30)]


def verdicts(lake: Lake, readings: list, **spaced: float) -> list[tuple]:
    lake.odometer("1", readings, **spaced)
    lake.write()
    return lake.query(VERDICTS)


def reasons(lake: Lake, readings: list, **spaced: float) -> list[str | None]:
    return [reason for _, reason in verdicts(lake, readings, **spaced)]


def test_a_plain_drive_is_valid_throughout(lake):
    assert verdicts(lake, [10_000, 10_000, 10_003.5]) == [(10_000, None), (10_000, None), (10_003.5, None)]


def test_the_readings_dimo_calls_invalid_are_sentinels(lake):
    for vehicle, reading in enumerate([-5, 0, 6, 100, 65538, 65539, 983040]):
        lake.odometer(str(vehicle), [10_000, reading, 10_001])
    lake.write()
    assert lake.query("SELECT reason, count(*) FROM odometer GROUP BY ALL ORDER BY ALL") == [
        ("sentinel", 7),
        (None, 14),
    ]


def test_a_hundred_sentinels_in_a_row_do_not_end_the_curve(lake):
    assert reasons(lake, [*CURVE, *[0] * 100, 10_030, 10_031]).count(None) == 32


PLACES = (1, 2, 15, 28)


def reasons_with_one_replaced(lake: Lake, reading: float, minutes: float) -> dict[int, list[str | None]]:
    """The verdicts on the curve with one reading replaced, for each of PLACES (a vehicle each)."""
    for place in PLACES:
        lake.odometer(str(place), [*CURVE[:place], reading, *CURVE[place + 1 :]], minutes=minutes)
    lake.write()
    rows = lake.query("SELECT vehicle_id::INT, list(reason ORDER BY timestamp) FROM odometer GROUP BY ALL")
    return dict(rows)


@pytest.mark.parametrize("minutes", [1, 7 * 24 * 60])
def test_one_reading_too_high_is_a_leap_and_all_others_stay_valid(lake, minutes):
    expected = {place: [None] * place + ["leap"] + [None] * (29 - place) for place in PLACES}
    assert reasons_with_one_replaced(lake, 30_000, minutes) == expected


@pytest.mark.parametrize("minutes", [1, 7 * 24 * 60])
def test_one_reading_too_low_is_a_step_back_and_all_others_stay_valid(lake, minutes):
    expected = {place: [None] * place + ["step_back"] + [None] * (29 - place) for place in PLACES}
    assert reasons_with_one_replaced(lake, 500, minutes) == expected


def test_the_first_reading_of_all_may_be_the_bad_one(lake):
    assert reasons(lake, [88_000, *CURVE]) == ["leap"] + [None] * 30


def test_the_first_reading_of_all_may_be_too_low(lake):
    assert reasons(lake, [500, *CURVE]) == ["step_back"] + [None] * 30


def test_a_last_reading_out_of_reach_is_not_believed_until_another_confirms_it(lake):
    assert reasons(lake, [*CURVE, 88_000]) == [None] * 30 + ["leap"]


def test_a_last_reading_far_below_is_not_believed_until_another_confirms_it(lake):
    assert reasons(lake, [*CURVE, 500]) == [None] * 30 + ["step_back"]


def test_a_bad_one_of_three_is_the_one_in_the_middle(lake):
    assert reasons(lake, [10_000, 90_000, 10_010]) == [None, "leap", None]


def test_two_different_glitches_in_a_row_are_both_out(lake):
    readings = [*CURVE[:15], 30_000, 70_000, *CURVE[15:]]
    assert reasons(lake, readings) == [None] * 15 + ["leap", "leap"] + [None] * 15


def test_an_hour_of_readings_from_another_world_is_out_and_the_curve_goes_on(lake):
    readings = [*CURVE[:15], *[500 + n for n in range(8)], *CURVE[15:]]
    assert reasons(lake, readings) == [None] * 15 + ["step_back"] * 8 + [None] * 15


def test_a_glitch_every_other_reading_leaves_the_higher_curve(lake):
    readings = [reading for km in CURVE for reading in (km, 5_000)]
    assert reasons(lake, readings).count(None) >= 30
    assert lake.query("SELECT DISTINCT odometer_km >= 10000 FROM odometer WHERE is_valid") == [(True,)]


def test_of_two_interleaved_odometers_the_higher_is_the_curve(lake):
    readings = [reading for km in CURVE for reading in (km, km - 7)]
    assert reasons(lake, readings)[:-1] == [None, "step_back"] * 29 + [None]


def test_a_reset_starts_a_new_cycle_and_both_sides_stay_valid(lake):
    lake.odometer("1", [88_000, 88_040, 12_000, 12_050])
    lake.write()
    assert lake.query("SELECT cycle, is_valid FROM odometer ORDER BY timestamp") == [
        (1, True),
        (1, True),
        (2, True),
        (2, True),
    ]


def test_a_swap_to_a_dashboard_that_shows_more_starts_a_new_cycle(lake):
    lake.odometer("1", [12_000, 12_050, 88_000, 88_040])
    lake.write()
    assert lake.query("SELECT cycle, is_valid FROM odometer ORDER BY timestamp") == [
        (1, True),
        (1, True),
        (2, True),
        (2, True),
    ]


def test_two_resets_soon_after_one_another_are_two_cycles(lake):
    readings = [*CURVE, 5_000, 5_001, 5_002, *[300.0 + n for n in range(30)]]
    assert set(reasons(lake, readings)) == {None}
    assert lake.query("SELECT max(cycle) FROM odometer") == [(3,)]


def test_a_single_reading_amid_a_swap_belongs_to_neither_odometer(lake):
    assert reasons(lake, [*CURVE, 5_000, *[300.0 + n for n in range(30)]]) == [None] * 30 + ["step_back"] + [None] * 30
    assert lake.query("SELECT max(cycle) FROM odometer") == [(2,)]


def test_a_dip_of_less_than_a_kilometre_is_noise_and_no_reset(lake):
    assert reasons(lake, [10_000, 10_002, 10_001.5, 10_003]) == [None, None, "noise", None]
    assert lake.query("SELECT max(cycle) FROM odometer") == [(1,)]


def test_metres_are_converted_and_the_number_received_is_kept(lake):
    lake.odometer("1", [10_000, 10_000_500, 10_001])
    lake.write()
    assert lake.query("SELECT reading, odometer_km, is_valid FROM odometer ORDER BY timestamp") == [
        (10_000, 10_000, True),
        (10_000_500, 10_000.5, True),
        (10_001, 10_001, True),
    ]


def test_a_number_too_large_even_for_metres_is_out(lake):
    assert reasons(lake, [10_000, 4_294_967_295, 10_001]) == [None, "too_large", None]


def test_numbers_that_came_as_text_count_and_text_that_is_no_number_is_kept_with_its_reason(lake):
    assert verdicts(lake, ["10000", "NaN", "inf", "n/a", " 10001.5 "]) == [
        (10_000, None),
        (None, "not_a_number"),
        (None, "not_a_number"),
        (None, "not_a_number"),
        (10_001.5, None),
    ]


def test_a_null_is_no_reading(lake):
    lake.add("1", START, "odometer", json="null")
    lake.add("1", START, "odometer", json="12345678901234567890")
    lake.write()
    assert lake.query(VERDICTS) == [(12345678901234567.890, "too_large")]


def test_newer_payloads_name_the_odometer_otherwise(lake):
    lake.add("1", START, "powertrainTransmissionTravelledDistance", 10_000)
    lake.add("1", START, "speed", 10_000)
    lake.write()
    assert lake.query(VERDICTS) == [(10_000, None)]


def test_a_clock_that_was_not_set_does_not_place_readings_on_the_curve(lake):
    lake.odometer("1", CURVE)
    lake.add("1", datetime(1970, 1, 1, tzinfo=UTC), "odometer", 10_002, day=START.date())
    lake.add("1", datetime(2106, 2, 7, tzinfo=UTC), "odometer", 10_003, day=START.date())
    lake.write()
    assert [reason for _, reason in lake.query(VERDICTS)] == ["clock"] + [None] * 30 + ["clock"]


def test_vehicles_do_not_judge_each_other(lake):
    lake.odometer("1", CURVE)
    lake.odometer("2", [km + 50_000 for km in CURVE])
    lake.write()
    assert lake.query("SELECT DISTINCT is_valid, cycle FROM odometer") == [(True, 1)]


@pytest.mark.parametrize("seed", range(5))
def test_a_long_drive_with_scattered_glitches_keeps_every_true_reading_and_no_false_one(lake, seed):
    chance = random.Random(seed)
    true, readings, is_glitch = 20_000.0, [], []
    for _ in range(600):
        true += chance.choice([0, 0, 0.5, 3, 12])
        glitch = chance.random() < 0.05 and not any(is_glitch[-4:])
        readings.append(chance.choice([true + 400, true * 2, true / 2, true - 300]) if glitch else true)
        is_glitch.append(glitch)
    is_glitch[-1] = False
    readings[-1] = true
    assert [reason is not None for reason in reasons(lake, readings)] == is_glitch


def test_a_day_of_readings_is_a_utc_day_in_any_session(lake):
    lake.odometer("1", [10_000, 10_010, 10_020], start=datetime(2026, 3, 28, 23, 30, tzinfo=UTC), minutes=20)
    lake.cover("1", "2026-03-27")
    lake.write()
    for zone in ZONES:
        assert lake.query("FROM odometer_daily ORDER BY date", zone) == [
            ("1", date(2026, 3, 27), None, None, None, None, 0),
            ("1", date(2026, 3, 28), 10_000, 10_010, 10_000, 10_010, 2),
            ("1", date(2026, 3, 29), 10_020, 10_020, 10_020, 10_020, 1),
        ]


def test_no_reading_is_hidden(lake):
    readings = [10_000, 0, "x", 30_000, 10_001, 9_000, 10_002, 10_001.5, 5e9]
    assert len(verdicts(lake, readings)) == len(readings)


def test_valid_readings_never_fall_nor_outrun_a_vehicle_whatever_comes_in(lake):
    chance = random.Random(7)
    for n in range(2_000):
        reading = chance.choice([50_000 + n / 10, chance.uniform(0, 200_000), 50_000 + n / 10 - 20])
        lake.add("1", START + timedelta(seconds=30 * n), "odometer", reading)
    lake.write()
    curve = lake.query("SELECT cycle, timestamp, odometer_km FROM odometer WHERE is_valid ORDER BY timestamp")
    for (cycle, before, low), (next_cycle, after, high) in itertools.pairwise(curve):
        if cycle == next_cycle:
            assert 0 <= high - low <= 10 + 250 * (after - before).total_seconds() / 3600


def test_a_new_car_is_believed_below_a_hundred_kilometres_and_nothing_is_no_reading(lake):
    assert reasons(lake, [3, 0, 8.5, 40, 99, 100, 131, 150, 6]) == [None, "sentinel", *[None] * 6, "step_back"]


def test_a_car_that_has_not_driven_a_hundred_kilometres_yet_is_new(lake):
    assert verdicts(lake, [3, 8, 8, 15]) == [(3, None), (8, None), (8, None), (15, None)]


def test_a_used_car_is_not_new_however_often_it_says_six(lake):
    assert reasons(lake, [6, 10_000, 10_001, 6, 300, 10_002, 6]).count("sentinel") == 3


def test_a_first_reading_that_is_moderately_high_rejects_no_true_one(lake):
    readings = [2_822, 1_607, 2_100, 2_500, 2_900, 3_300]
    assert reasons(lake, readings, minutes=24 * 60) == ["leap", *[None] * 5]


def test_a_leap_that_the_curve_reaches_after_three_readings_is_the_one_that_is_out(lake):
    readings = [1_000, 2_822, 1_607, 2_100, 2_500, 2_900, 3_300]
    assert reasons(lake, readings, minutes=24 * 60) == [None, "leap", *[None] * 5]


def test_a_new_cars_single_readings_in_metres_are_metres(lake):
    readings = [849, 850, 850_500, 851, 851, 851, 851, 851.5, 851_700, 851_800, 852, 853]
    kilometres = [849, 850, 850.5, 851, 851, 851, 851, 851.5, 851.7, 851.8, 852, 853]
    assert [km for km, _ in verdicts(lake, readings)] == kilometres
    assert lake.query("SELECT DISTINCT is_valid FROM odometer") == [(True,)]


def test_a_source_that_always_sends_metres_does_so_below_a_thousand_kilometres_too(lake):
    # 12 km on the first day, 100 km more each day; it passes 1,000 km on the tenth.
    for day in range(13):
        metres = [12_000 + 100_000 * day + 1_000 * n for n in range(100)]
        lake.odometer("1", metres, start=START + timedelta(days=day), minutes=2)
    lake.write()
    assert lake.query("SELECT min(odometer_km), max(odometer_km), bool_and(is_valid), max(cycle) FROM odometer") == [
        (12, 1_311, True, 1)
    ]


def test_a_source_that_turns_to_miles_and_back_stays_on_the_curve(lake):
    miles = [round(km / 1.609344, 1) for km in CURVE[10:20]]
    found = verdicts(lake, [*CURVE[:10], *miles, *CURVE[20:]])
    assert [reason for _, reason in found] == [None] * 30
    assert [km for km, _ in found] == pytest.approx(CURVE, abs=0.1)
    assert lake.query("SELECT resets, round(distance_robust_km) FROM distance_driven") == [(0, 29)]


def test_a_source_that_sent_miles_until_it_was_mended_was_on_the_curve(lake):
    found = verdicts(lake, [*[km / 1.609344 for km in CURVE[:15]], *CURVE[15:]])
    assert [reason for _, reason in found] == [None] * 30
    assert [km for km, _ in found] == pytest.approx(CURVE)


@pytest.mark.parametrize("off", [-5_000, -60, -7, 7, 60, 5_000])
def test_of_two_sources_that_disagree_the_one_heard_on_more_days_is_the_curve(lake, off):
    for day in range(6):
        lake.odometer("1", [20_000 + 40 * day + n for n in range(20)], start=START + timedelta(days=day), minutes=30)
    for day in range(2, 4):
        for n in range(60):
            at = START + timedelta(days=day, minutes=31 + 9 * n)
            lake.add("1", at, "odometer", 20_000 + 40 * day + 9 * n / 30 + off, source="other")
    lake.write()
    assert lake.query("SELECT source, reason, count(*) FROM odometer GROUP BY ALL ORDER BY ALL") == [
        ("other", "other_source", 120),
        ("test", None, 120),
    ]
    assert lake.query("SELECT distance_robust_km, resets FROM distance_driven") == [(219, 0)]


def test_two_sources_that_agree_are_both_on_the_curve_and_count_once(lake):
    lake.odometer("1", CURVE)
    for n, km in enumerate(CURVE):
        lake.add("1", START + timedelta(minutes=10 * n), "odometer", km, source="other")
    lake.write()
    assert lake.query("SELECT count(*), bool_and(is_valid) FROM odometer") == [(60, True)]
    assert lake.query("SELECT distance_robust_km FROM distance_driven") == [(29,)]


def test_a_float_of_32_bits_below_the_reading_before_is_noise(lake):
    assert reasons(lake, [88_164.32, 88_164.3125, 88_165]) == [None, "noise", None]


def test_readings_equal_in_time_and_number_have_one_verdict_whatever_the_order_they_are_read_in(lake):
    # Each reading through three sources at once, as often true as not: what is first of the three may not matter.
    chance = random.Random(3)
    added = []
    for n, km in enumerate(CURVE * 2):
        reading = chance.choice([km, km, km + 400, 30_000, 300])
        added += [(START + timedelta(minutes=10 * n), reading, source) for source in "abc"]
    answers = set()
    for _ in range(3):
        lake.rows.clear()
        for moment, reading, source in added:
            lake.add("1", moment, "odometer", reading, source=source, event_id=f"{moment:%m%dT%H%M}{source}")
        lake.write()
        answers.add(str(lake.query("SELECT event_id, reason, cycle, odometer_km FROM odometer ORDER BY event_id")))
        chance.shuffle(added)
    assert len(answers) == 1
    assert lake.query(
        "SELECT count(*) FROM (SELECT timestamp FROM odometer WHERE reason IS DISTINCT FROM 'other_source' "
        "GROUP BY ALL HAVING count(DISTINCT coalesce(reason, '')) > 1)"
    ) == [(0,)]
