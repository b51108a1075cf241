"""Trips: by ignition, by speed and by odometer, worked out by hand, and against the drives of the simulated fleet."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.warehouse.lake import at
from tests.warehouse.simulated import FLEET, days_of

EIGHT = at("2026-01-05T08:00")
LATITUDE, LONGITUDE = "currentLocationCoordinates.latitude", "currentLocationCoordinates.longitude"


def drive(lake, start, seconds, *, step=30, speed=60, vehicle="1"):
    """Speeds, `step` seconds apart, of a vehicle that moves from `start` for so many seconds."""
    for second in range(0, seconds + 1, step):
        lake.add(vehicle, start + timedelta(seconds=second), "speed", speed)


def trips(lake, columns, view="trips"):
    return lake.query(f"SELECT {columns} FROM {view} ORDER BY vehicle_id, started_at")


def test_a_drive_has_its_bounds_places_distance_and_speeds(lake):
    # Parked at 07:50 with 10 000.0 km on the clock. From 08:00:00 to 08:10:00 a speed each 30 s: 21 values, all 60 km/h
    # but one of 90. The odometer says 10 000.2 at 08:01, 10 009.0 at 08:09, and 10 010.0 at 08:15, parked again.
    drive(lake, EIGHT, 600)
    lake.rows[10]["value_number"] = 90.0
    for time, km in (("07:50", 10_000), ("08:01", 10_000.2), ("08:09", 10_009), ("08:15", 10_010)):
        lake.add("1", at(f"2026-01-05T{time}"), "odometer", km)
    for time, latitude, longitude in (
        ("07:50", 1, 2),
        ("08:00:10", 52.5, 13.4),
        ("08:05", 0, 0),
        ("08:09:30", 52.6, 9),
    ):
        lake.add("1", at(f"2026-01-05T{time}"), "latitude", latitude)
        lake.add("1", at(f"2026-01-05T{time}"), "longitude", longitude)
    lake.write()
    # 10 km in 600 s are 60 km/h. The next word comes 300 s after the end, so the vehicle was heard standing.
    assert trips(lake, "* EXCLUDE (started_at, ended_at), epoch(started_at), epoch(ended_at)") == [
        (
            "1",
            "1@2026-01-05T08:00:00.000Z",
            *(52.5, 13.4, 52.6, 9.0),
            *(pytest.approx(10), 600.0, 90.0, pytest.approx(60)),
            *("standstill", "speed", "odometer"),
            *(EIGHT.timestamp(), EIGHT.timestamp() + 600),
        )
    ]


def test_a_pause_of_up_to_five_minutes_is_part_of_the_drive_and_a_longer_one_ends_it(lake):
    drive(lake, EIGHT, 300)
    drive(lake, EIGHT + timedelta(seconds=600), 300)  # 300 s after the last
    drive(lake, EIGHT + timedelta(seconds=1201), 300)  # 301 s after the last
    lake.write()
    assert trips(lake, "duration_s") == [(900.0,), (300.0,)]
    assert trips(lake, "duration_s", "trips_by(301, 240)") == [(1501.0,)]
    assert trips(lake, "duration_s", "trips_by(60, 240)") == [(300.0,), (300.0,), (300.0,)]


def test_a_drive_of_less_than_four_minutes_is_none(lake):
    drive(lake, EIGHT, 239, step=239)
    drive(lake, EIGHT + timedelta(hours=1), 240, step=240)
    lake.write()
    assert trips(lake, "duration_s") == [(240.0,)]


def test_speeds_of_a_parked_vehicle_are_noise(lake):
    drive(lake, EIGHT, 3600, speed=3)
    lake.write()
    assert trips(lake, "*") == []


@pytest.mark.parametrize(("on", "off"), [(1, 0), (True, False)])
def test_a_drive_by_ignition_is_from_on_to_off_and_a_short_off_is_part_of_it(lake, on, off):
    # On at 08:00, off from 08:10 to 08:14:59 (299 s), on again, off for good at 08:30: one drive of 30 minutes, though
    # the vehicle stood still for most of it.
    for time, value in (("08:00", on), ("08:10", off), ("08:14:59", on), ("08:30", off), ("09:30", off)):
        lake.add("1", at(f"2026-01-05T{time}"), "isIgnitionOn", value)
    drive(lake, EIGHT + timedelta(minutes=20), 120)
    lake.write()
    assert trips(lake, "duration_s, ended_by, found_by") == [(1800.0, "ignition", "ignition")]


def test_an_ignition_that_is_never_said_to_be_off_ends_where_an_hour_of_silence_begins(lake):
    for minute in range(0, 30, 5):
        lake.add("1", EIGHT + timedelta(minutes=minute), "isIgnitionOn", 1)
    lake.add("1", EIGHT + timedelta(days=1), "isIgnitionOn", 0)
    lake.write()
    assert trips(lake, "duration_s, ended_by") == [(25 * 60.0, "silence")]


def test_a_drive_over_midnight_is_one_trip(lake):
    drive(lake, at("2026-01-05T23:50"), 1200)
    lake.write()
    assert trips(lake, "trip_id, duration_s") == [("1@2026-01-05T23:50:00.000Z", 1200.0)]


def test_a_trip_is_ongoing_until_what_comes_later_ends_it_and_keeps_its_id(lake):
    drive(lake, EIGHT, 600)
    lake.write()
    (before,) = trips(lake, "trip_id, duration_s, ended_by")
    drive(lake, EIGHT + timedelta(seconds=630), 570)
    lake.add("1", EIGHT + timedelta(seconds=1230), "speed", 0)
    lake.add("1", EIGHT + timedelta(seconds=1530), "speed", 0)
    lake.write()
    assert before == ("1@2026-01-05T08:00:00.000Z", 600.0, "ongoing")
    assert trips(lake, "trip_id, duration_s, ended_by") == [(before[0], 1200.0, "standstill")]


def test_a_trip_after_which_a_complete_day_holds_nothing_was_ended_by_silence(lake):
    drive(lake, EIGHT, 600)
    lake.cover("1", "2026-01-05", complete=None)
    lake.write()
    assert trips(lake, "ended_by") == [("ongoing",)]
    lake.records.clear()
    lake.cover("1", "2026-01-05", fetched_at=EIGHT + timedelta(seconds=899))  # 299 s are known after it
    lake.write()
    assert trips(lake, "ended_by") == [("ongoing",)]
    lake.records.clear()
    lake.cover("1", "2026-01-05", fetched_at=EIGHT + timedelta(seconds=900))
    lake.write()
    assert trips(lake, "ended_by") == [("silence",)]


def test_a_vehicle_that_is_read_a_few_times_a_day_drives_where_its_odometer_rose(lake):
    # Read each half hour. It rises between 08:00 and 09:00, and by 5 km between 12:00 and 12:30; 0.05 km are noise.
    readings = [10_000, 10_007, 10_015.5, 10_015.5, 10_015.55, 10_015.55, 10_015.55, 10_015.55, 10_015.55, 10_020.55]
    lake.odometer("1", readings, start=EIGHT, minutes=30)
    lake.odometer("1", [10_020.55], start=at("2026-01-05T13:00"))
    drive(lake, EIGHT + timedelta(minutes=10), 0)  # it shows a speed, once
    lake.add("1", EIGHT, LATITUDE, 52.5)
    lake.add("1", EIGHT, LONGITUDE, 13.4)
    lake.write()
    assert trips(lake, "strftime(started_at, '%H:%M'), duration_s, round(distance_km, 3), ended_by, found_by") == [
        ("08:00", 3600.0, 15.5, "standstill", "speed"),
        ("12:00", 1800.0, 5.0, "standstill", "odometer"),
    ]
    assert trips(lake, "start_latitude, start_longitude")[0] == (52.5, 13.4)


def test_on_a_day_with_speeds_close_together_the_odometer_tells_of_no_drive(lake):
    drive(lake, EIGHT, 600)
    lake.odometer("1", [10_000, 10_010], start=at("2026-01-05T15:00"), minutes=30)
    lake.write()
    assert trips(lake, "found_by") == [("speed",)]


def test_readings_far_from_a_drive_do_not_count_for_its_distance(lake):
    # The last reading before lies 21 minutes back, the first after comes 21 minutes later: what was driven between them
    # and the drive may belong to others. 10 008 - 10 001 = 7.
    drive(lake, EIGHT, 600)
    for time, km in (("07:39", 10_000), ("08:01", 10_001), ("08:09", 10_008), ("08:31", 10_020)):
        lake.add("1", at(f"2026-01-05T{time}"), "odometer", km)
    lake.write()
    assert trips(lake, "distance_km, distance_by") == [(7.0, "odometer")]


def test_a_bad_reading_or_a_swap_of_the_odometer_does_not_spoil_a_distance(lake):
    drive(lake, EIGHT, 1200)
    lake.odometer("1", [10_000, 10_002, 65_538, 10_004, 10_006, 60_000, 60_003, 60_006, 60_009], EIGHT, minutes=2)
    lake.write()
    assert trips(lake, "distance_km") == [(15.0,)]  # 6 on the old clock and 9 on the new


def test_without_an_odometer_the_speed_tells_the_distance(lake):
    drive(lake, EIGHT, 600, speed=60)
    drive(lake, EIGHT + timedelta(seconds=630), 570, speed=30)
    lake.write()
    # 10 minutes at 60 km/h and 10 at 30 are 15 km; half of the minute at 08:10 is of either.
    assert trips(lake, "distance_km, distance_by") == [(pytest.approx(15, rel=0.02), "speed")]


def test_vehicles_do_not_mix(lake):
    drive(lake, EIGHT, 300, vehicle="1")
    drive(lake, EIGHT + timedelta(seconds=150), 300, vehicle="2")
    lake.write()
    assert trips(lake, "vehicle_id, duration_s") == [("1", 300.0), ("2", 300.0)]


@pytest.mark.parametrize(("kind", "seconds", "km"), [("autopi", 5, 1.0), ("v2", 40, 0.5), ("macaron", 160, 5.0)])
def test_the_trips_of_a_month_are_the_drives_of_the_simulation(simulated, kind, seconds, km):
    """Each trip is a drive, its bounds off by what lies between two values; no drive is missing that is long enough."""
    (vehicle,) = [vehicle for vehicle in FLEET.vehicles if vehicle.kind == kind]
    drives = [
        (drive[0].ms / 1000, drive[-1].ms / 1000, (drive[-1].odometer_m - drive[0].odometer_m) / 1000)
        for day in days_of(vehicle)
        if FLEET.documents(vehicle.token_id, day)
        for drive in FLEET.driver(vehicle.token_id).day(day).drives
    ]
    found = simulated.query(
        "SELECT epoch(started_at), epoch(ended_at), distance_km FROM trips "
        f"WHERE vehicle_id = '{vehicle.token_id}' ORDER BY 1"
    )
    for start, end, driven in drives:
        trip = [one for one in found if one[0] < end and one[1] > start]
        assert trip or end - start < 240 + seconds
        for started, ended, distance in trip:
            found.remove((started, ended, distance))
            assert len(trip) == 1
            assert -1 <= started - start <= seconds
            assert -1 <= end - ended <= seconds
            assert abs(distance - driven) <= km
    assert found == []


def test_a_month_of_a_vehicle_that_is_polled_has_a_trip_for_each_drive_that_holds_it(simulated):
    (vehicle,) = [vehicle for vehicle in FLEET.vehicles if vehicle.kind == "tesla"]
    drives = [
        (drive[0].ms / 1000, drive[-1].ms / 1000, (drive[-1].odometer_m - drive[0].odometer_m) / 1000)
        for day in days_of(vehicle)
        for drive in FLEET.driver(vehicle.token_id).day(day).drives
    ]
    found = simulated.query(
        "SELECT epoch(started_at), epoch(ended_at), distance_km FROM trips "
        f"WHERE vehicle_id = '{vehicle.token_id}' ORDER BY 1"
    )
    poll = 2 * 86_400 / 96 * 1.5  # one reading in between may be a bad one
    assert len(found) == len(drives)
    for (started, ended, distance), (start, end, driven) in zip(found, drives, strict=True):
        assert start - poll - 60 <= started <= start + 60
        assert end - 60 <= ended <= end + poll + 60
        assert distance == pytest.approx(driven, abs=0.2)
