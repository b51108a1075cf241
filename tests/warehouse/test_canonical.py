"""One vocabulary: names of every source under the Telemetry API's name, in its unit."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.tesla import CANONICAL, NEWER, OLDER, document, message
from tests.warehouse.lake import START, Lake

ROWS = "SELECT signal, value_number, value_string, unit FROM signals_canonical ORDER BY signal"
V1 = "2026-01-05T10:00:00Z"


def canonical(lake: Lake, **values: object) -> list[tuple]:
    """The canonical rows of one document's values, by signal; a double underscore stands for a dot."""
    for name, value in values.items():
        lake.add("1", START, name.replace("__", "."), value)
    lake.write()
    return lake.query(ROWS)


def number(lake: Lake, name: str, value: object) -> float | None:
    """The one number that a value becomes."""
    ((_, found, _, _),) = canonical(lake, **{name: value})
    return found


@pytest.mark.parametrize(
    "name",
    ["speed", "vehicleSpeed", "pos__spd", "labels__speed__value"],
)
def test_the_names_of_every_source_are_one_signal(lake, name):
    assert canonical(lake, **{name: 42}) == [("speed", 42, None, "km/h")]


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("vehicle_state__odometer", 10_000, 16_093.44),
        ("Odometer", 10_000, 16_093.44),
        ("odometer", 10_000, 10_000),
        ("odometer", 10_000_500, 10_000.5),
        ("labels__odometer__value", "10000.5", 10_000.5),
        ("powertrainTransmissionTravelledDistance", "10000.5", 10_000.5),
        ("vehicle_state__tpms_pressure_fl", 2.9, 290),
        ("drive_state__power", 7, -7_000),
        ("charger__power", 7, 7_000),
        ("pos__alt", 1048, 104.8),
        ("pos__dir", 17_900, 179),
        ("pos__lat", 525_163_000, 52.5163),
        ("fuelPercentRemaining", 0.63, 63),
        ("chargeLimit", 0.8, 80),
        ("fuelLevel", 63, 63),
        ("charging", True, 1),
        ("charging", False, 0),
        ("charge_state__charging_state", "Starting", 1),
        ("charge_state__charging_state", "Stopped", 0),
    ],
)
def test_a_value_has_the_unit_of_its_signal(lake, name, value, expected):
    assert number(lake, name, value) == pytest.approx(expected, rel=1e-12)


def test_the_odometer_of_the_view_is_that_of_the_vocabulary(lake):
    lake.write()
    names = lake.query(
        "SELECT DISTINCT name FROM signal_catalogue WHERE signal = 'powertrainTransmissionTravelledDistance'"
    )
    for n, (name,) in enumerate(names):
        lake.add(str(n), START, name, "00003039" if name.startswith("signals.") else 12_345.5)
    lake.write()
    assert len(names) == 7
    assert lake.query("SELECT vehicle_id, odometer_km FROM odometer ORDER BY ALL") == lake.query(
        "SELECT vehicle_id, value_number FROM signals_canonical ORDER BY ALL"
    )


def test_ratios_of_the_first_version_and_percentages_of_the_second_are_alike(lake):
    for day, stamp, soc in ((5, V1, 0.6), (6, 1_767_607_200_000, 60), (7, 1_767_607_200_000, 0.9)):
        moment = START.replace(day=day)
        lake.add("1", moment, "timestamp", stamp)
        lake.add("1", moment, "soc", soc)
        lake.add("1", moment, "engineLoad", soc)
    lake.write()
    for signal in ("powertrainTractionBatteryStateOfChargeCurrent", "obdEngineLoad"):
        query = f"SELECT value_number, unit FROM signals_canonical WHERE signal = '{signal}' ORDER BY timestamp"
        assert lake.query(query) == [(60, "%"), (60, "%"), (0.9, "%")]


def test_the_version_of_one_source_is_not_that_of_another(lake):
    lake.add("1", START, "timestamp", 1_767_607_200_000, source="a")
    lake.add("1", START, "soc", 0.5, source="a")
    lake.add("1", START, "timestamp", V1, source="b")
    lake.add("1", START, "soc", 0.5, source="b")
    lake.write()
    assert lake.query("SELECT source, value_number FROM signals_canonical ORDER BY source") == [("a", 0.5), ("b", 50)]


def test_one_name_may_be_two_signals(lake):
    assert canonical(lake, fuelType="Electric", oil=0.3) == [
        ("powertrainCombustionEngineEngineOilLevel", None, "LOW", ""),
        ("powertrainCombustionEngineEngineOilRelativeLevel", 30, None, "%"),
        ("powertrainFuelSystemSupportedFuelTypes", None, "OTHER", ""),
        ("powertrainType", None, "ELECTRIC", ""),
    ]


def test_a_position_has_the_same_signals_from_every_source(lake):
    position = {"latitude": 52.5, "longitude": 13.4}
    for n, names in enumerate(
        [
            ("latitude", "longitude"),
            ("currentLocationCoordinates.latitude", "currentLocationCoordinates.longitude"),
            ("drive_state.latitude", "drive_state.longitude"),
        ]
    ):
        for name, value in zip(names, position.values(), strict=True):
            lake.add(str(n), START, name, value)
    lake.write()
    expected = [(f"currentLocationCoordinates.{part}", value, None, "deg") for part, value in position.items()]
    assert lake.query(ROWS) == [row for row in expected for _ in range(3)]


def test_what_is_no_value_of_the_signal_and_what_has_no_signal_stay_in_signals(lake):
    assert canonical(lake, speed="n/a", engineSpeed="NaN", somethingNew=5, nsat=7, soc="?") == []
    assert lake.query("SELECT count(*) FROM signals") == [(5,)]


def test_a_null_is_no_value(lake):
    lake.add("1", START, "speed", json="null")
    lake.add("1", START, "fuelType", json="null")
    lake.write()
    assert lake.query(ROWS) == []


def test_latest_of_a_signal_is_the_newest_of_all_its_names(lake):
    lake.add("1", START, "engineSpeed", 1_500, source="history")
    lake.add("1", START + timedelta(minutes=1), "powertrainCombustionEngineSpeed", 1_600, source="live")
    lake.add("1", START + timedelta(seconds=1), "rpm", 1_700, source="device")
    lake.write()
    assert lake.query("SELECT signal, value_number, unit, source, name FROM latest_canonical") == [
        ("powertrainCombustionEngineSpeed", 1_600, "rpm", "live", "powertrainCombustionEngineSpeed")
    ]


def test_a_signal_is_read_from_the_row_groups_of_its_names_alone(lake):
    for n in range(3_000):
        for name in ("altitude", "speed", "vehicleSpeed"):
            lake.add("1", START + timedelta(seconds=n), name, n)
    lake.write(row_group_size=1_000)
    (plan,) = (
        text
        for _, text in lake.query(
            "EXPLAIN ANALYZE SELECT sum(value_number) FROM signals_canonical WHERE signal = 'currentLocationAltitude'"
        )
    )
    assert "Row Groups Scanned: 3 / 9" in plan


def test_every_signal_of_the_telemetry_api_has_a_unit_or_is_a_flag_a_count_or_a_text(lake):
    lake.write()
    assert lake.query("SELECT count(DISTINCT signal), count(DISTINCT name) FROM signal_catalogue") == [(120, 411)]
    ambiguous = "SELECT signal FROM signal_catalogue WHERE signal IS NOT NULL GROUP BY signal "
    assert lake.query(ambiguous + "HAVING count(DISTINCT (unit, value_type)) > 1") == []
    assert lake.query("SELECT name, signal FROM signal_catalogue GROUP BY ALL HAVING count(*) > 1") == []


@pytest.mark.parametrize("streamed", [OLDER, NEWER], ids=["texts", "types"])
def test_what_a_tesla_streams_is_what_dimos_own_converter_makes_of_it(lake, streamed):
    event = document(message(START, *streamed, vin="5YJYGDEF2LFR00942"))
    lake.flatten("1", [event])
    lake.write()
    rows = lake.query("SELECT signal, value_number, timestamp FROM signals_canonical ORDER BY ALL")
    assert {signal: value for signal, value, _ in rows} == pytest.approx(CANONICAL, rel=1e-12)
    assert {time for _, _, time in rows} == {START}


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("FdWindow", "WindowStateUnknown", []),
        ("FdWindow", "Closed", [0]),
        ("DoorState", "", [0] * 6),
        ("DoorState", "TrunkRear", [0, 1, 0, 0, 0, 0]),
        ("VehicleSpeed__invalid", True, []),
    ],
)
def test_a_door_or_window_is_open_shut_or_not_known(lake, name, value, expected):
    assert [found for _, found, _, _ in canonical(lake, **{name: value})] == expected
