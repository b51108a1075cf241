"""A fleet of three vehicles over four days, small enough to work out every answer by hand.

The days are 2026-03-28 to 31, Saturday to Tuesday: on Sunday the 29th at 01:00 UTC Berlin goes from UTC+1 to UTC+2, and
on Monday the 30th a week begins.

Vehicle 1 is driven every day but Monday, and some of its readings are wrong:

    Sat 28  08:00 10 000   12:00 10 050   22:30 10 080   23:30 10 090
    Sun 29  10:00 10 100 500, in metres   15:00 65 538, a sentinel   21:30 10 120   22:30 10 125
    Mon 30  no odometer; a speed of 0 at 12:00
    Tue 31  09:00 10 325   10:00 30 000, a leap   11:00 10 335   12:00 "n/a"   13:00 an error that is only a text

Vehicle 2 has its dashboard swapped in the night to Sunday, stands on Monday, and is not known on Tuesday:

    Sat 28  18:00 88 000   20:00 88 040
    Sun 29  08:00 12 000   09:00 12 030   10:00 12 030
    Mon 30  08:00 12 030   12:00 12 030

Vehicle 3 has no odometer, and errors:

    Sat 28  10:00 no tyre pressure and no fuel level, at 52.5 degrees north   11:00 no tyre pressure
            12:00 two speeds of the same instant: 50, and 51 that was received later
    Sun 29  one event, of which nothing is kept
"""

from __future__ import annotations

import json
from datetime import UTC, date

import pytest

from tests.warehouse.lake import ZONES, Lake, at

TYRES = {"type": "tires/pressure", "errorCode": 502, "errorType": "UPSTREAM"}
FUEL = {"type": "fuel", "errorCode": "NO_FUEL", "errorType": "VEHICLE_STATE"}
SAT, SUN, MON, TUE, WED = (date(2026, 3, 28), date(2026, 3, 29), date(2026, 3, 30), date(2026, 3, 31), date(2026, 4, 1))
WEEK, NEXT_WEEK = date(2026, 3, 23), MON
READINGS = {
    "1": {
        "28T08:00": 10_000,
        "28T12:00": 10_050,
        "28T22:30": 10_080,
        "28T23:30": 10_090,
        "29T10:00": 10_100_500,
        "29T15:00": 65_538,
        "29T21:30": 10_120,
        "29T22:30": 10_125,
        "31T09:00": 10_325,
        "31T10:00": 30_000,
        "31T11:00": 10_335,
        "31T12:00": "n/a",
    },
    "2": {
        "28T18:00": 88_000,
        "28T20:00": 88_040,
        "29T08:00": 12_000,
        "29T09:00": 12_030,
        "29T10:00": 12_030,
        "30T08:00": 12_030,
        "30T12:00": 12_030,
    },
}
EVENTS = {"1": {"28": 4, "29": 4, "30": 1, "31": 5}, "2": {"28": 2, "29": 3, "30": 2}, "3": {"28": 4, "29": 1}}


def march(text: str):
    return at(f"2026-03-{text}")


@pytest.fixture(scope="module")
def fleet(tmp_path_factory) -> Lake:
    lake = Lake(tmp_path_factory.mktemp("golden") / "lake")
    for vehicle, readings in READINGS.items():
        for time, reading in readings.items():
            lake.add(vehicle, march(time), "odometer", reading)
    for vehicle, days in EVENTS.items():
        for day, events in days.items():
            lake.cover(vehicle, f"2026-03-{day}", kept_events=events, fetched_events=events, expected_events=events)
    lake.add("1", march("30T12:00"), "speed", 0)
    lake.add("1", march("31T13:00"), "errors", "no answer")
    lake.add("3", march("28T10:00"), "errors", json=json.dumps([TYRES, FUEL]))
    lake.add("3", march("28T10:00"), "latitude", 52.5)
    lake.add("3", march("28T11:00"), "errors", json=json.dumps([TYRES]))
    lake.add("3", march("28T12:00"), "speed", 51, received_at=march("28T12:05"))
    lake.add("3", march("28T12:00"), "speed", 50, received_at=march("28T12:04"))
    lake.write()
    return lake


@pytest.fixture(params=ZONES)
def ask(fleet, request):
    """What a session in a zone gets, with instants in UTC."""

    def asked(sql: str) -> list[tuple]:
        rows = fleet.query(sql, request.param)
        return [
            tuple(value.astimezone(UTC) if hasattr(value, "astimezone") else value for value in row) for row in rows
        ]

    return asked


def test_each_reading_has_its_verdict(ask):
    assert ask(
        "SELECT vehicle_id, timestamp, odometer_km, reason, reading, cycle FROM odometer ORDER BY vehicle_id, timestamp"
    ) == [
        ("1", march("28T08:00"), 10_000, None, 10_000, 1),
        ("1", march("28T12:00"), 10_050, None, 10_050, 1),
        ("1", march("28T22:30"), 10_080, None, 10_080, 1),
        ("1", march("28T23:30"), 10_090, None, 10_090, 1),
        # Above 999 999 it is metres: 10 100 500 m are 10 100.5 km, which lie between 10 090 and 10 120.
        ("1", march("29T10:00"), 10_100.5, None, 10_100_500, 1),
        ("1", march("29T15:00"), 65_538, "sentinel", 65_538, None),
        ("1", march("29T21:30"), 10_120, None, 10_120, 1),
        ("1", march("29T22:30"), 10_125, None, 10_125, 1),
        # 200 km in 34.5 hours are driven easily, though nobody saw them.
        ("1", march("31T09:00"), 10_325, None, 10_325, 1),
        # 19 675 km in an hour are not, and 10 335 goes on from 10 325.
        ("1", march("31T10:00"), 30_000, "leap", 30_000, None),
        ("1", march("31T11:00"), 10_335, None, 10_335, 1),
        ("1", march("31T12:00"), None, "not_a_number", None, None),
        ("2", march("28T18:00"), 88_000, None, 88_000, 1),
        ("2", march("28T20:00"), 88_040, None, 88_040, 1),
        # 76 040 km back and never again above: another odometer, confirmed by the readings after it.
        ("2", march("29T08:00"), 12_000, None, 12_000, 2),
        ("2", march("29T09:00"), 12_030, None, 12_030, 2),
        ("2", march("29T10:00"), 12_030, None, 12_030, 2),
        ("2", march("30T08:00"), 12_030, None, 12_030, 2),
        ("2", march("30T12:00"), 12_030, None, 12_030, 2),
    ]


def test_each_utc_day_has_its_first_and_last_reading(ask):
    assert ask("FROM odometer_daily ORDER BY ALL") == [
        ("1", SAT, 10_000, 10_090, 10_000, 10_090, 4),
        # Without the sentinel at 15:00.
        ("1", SUN, 10_100.5, 10_125, 10_100.5, 10_125, 3),
        # Only a speed.
        ("1", MON, None, None, None, None, 0),
        # Without the leap and the text.
        ("1", TUE, 10_325, 10_335, 10_325, 10_335, 2),
        ("2", SAT, 88_000, 88_040, 88_000, 88_040, 2),
        ("2", SUN, 12_000, 12_030, 12_000, 12_030, 3),
        ("2", MON, 12_030, 12_030, 12_030, 12_030, 2),
        # The last day known of vehicle 2 is Monday, of vehicle 3 Sunday.
        ("3", SAT, None, None, None, None, 0),
        ("3", SUN, None, None, None, None, 0),
    ]


def test_each_utc_day_has_its_distance(ask):
    # vehicle, day, distance, observed, bridged, metres, readings, resets
    assert ask("FROM distance_daily ORDER BY vehicle_id, date") == [
        # 10 090 - 10 000; the first day has nothing before it to bridge.
        ("1", SAT, 90, 90, 0, 90_000, 4, 0),
        # Bridged 10 100.5 - 10 090; observed 10 125 - 10 100.5.
        ("1", SUN, 35, 24.5, 10.5, 35_000, 3, 0),
        ("1", MON, None, None, None, None, 0, 0),
        # Bridged 10 325 - 10 125 over Monday, seen on Tuesday; observed 10 335 - 10 325. In all 90 + 35 + 210 = 335.
        ("1", TUE, 210, 10, 200, 210_000, 2, 0),
        ("2", SAT, 40, 40, 0, 40_000, 2, 0),
        # What was driven from one dashboard to the other is unknown; observed 12 030 - 12 000.
        ("2", SUN, 30, 30, 0, 30_000, 3, 1),
        # Read, and not moved: 0, not null.
        ("2", MON, 0, 0, 0, 0, 2, 0),
        ("3", SAT, None, None, None, None, 0, 0),
        ("3", SUN, None, None, None, None, 0, 0),
    ]


def test_each_day_of_berlin_has_its_distance(ask):
    assert ask("FROM distance_daily_in('Europe/Berlin') ORDER BY vehicle_id, date") == [
        # At UTC+1 the readings are at 09:00, 13:00 and 23:30; that of 23:30 UTC is of Sunday.
        ("1", SAT, 80, 80, 0, 80_000, 3, 0),
        # 00:30 at UTC+1, 12:00 and 23:30 at UTC+2. Bridged 10 090 - 10 080; observed 10 120 - 10 090.
        ("1", SUN, 40, 30, 10, 40_000, 3, 0),
        # 22:30 UTC is 00:30 of Monday. Bridged 10 125 - 10 120. At UTC+1 it would be 23:30 of Sunday.
        ("1", MON, 5, 0, 5, 5_000, 1, 0),
        # Bridged 10 325 - 10 125; observed 10 335 - 10 325. In all 80 + 40 + 5 + 210 = 335, as by UTC days.
        ("1", TUE, 210, 10, 200, 210_000, 2, 0),
        # The UTC Tuesday ends on Wednesday at 02:00 in Berlin.
        ("1", WED, None, None, None, None, 0, 0),
        # All readings of vehicle 2 are on the same day in Berlin as by UTC; its last UTC day ends on Tuesday.
        ("2", SAT, 40, 40, 0, 40_000, 2, 0),
        ("2", SUN, 30, 30, 0, 30_000, 3, 1),
        ("2", MON, 0, 0, 0, 0, 2, 0),
        ("2", TUE, None, None, None, None, 0, 0),
        ("3", SAT, None, None, None, None, 0, 0),
        ("3", SUN, None, None, None, None, 0, 0),
        ("3", MON, None, None, None, None, 0, 0),
    ]


def test_each_week_has_its_distance(ask):
    # vehicle, Monday, distance, observed, bridged, metres, readings, resets, days with a reading
    assert ask("FROM distance_weekly ORDER BY vehicle_id, week") == [
        # Saturday and Sunday: 90 + 35; observed 90 + 24.5; 4 + 3 readings.
        ("1", WEEK, 125, 114.5, 10.5, 125_000, 7, 0, 2),
        # Monday was not read; Tuesday's 210.
        ("1", NEXT_WEEK, 210, 10, 200, 210_000, 2, 0, 1),
        # 40 + 30, with the swap.
        ("2", WEEK, 70, 70, 0, 70_000, 5, 1, 2),
        ("2", NEXT_WEEK, 0, 0, 0, 0, 2, 0, 1),
        ("3", WEEK, None, None, None, None, 0, 0, 0),
    ]


def test_each_vehicle_has_what_it_was_driven_in_all(ask):
    # vehicle, DIMO's number, the robust one, readings, valid ones, resets, first and last time, first and last km
    assert ask("FROM distance_driven ORDER BY vehicle_id") == [
        # DIMO's: 10 100 500 (metres) - 10 000. Robust: 10 335 - 10 000. Not valid: sentinel, leap and text.
        ("1", 10_090_500, 335, 12, 9, 0, march("28T08:00"), march("31T11:00"), 10_000, 10_335),
        # DIMO's: 88 040 - 12 000. Robust: 88 040 - 88 000 and 12 030 - 12 000.
        ("2", 76_040, 70, 7, 7, 1, march("28T18:00"), march("30T12:00"), 88_000, 12_030),
        ("3", 0, 0, 0, 0, 0, None, None, None, None),
    ]


def test_each_day_has_its_errors_by_kind(ask):
    # vehicle, day, type, error type, code, errors, events, errors for each event
    assert ask("FROM errors_daily ORDER BY vehicle_id, date, type") == [
        ("1", SAT, None, None, None, 0, 4, 0),
        ("1", SUN, None, None, None, 0, 4, 0),
        ("1", MON, None, None, None, 0, 1, 0),
        # The text has no kind; it is one error in five events.
        ("1", TUE, None, None, None, 1, 5, 0.2),
        ("2", SAT, None, None, None, 0, 2, 0),
        ("2", SUN, None, None, None, 0, 3, 0),
        ("2", MON, None, None, None, 0, 2, 0),
        # Of four events one says fuel and tyres, one tyres.
        ("3", SAT, "fuel", "VEHICLE_STATE", "NO_FUEL", 1, 4, 0.25),
        ("3", SAT, "tires/pressure", "UPSTREAM", "502", 2, 4, 0.5),
        ("3", SUN, None, None, None, 0, 1, 0),
    ]


def test_each_signal_has_its_latest_value(ask):
    assert ask(
        "SELECT vehicle_id, name, timestamp, value_number, value_string, value_json, received_at "
        "FROM latest ORDER BY vehicle_id, name"
    ) == [
        ("1", "errors", march("31T13:00"), None, "no answer", None, march("31T13:00:01")),
        # The newest as it came, whether the odometer's curve takes it or not.
        ("1", "odometer", march("31T12:00"), None, "n/a", None, march("31T12:00:01")),
        ("1", "speed", march("30T12:00"), 0, None, None, march("30T12:00:01")),
        ("2", "odometer", march("30T12:00"), 12_030, None, None, march("30T12:00:01")),
        ("3", "errors", march("28T11:00"), None, None, json.dumps([TYRES]), march("28T11:00:01")),
        ("3", "latitude", march("28T10:00"), 52.5, None, None, march("28T10:00:01")),
        # Of two speeds measured at 12:00 the one received last.
        ("3", "speed", march("28T12:00"), 51, None, None, march("28T12:05")),
    ]
