"""Vehicles, windows and days."""

from __future__ import annotations

from datetime import date

import pytest

from dimo_etl.errors import InputError
from dimo_etl.model import Window, day_of_us, day_window, days_between, parse_vehicle_id, rfc3339_ms


@pytest.mark.parametrize(
    ("text", "vehicle_id"),
    [
        ("4711", "4711"),
        (" 4711 ", "4711"),
        ("0004711", "4711"),
        ("2testUserDevice000000000001", "2testUserDevice000000000001"),
    ],
)
def test_a_vehicle_is_named_by_token_id_or_user_device_id(text, vehicle_id):
    assert parse_vehicle_id(text) == vehicle_id


@pytest.mark.parametrize("text", ["", "../x", "4711/..", "-1", "4.7", "x" * 26, "1" * 21, "٤٧١١", "a\x00b", "'; --"])
def test_anything_else_is_refused_before_it_reaches_a_path_or_an_address(text):
    with pytest.raises(InputError, match=r"is not a vehicle id; give a token id such as 4711"):
        parse_vehicle_id(text)


def test_a_day_is_a_window_to_its_last_millisecond():
    assert str(day_window(date(2026, 1, 5))) == "2026-01-05T00:00:00.000Z to 2026-01-05T23:59:59.999Z"
    assert day_window(date(2026, 1, 5)).span_ms == 86_400_000
    assert Window(7, 7).span_ms == 1


def test_times_are_written_with_three_digits_also_before_1970():
    assert rfc3339_ms(0) == "1970-01-01T00:00:00.000Z"
    assert rfc3339_ms(-1) == "1969-12-31T23:59:59.999Z"


@pytest.mark.parametrize(
    ("us", "day"), [(0, date(1970, 1, 1)), (-1, date(1969, 12, 31)), (86_400_000_000, date(1970, 1, 2))]
)
def test_a_time_falls_in_its_utc_day(us, day):
    assert day_of_us(us) == day


def test_days_between_includes_both_ends_and_leap_days():
    assert days_between(date(2024, 2, 28), date(2024, 3, 1)) == [date(2024, 2, 28), date(2024, 2, 29), date(2024, 3, 1)]
    assert days_between(date(2024, 3, 1), date(2024, 2, 28)) == []
