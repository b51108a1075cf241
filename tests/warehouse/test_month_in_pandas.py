"""A simulated month, answered once by the views and once by plain pandas that knows how the vehicles really moved.

The views judge a reading by the readings around it; here it is judged by the truth at its own moment. They take a day's
distance as a sum of steps; here it is the difference of two days' last readings.
"""

from __future__ import annotations

import itertools
import json
from datetime import date, timedelta

import pandas as pd
import pytest

from tests.warehouse.simulated import FLEET, days_of

KINDS = ["type", "error_type", "error_code"]


@pytest.fixture(scope="module")
def readings(simulated) -> pd.DataFrame:
    """Every odometer reading with the truth at its moment; the time of a reading is kept to the microsecond."""
    found = pd.read_parquet(simulated.root / "signals", filters=[("name", "==", "odometer")])
    found["day"] = found["timestamp"].dt.date
    found["truth"] = 0.0
    for (vehicle, day), rows in found.groupby(["vehicle_id", "day"]):
        driving = FLEET.driver(int(vehicle)).day(day)
        ms = rows["timestamp"].dt.as_unit("ms").astype("int64")
        found.loc[rows.index, "truth"] = [driving.at(moment).odometer_m / 1000 for moment in ms]
    found["km"] = found["value_number"].mask(found["value_number"] > 999_999, found["value_number"] / 1000)
    return found.sort_values(["vehicle_id", "timestamp", "km"], ignore_index=True)


@pytest.fixture(scope="module")
def curve(readings) -> pd.DataFrame:
    """The readings that are the truth, to the kilometre that some dashboards round down to, and no step back."""
    near = readings[(readings["km"] - readings["truth"]).abs() <= 1]
    return near[near["km"] >= near.groupby("vehicle_id")["km"].cummax()]


def true_km(vehicle_id: str, first: date, last: date) -> float:
    driver = FLEET.driver(int(vehicle_id))
    return (driver.odometer_m(last + timedelta(days=1)) - driver.odometer_m(first)) / 1000


def test_the_valid_readings_of_a_month_are_those_that_are_true(simulated, readings, curve):
    found = simulated.query("SELECT event_id FROM odometer WHERE is_valid")
    assert len(readings) - len(curve) > 50
    assert sorted(event for (event,) in found) == sorted(curve["event_id"])


def test_the_distance_of_each_day_is_the_difference_of_the_last_readings(simulated, curve):
    expected = {}
    for vehicle, rows in curve.groupby("vehicle_id"):
        last = rows.groupby("day")["km"].last()
        expected |= {(vehicle, day): km for day, km in last.diff().fillna(last.iloc[0] - rows["km"].iloc[0]).items()}
    found = {
        (vehicle, day): distance
        for vehicle, day, distance in simulated.query("SELECT vehicle_id, date, distance_km FROM distance_daily")
    }
    assert len(found) == sum(len(days_of(vehicle)) for vehicle in FLEET.vehicles)
    assert {key for key, distance in found.items() if distance is not None} == set(expected)
    assert [found[key] for key in expected] == pytest.approx(list(expected.values()), abs=0.0011)


def test_the_distance_of_a_day_that_was_read_is_what_was_driven_since_the_last_one(simulated):
    # A dashboard that rounds down is off by up to 1 km at either end.
    days = "SELECT vehicle_id, date, distance_km FROM distance_daily WHERE readings > 0 ORDER BY ALL"
    for (vehicle, before, _), (same, day, distance) in itertools.pairwise(simulated.query(days)):
        if same == vehicle:
            assert distance == pytest.approx(true_km(vehicle, before + timedelta(days=1), day), abs=1)


def test_the_robust_distance_is_within_a_hundredth_of_the_truth(simulated, curve):
    days = curve.groupby("vehicle_id")["day"].agg(["min", "max"])
    found = dict(simulated.query("SELECT vehicle_id, distance_robust_km FROM distance_driven"))
    assert len(found) == len(days) == len(FLEET.vehicles)
    for vehicle, distance in found.items():
        assert distance == pytest.approx(true_km(vehicle, *days.loc[vehicle]), rel=0.01)


def test_the_errors_of_each_day_are_those_of_its_documents(simulated):
    documents = pd.DataFrame(
        [
            (str(vehicle.token_id), day, json.loads(document.payload)["data"].get("errors", []))
            for vehicle in FLEET.vehicles
            if vehicle.kind == "smartcar"
            for day in days_of(vehicle)
            for document in FLEET.documents(vehicle.token_id, day)
        ],
        columns=["vehicle_id", "date", "errors"],
    )
    days = ["vehicle_id", "date"]
    each = documents.explode("errors").dropna(subset="errors", ignore_index=True)
    each[KINDS] = pd.json_normalize(each["errors"])[["type", "errorType", "errorCode"]].astype(str)
    errors = each.groupby(days + KINDS, as_index=False).size()
    errors = errors.merge(documents.groupby(days, as_index=False).size(), on=days, suffixes=("", "_events"))
    errors["rate"] = errors["size"] / errors["size_events"]
    found = simulated.query("FROM errors_daily WHERE errors > 0 ORDER BY ALL")
    assert len(found) > 100
    assert found == sorted(errors.itertuples(index=False, name=None))
    # Every other day is there too, without a kind.
    quiet = simulated.query("SELECT count(*), count(DISTINCT (vehicle_id, date)) FROM errors_daily WHERE errors = 0")
    loud = len(errors[days].drop_duplicates())
    assert quiet == [(sum(len(days_of(vehicle)) for vehicle in FLEET.vehicles) - loud,) * 2]
