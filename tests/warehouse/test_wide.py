"""The common signals side by side, worked out by hand, and as pandas joins them."""

from __future__ import annotations

from datetime import timedelta

import pandas as pd
import pytest

from dimo_etl.warehouse import Warehouse
from tests.warehouse.lake import at

EIGHT = at("2026-01-05T08:00")


def test_a_row_holds_the_newest_value_of_each_signal_for_five_minutes(lake):
    # 08:00:00 speed 50. 08:00:01 fuel 40 %. 08:05:00 ignition on: the speed is 300 s old and still holds. 08:05:01 fuel
    # 41 %: the speed is too old, the fuel is new.
    lake.add("1", EIGHT, "speed", 50)
    lake.add("1", EIGHT + timedelta(seconds=1), "fuelLevel", 40)
    lake.add("1", EIGHT + timedelta(seconds=300), "isIgnitionOn", 1)
    lake.add("1", EIGHT + timedelta(seconds=301), "fuelLevel", 41)
    lake.add("2", EIGHT + timedelta(seconds=2), "soc", 80)  # another vehicle
    lake.write()
    asked = "SELECT epoch(timestamp), speed_kmh, fuel_percent, is_ignition_on, soc_percent FROM wide"
    start = EIGHT.timestamp()
    assert lake.query(f"{asked} WHERE vehicle_id = '1' ORDER BY timestamp") == [
        (start, 50, None, None, None),
        (start + 1, 50, 40, None, None),
        (start + 300, 50, 40, True, None),
        (start + 301, None, 41, True, None),
    ]


def test_of_several_values_of_a_second_the_last_counts(lake):
    for milliseconds, speed in ((100, 50), (900, 52), (500, 51)):
        lake.add("1", EIGHT + timedelta(milliseconds=milliseconds), "speed", speed)
    lake.add("1", EIGHT + timedelta(milliseconds=950), "charging", True)
    lake.write()
    assert lake.query("SELECT epoch(timestamp), speed_kmh, is_charging FROM wide") == [(EIGHT.timestamp(), 52, True)]


def test_bounds_cut_rows_off_but_not_what_is_held_from_before(lake):
    for minute in range(10):
        lake.add("1", EIGHT + timedelta(minutes=minute), "speed", minute)
    lake.add("1", EIGHT + timedelta(minutes=4), "fuelLevel", 40)
    lake.write()
    span = "'2026-01-05 08:05:00+00'::TIMESTAMPTZ, '2026-01-05 08:07:00+00'::TIMESTAMPTZ"
    assert lake.query(f"SELECT speed_kmh, fuel_percent FROM wide_between({span}) ORDER BY timestamp") == [
        (5, 40),
        (6, 40),
        (7, 40),
    ]


def test_bounds_open_only_the_files_of_their_days(lake):
    for day in range(1, 28):
        lake.add("1", at(f"2026-01-{day:02}T08:00"), "speed", day)
    lake.write()
    span = "'2026-01-05 08:00:00+00'::TIMESTAMPTZ, '2026-01-05 09:00:00+00'::TIMESTAMPTZ"
    plan = lake.query(f"EXPLAIN ANALYZE SELECT count(speed_kmh) FROM wide_between({span})")[0][1]
    assert "Total Files Read: 3" in plan


def test_a_day_of_the_fleet_is_as_pandas_joins_it(simulated):
    """An `asof` merge of single signals, on a vehicle whose values each have a time of their own."""
    names = {"speed_kmh": "speed", "engine_rpm": "rpm", "latitude": "latitude"}
    with Warehouse.open(simulated.root) as warehouse:
        wide = warehouse.df(
            "FROM wide WHERE vehicle_id = '6120' AND timestamp >= '2026-06-03' AND timestamp < '2026-06-04'"
        )
        values = warehouse.df(
            "SELECT timestamp, name, value_number FROM signals WHERE vehicle_id = '6120' AND value_number IS NOT NULL "
            "AND timestamp >= '2026-06-02 23:00:00+00' AND timestamp < '2026-06-04'"
        )
    wide = wide.sort_values("timestamp").reset_index(drop=True)
    assert len(wide) > 200
    ends = pd.DataFrame({"timestamp": wide.timestamp + timedelta(microseconds=999_999)})
    for column, name in names.items():
        own = values[values.name == name].sort_values("timestamp")[["timestamp", "value_number"]]
        # What is held counts by whole seconds.
        own["at"] = own.timestamp.dt.floor("s")
        joined = pd.merge_asof(ends, own, on="timestamp")
        expected = joined.value_number.where(wide.timestamp - joined["at"] <= timedelta(minutes=5))
        pd.testing.assert_series_equal(wide[column], expected, check_names=False)
    assert wide.speed_kmh.notna().any() and wide.speed_kmh.isna().any()


@pytest.mark.parametrize("column", ["latitude", "longitude"])
def test_a_position_of_zero_degrees_is_none(lake, column):
    lake.add("1", EIGHT, column, 0)
    lake.add("1", EIGHT, "speed", 0)
    lake.write()
    assert lake.query(f"SELECT {column}, speed_kmh FROM wide") == [(None, 0)]
