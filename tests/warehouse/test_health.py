"""Data health: error episodes, freshness and what each vehicle sends, worked out by hand and with plain pandas."""

from __future__ import annotations

import json
from datetime import date, timedelta

import pytest

from dimo_etl.warehouse import Warehouse
from tests.warehouse.lake import ZONES, at

EIGHT = at("2026-01-05T08:00")


def report(lake, moment, *, kind="fuel", code=502, source="smartcar"):
    error = {"type": kind, "errorCode": code, "errorType": "UPSTREAM", "resolution": {"type": "RETRY_LATER"}}
    lake.add("1", moment, "errors", json=json.dumps([error]), source=source)


def test_an_episode_lasts_until_a_day_passes_without_the_same_error(lake):
    # Fuel fails at 08:00 and 24 h later, to the second: one episode. Then not before 24 h and 1 s: another one.
    for seconds in (0, 86_400, 2 * 86_400 + 1):
        report(lake, EIGHT + timedelta(seconds=seconds))
    report(lake, EIGHT + timedelta(hours=5), code=409)
    lake.write()
    assert lake.query(
        "SELECT error_code, started_at = ended_at, epoch(started_at), errors, resolution FROM error_episodes "
        "ORDER BY error_code, started_at"
    ) == [
        ("409", True, EIGHT.timestamp() + 5 * 3600, 1, "RETRY_LATER"),
        ("502", False, EIGHT.timestamp(), 2, "RETRY_LATER"),
        ("502", True, EIGHT.timestamp() + 2 * 86_400 + 1, 1, "RETRY_LATER"),
    ]


@pytest.mark.parametrize("zone", ZONES)
def test_a_day_without_an_error_is_24_hours_in_any_session(lake, zone):
    # 23 h 30 min apart, over the night in which clocks in Berlin are put forward; by the clock a day and 30 minutes.
    report(lake, at("2026-03-28T12:00"))
    report(lake, at("2026-03-29T11:30"))
    lake.write()
    assert lake.query("SELECT errors FROM error_episodes", zone) == [(2,)]


def test_an_episode_says_whether_data_of_its_kind_still_came_from_the_same_source(lake):
    # Three errors from 08:00 to 20:00. Meanwhile, fuel came at 09:00, and at 20:00 with the last error: 2 values, so
    # 3 of 5 attempts failed. What came before, after, from another source or of another kind does not count.
    for hour in (0, 6, 12):
        report(lake, EIGHT + timedelta(hours=hour))
    for hour in (-1, 1, 12, 13):
        lake.add("1", EIGHT + timedelta(hours=hour), "fuelPercentRemaining", 0.5, source="smartcar")
    lake.add("1", EIGHT + timedelta(hours=2), "fuelPercentRemaining", 0.5, source="autopi")
    lake.add("1", EIGHT + timedelta(hours=2), "fuelPercentRemaining", json="null", source="smartcar")
    lake.add("1", EIGHT + timedelta(hours=2), "odometer", 10_000, source="smartcar")
    report(lake, EIGHT, kind="tires/pressure")
    report(lake, EIGHT + timedelta(hours=2), kind="tires/pressure")
    for wheel in ("frontLeft", "backRight"):  # at one moment: one value
        lake.add("1", EIGHT + timedelta(hours=1), f"tires.{wheel}", 230, source="smartcar")
    report(lake, EIGHT, kind="odometer", source="other")
    report(lake, EIGHT, kind="lights")
    lake.write()
    assert lake.query(
        "SELECT type, errors, values_meanwhile, data_arrived, failure_rate FROM error_episodes ORDER BY type"
    ) == [
        ("fuel", 3, 2, True, 0.6),
        ("lights", 1, None, None, None),
        ("odometer", 1, 0, False, 1.0),
        ("tires/pressure", 2, 1, True, pytest.approx(2 / 3)),
    ]


def test_an_episode_is_open_where_less_than_a_day_is_known_after_it(lake):
    report(lake, EIGHT)
    report(lake, EIGHT + timedelta(hours=5), kind="odometer")
    lake.cover("1", "2026-01-06", last_event_at=EIGHT + timedelta(hours=24))
    lake.write()
    assert lake.query("SELECT type, is_open FROM error_episodes ORDER BY type") == [("fuel", False), ("odometer", True)]


def test_errors_without_a_type_are_episodes_too(lake):
    lake.add("1", EIGHT, "errors", "engine light")
    lake.write()
    assert lake.query("SELECT type, errors, description, values_meanwhile FROM error_episodes") == [
        (None, 1, "engine light", None)
    ]


def test_the_episodes_of_a_month_are_those_that_pandas_finds(simulated):
    with Warehouse.open(simulated.root) as warehouse:
        kinds = ["vehicle_id", "source", "type", "error_code", "error_type"]
        errors = warehouse.df("FROM errors").sort_values("timestamp")
        values = warehouse.df("SELECT vehicle_id, timestamp FROM signals WHERE name = 'odometer'")
        found = warehouse.df("FROM error_episodes").sort_values([*kinds, "started_at"])
    expected = []
    for kind, group in errors.groupby(kinds, dropna=False):
        episode = (group.timestamp.diff() > timedelta(days=1)).cumsum()
        for _, run in group.groupby(episode):
            start, end = run.timestamp.min(), run.timestamp.max()
            of_vehicle = values[values.vehicle_id == kind[0]].timestamp
            meanwhile = of_vehicle.between(start, end).sum() if kind[2] == "odometer" else None
            expected.append((*kind, start, end, len(run), meanwhile))
    expected.sort(key=lambda row: row[:6])
    columns = [*kinds, "started_at", "ended_at", "errors"]
    assert len(expected) > 50
    assert [tuple(row) for row in found[columns].itertuples(index=False)] == [row[:8] for row in expected]
    assert [int(row.values_meanwhile) for row in found[found.type == "odometer"].itertuples()] == [
        row[8] for row in expected if row[2] == "odometer"
    ]


def test_freshness_tells_the_last_word_of_each_kind_and_the_silence_since(lake):
    lake.add("1", EIGHT, "odometer", 10_000)
    lake.add("1", EIGHT + timedelta(minutes=5), "latitude", 52.5)
    lake.add("1", EIGHT + timedelta(minutes=6), "speed", 50)
    lake.add("1", EIGHT + timedelta(minutes=7), "odometer", json="null")
    lake.add("1", EIGHT + timedelta(hours=2), "odometer", 10_001)  # after the instant
    lake.add("1", at("1980-01-06T00:00"), "odometer", 10_000, day=date(2026, 1, 5))  # a clock that was never set
    lake.cover("1", "2026-01-05")
    lake.cover("2", "2026-01-05")
    lake.write()
    asked = "epoch(last_event_at), epoch(last_odometer_at), epoch(last_position_at), silent_s"
    instant = "'2026-01-05 09:00:00+00'::TIMESTAMPTZ"
    eight = EIGHT.timestamp()
    assert lake.query(f"SELECT vehicle_id, {asked} FROM freshness_at({instant}) ORDER BY 1") == [
        ("1", eight + 360, eight, eight + 300, 54 * 60.0),
        ("2", None, None, None, None),
    ]


def test_freshness_knows_every_name_of_what_it_tells_by(lake):
    lake.write()
    told_by = {
        "powertrainTransmissionTravelledDistance": "odometer",
        "currentLocationCoordinates.latitude": "position",
        "speed": "event",
        "isIgnitionOn": "event",
    }
    names = lake.query(f"SELECT name, signal FROM signal_catalogue WHERE signal IN {tuple(told_by)} ORDER BY ALL")
    for vehicle in (*(name for name, _ in names), "none"):
        lake.cover(vehicle, "2026-01-05")
    for name, _ in names:
        lake.add(name, at("2026-01-05"), name, "0000C0DE" if name.startswith("signals.") else 5.0)
    lake.add("none", at("2026-01-05"), "signals.645", "FFFFFFFF")
    lake.add("none", at("2026-01-05"), "pos.lat", -2147483648)
    lake.write()
    found = lake.query("""
        SELECT
            vehicle_id,
            CASE WHEN last_odometer_at IS NOT NULL THEN 'odometer' WHEN last_position_at IS NOT NULL THEN 'position'
                WHEN last_event_at IS NOT NULL THEN 'event' END
        FROM freshness
        ORDER BY 1
    """)
    assert dict(found) == {name: told_by[signal] for name, signal in names} | {"none": None}
    assert len(names) == 25


def test_a_vehicle_is_overdue_against_its_own_habit(lake):
    # Heard at 00:00, 06:00 and 12:00 of each of ten days: the longest silence is 6 h on the first day, and 12 h, over
    # midnight, on the nine others. The median of one 6 and nine 12 is 12 h. The 95th percentile is 12 h, too.
    for day in range(10):
        for hour in (0, 6, 12):
            lake.add("1", at("2026-01-01T00:00") + timedelta(days=day, hours=hour), "odometer", 10_000)
    lake.cover("1", "2026-01-05")
    lake.write()
    asked = "SELECT silent_s / 3600, usual_silence_s / 3600, long_silence_s / 3600, is_overdue FROM freshness_at"
    assert lake.query(f"{asked}('2026-01-10 23:59:00+00'::TIMESTAMPTZ)") == [
        (pytest.approx(11.983, 1e-3), 12, 12, False)
    ]
    assert lake.query(f"{asked}('2026-01-11 00:01:00+00'::TIMESTAMPTZ)") == [
        (pytest.approx(12.017, 1e-3), 12, 12, True)
    ]


def test_the_lag_is_from_measuring_to_receiving(lake):
    # 100 events with lags of 1, 2, … 100 s: the median is 50.5 s; the 95th percentile, between the 95th and the 96th,
    # is 95.05 s. What a snapshot alone gave has none.
    for n in range(1, 101):
        moment = EIGHT + timedelta(minutes=n)
        lake.add("1", moment, "odometer", 10_000, received_at=moment + timedelta(seconds=n))
    lake.add("1", EIGHT, "odometer", 10_000)
    lake.rows[-1]["received_at"] = None
    lake.cover("1", "2026-01-05")
    lake.write()
    instant = "'2026-01-06 00:00:00+00'::TIMESTAMPTZ"
    assert lake.query(f"SELECT lag_median_s, lag_p95_s FROM freshness_at({instant})") == [(50.5, pytest.approx(95.05))]


def test_the_view_is_the_macro_at_this_moment(lake):
    lake.odometer("1", [10_000, 10_001])
    lake.cover("1", "2026-01-05")
    lake.write()
    assert lake.query("SELECT * EXCLUDE (silent_s) FROM freshness") == lake.query(
        "SELECT * EXCLUDE (silent_s) FROM freshness_at(now())"
    )


def test_a_month_is_as_fresh_as_pandas_says(simulated):
    instant = "'2026-06-20 12:00:00+00'::TIMESTAMPTZ"
    with Warehouse.open(simulated.root) as warehouse:
        found = warehouse.df(f"FROM freshness_at({instant})").set_index("vehicle_id")
        told = "name IN ('odometer', 'latitude', 'speed') AND value_json IS DISTINCT FROM 'null'"
        heard = warehouse.df(
            f"SELECT vehicle_id, timestamp, received_at FROM signals WHERE {told} AND timestamp <= {instant}"
        )
    assert len(found) == 6
    for vehicle, events in heard.groupby("vehicle_id"):
        moments = events.groupby("timestamp").received_at.max().reset_index()
        lags = (moments.received_at - moments.timestamp).dt.total_seconds()
        longest = moments.timestamp.diff().dt.total_seconds().groupby(moments.timestamp.dt.date).max().dropna()
        row = found.loc[vehicle]
        assert row.last_event_at == moments.timestamp.max()
        assert row.usual_silence_s == pytest.approx(longest.median())
        assert row.long_silence_s == pytest.approx(longest.quantile(0.95))
        assert row.lag_median_s == pytest.approx(lags.median())
        assert row.lag_p95_s == pytest.approx(lags.quantile(0.95))


def test_a_unit_is_that_of_the_values_and_is_left_out_where_the_source_sends_another(lake):
    # What `soc` and `fuelPercentRemaining` hold is a ratio or per cent, a name of no signal has no unit.
    for name in ("soc", "batteryVoltage", "charging", "ssid"):
        lake.add("1", EIGHT, name, 1)
    lake.write()
    assert lake.query("SELECT name, signal, unit FROM signal_profile ORDER BY name") == [
        ("batteryVoltage", "lowVoltageBatteryCurrentVoltage", "V"),
        ("charging", "powertrainTractionBatteryChargingIsCharging", None),
        ("soc", "powertrainTractionBatteryStateOfChargeCurrent", None),
        ("ssid", None, None),
    ]


def test_a_signal_has_its_span_rate_nulls_and_range(lake):
    # Four samples on 5 January and two on the 7th: 6 samples on 2 days, 2 a day over three days. One in 6 is null; the
    # numbers are 1, 2, 3 and 40: their median is 2.5.
    for minute, value in enumerate((1, 40, 3)):
        lake.add("1", EIGHT + timedelta(minutes=minute), "speed", value, source="a")
    lake.add("1", EIGHT + timedelta(minutes=9), "speed", json="null", source="a")
    lake.add("1", EIGHT + timedelta(days=2), "speed", 2, source="b")
    lake.add("1", EIGHT + timedelta(days=2), "speed", "fast", source="b")
    lake.add("2", EIGHT, "speed", True)
    lake.write()
    assert lake.query("SELECT * EXCLUDE (first_at, last_at) FROM signal_profile ORDER BY vehicle_id") == [
        ("1", "speed", "speed", "km/h", 6, 2, 2.0, pytest.approx(1 / 6), 1.0, 2.5, 40.0, 1, ["a", "b"]),
        ("2", "speed", "speed", "km/h", 1, 1, 1.0, 0.0, None, None, None, 0, ["test"]),
    ]
    assert lake.query("SELECT epoch(first_at), epoch(last_at) FROM signal_profile WHERE vehicle_id = '1'") == [
        (EIGHT.timestamp(), EIGHT.timestamp() + 2 * 86_400)
    ]
