"""Times in every form that vehicles and services write them."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dimo_etl.flatten.times import all_to_us
from dimo_etl.timestamps import to_us

T = 1_767_607_202_000_000  # 2026-01-05T10:00:02Z
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "us"),
    [
        ("2026-01-05T10:00:02Z", T),
        ("2026-01-05T10:00:02.5Z", T + 500_000),
        ("2026-01-05T10:00:02.123456Z", T + 123_456),
        ("2026-01-05T10:00:02.123456999Z", T + 123_456),
        ("2026-01-05T10:00:02.1234567891234Z", T + 123_456),
        ("2026-01-05T10:00:02,5Z", T + 500_000),
        ("2026-01-05t10:00:02z", T),
        ("2026-01-05 10:00:02", T),
        ("2026-01-05T10:00:02", T),
        (" 2026-01-05T10:00:02Z ", T),
        ("2026-01-05T12:00:02+02:00", T),
        ("2026-01-05T12:00:02+0200", T),
        ("2026-01-05T04:30:02.25-05:30", T + 250_000),
        ("2026-01-05T10:00Z", T - 2_000_000),
        ("2026-01-05", T - 36_002_000_000),
        ("1969-12-31T23:59:59.999Z", -1_000),
    ],
)
def test_text_in_the_forms_of_rfc_3339_is_a_time(text, us):
    assert to_us(text) == us


@pytest.mark.parametrize(
    ("number", "us"),
    [
        (1_767_607_202, T),
        (1_767_607_202.5, T + 500_000),
        (1_767_607_202_123, T + 123_000),
        (1_767_607_202_123.0, T + 123_000),
        (1_767_607_202_123_456, T + 123_456),
        (1_767_607_202_123_456_789, T + 123_456),
        (0, 0),
        (-1, -1_000_000),
    ],
)
def test_an_epoch_number_is_taken_by_its_magnitude(number, us):
    assert to_us(number) == us


@pytest.mark.parametrize(
    "value",
    [
        "",
        "soon",
        "1767607202",
        "2026-13-05T10:00:02Z",
        "2026-02-30",
        "2026-01-05T24:00:02Z",
        "2026-01-05T10:00:02Zulu",
        "\u0662\u0660\u0662\u0666-01-05",
        "0000-01-01T00:00:00Z",
        "1899-12-31T23:59:59Z",
        "2200-01-01T00:00:01Z",
        "9999-12-31T23:59:59Z",
        True,
        None,
        [],
        {},
        float("nan"),
        float("inf"),
        10**400,
        1e19,
        -(10**10),
    ],
)
def test_what_no_car_could_have_measured_is_no_time(value):
    assert to_us(value) is None


@given(
    st.datetimes(datetime(1900, 1, 2), datetime(2199, 12, 30)),  # noqa: DTZ001
    st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes))),
)
def test_a_time_is_the_same_in_every_zone_to_the_microsecond(moment, zone):
    moment = moment.replace(tzinfo=UTC)
    us = (moment - EPOCH) // timedelta(microseconds=1)
    assert to_us(moment.isoformat()) == us
    assert to_us(moment.astimezone(zone).isoformat()) == us


MOMENTS = (
    "1899-12-31T23:59:59",
    "1969-12-31T23:59:59",
    "2026-01-05T10:00:02",
    "2200-01-01T00:00:01",
    "9999-12-31T00:00:00",
)
NO_MOMENTS = ("0000-01-01T00:00:00", "2026-02-30T10:00:02", "2026-01-05T24:00:00", "2026-01-05T10:00:60", "soon")
UNUSUAL = ("2026-01-05 10:00:02", "2026-01-05t10:00:02", "2026-01-05T10:00", "2026-01-05", " 2026-01-05T10:00:02")
FRACTIONS = ("", ".5", ".123456", ".123456999", ".1234567891", ",5", ".")
ENDS = ("Z", "z", " Z", "", "+02:00", "+0200", "+02", "ZZ", "\ud800Z")


def test_many_times_are_read_as_each_alone():
    forms = ["".join(parts) for parts in itertools.product(MOMENTS + NO_MOMENTS + UNUSUAL, FRACTIONS, ENDS)]
    for form in forms:
        assert all_to_us([form, "2026-01-05T10:00:02.25Z"]) == [to_us(form), T + 250_000]
    values = [*forms, None, True, 1_767_607_202, ["2026-01-05T10:00:02Z"]]
    assert all_to_us(values) == [to_us(value) for value in values]
    assert all_to_us([]) == []
