"""An odometer for each rule that looks at more than the readings beside one, small enough to judge by hand.

All on 2026-01-05 and the days after it. What came, and what is true of it:

    4, a new car         5th 08:00 3, 09:00 0, 10:00 40; 6th 08:00 99.5, 10:00 180, 12:00 190; 7th 09:00 6
    5, in metres         5th 12 000, 100 000; 6th 110 000, 210 000; 7th 220 000, 300 000; 8th 310 000, 320 000
    6, miles for a day   5th 10 000, 10 010, 10 020 km; 6th 6 230, 6 231, … 6 239 miles; 7th 10 060, 10 070, 10 080 km
    7, two sources       one: 20 000 and 20 010, 20 020 and 20 030, 20 040 and 20 050, then 20 049.6
                         another: 20 100 on the 6th, amid the first
    8, a high beginning  2 822, and from the next day on 1 607, 2 100, 2 500, 2 900, 3 300, a day apart
"""

from __future__ import annotations

from datetime import date

import pytest

from tests.warehouse.lake import Lake, at

READINGS = {
    "4": {"05T08": 3, "05T09": 0, "05T10": 40, "06T08": 99.5, "06T10": 180, "06T12": 190, "07T09": 6},
    "5": {
        "05T08": 12_000,
        "05T12": 100_000,
        "06T08": 110_000,
        "06T12": 210_000,
        "07T08": 220_000,
        "07T12": 300_000,
        "08T08": 310_000,
        "08T12": 320_000,
    },
    "6": {
        "05T08": 10_000,
        "05T10": 10_010,
        "05T12": 10_020,
        **{f"06T{hour:02}": 6_222 + hour for hour in range(8, 18)},
        "07T08": 10_060,
        "07T10": 10_070,
        "07T12": 10_080,
    },
    "7": {
        "05T08": 20_000,
        "05T12": 20_010,
        "06T08": 20_020,
        "06T12": 20_030,
        "07T08": 20_040,
        "07T12": 20_050,
        "07T14": 20_049.6,
    },
    "8": {"05T08": 2_822, "06T08": 1_607, "07T08": 2_100, "08T08": 2_500, "09T08": 2_900, "10T08": 3_300},
}


@pytest.fixture(scope="module")
def fleet(tmp_path_factory) -> Lake:
    lake = Lake(tmp_path_factory.mktemp("golden") / "lake")
    for vehicle, readings in READINGS.items():
        for time, reading in readings.items():
            lake.add(vehicle, at(f"2026-01-{time}:00"), "odometer", reading)
    lake.add("7", at("2026-01-06T10:00"), "odometer", 20_100, source="another")
    lake.write()
    return lake


def test_each_reading_has_its_verdict(fleet):
    found: dict[str, list[tuple]] = {}
    for vehicle, km, reason in fleet.query(
        "SELECT vehicle_id, round(odometer_km, 3), reason FROM odometer ORDER BY vehicle_id, timestamp"
    ):
        found.setdefault(vehicle, []).append((km, reason))
    assert found == {
        # Most readings of the 6th are above 100 km and they begin at 180: the car was new until then, and no longer on
        # the 7th. 0 is nobody's.
        "4": [(3, None), (0, "sentinel"), (40, None), (99.5, None), (180, None), (190, None), (6, "sentinel")],
        # It grew by 100 000 and 80 000 on the 6th and 7th, between the days beside them: km cannot.
        "5": [(km, None) for km in (12, 100, 110, 210, 220, 300, 310, 320)],
        # 10 020 / 6 230 is 1.6083 and 10 060 / 6 239 is 1.6124; times 1.609344 the ten lie between.
        "6": [
            *[(km, None) for km in (10_000, 10_010, 10_020)],
            *[(round(miles * 1.609344, 3), None) for miles in range(6_230, 6_240)],
            *[(km, None) for km in (10_060, 10_070, 10_080)],
        ],
        # Three days of one source against one of the other, 70 km above what the first shows two hours later; and
        # 0.4 km back are noise.
        "7": [
            (20_000, None),
            (20_010, None),
            (20_020, None),
            (20_100, "other_source"),
            (20_030, None),
            (20_040, None),
            (20_050, None),
            (20_049.6, "noise"),
        ],
        # 2 100 and 2 500 go on from 1 607, below it.
        "8": [(2_822, "leap"), (1_607, None), (2_100, None), (2_500, None), (2_900, None), (3_300, None)],
    }


def test_each_day_has_its_distance(fleet):
    # day of January, observed and bridged metres
    found: dict[str, list[tuple]] = {}
    for vehicle, day, observed, bridged in fleet.query(
        "SELECT vehicle_id, date, round(observed_km * 1000)::INT, round(bridged_km * 1000)::INT "
        "FROM distance_daily WHERE readings > 0 ORDER BY ALL"
    ):
        found.setdefault(vehicle, []).append(((day - date(2026, 1, 1)).days + 1, observed, bridged))
    assert found == {
        # 40 - 3; then 99.5 - 40 bridged, 190 - 99.5 observed.
        "4": [(5, 37_000, 0), (6, 90_500, 59_500)],
        "5": [(5, 88_000, 0), (6, 100_000, 10_000), (7, 80_000, 10_000), (8, 10_000, 10_000)],
        # 6 230 miles are 10 026.213 km and 6 239 are 10 040.697: 6.213 after 10 020, and 19.303 before 10 060.
        "6": [(5, 20_000, 0), (6, 14_484, 6_213), (7, 20_000, 19_303)],
        "7": [(5, 10_000, 0), (6, 10_000, 10_000), (7, 10_000, 10_000)],
        "8": [(6, 0, 0), (7, 0, 493_000), (8, 0, 400_000), (9, 0, 400_000), (10, 0, 400_000)],
    }


def test_each_vehicle_has_what_it_was_driven_in_all(fleet):
    # vehicle, DIMO's number, the robust one, resets
    assert fleet.query(
        "SELECT vehicle_id, distance_km, distance_robust_km, resets FROM distance_driven ORDER BY vehicle_id"
    ) == [
        ("4", 190, 187, 0),
        # DIMO takes them for km.
        ("5", 308_000, 308, 0),
        ("6", 3_850, 80, 0),
        ("7", 100, 50, 0),
        ("8", 1_693, 1_693, 0),
    ]
