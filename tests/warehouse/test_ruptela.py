"""Ruptela's codes become canonical signals: hexadecimal, scaled, shifted, and without what means nothing."""

from __future__ import annotations

import json

from tests.payloads import G
from tests.warehouse.lake import Lake, at

TEN = at("2026-01-05T10:00")


def decoded(lake: Lake, **leaves: object) -> dict[str, object]:
    """What one event stands for; the names of its leaves have `_` for `.` in their first part."""
    for name, value in leaves.items():
        text = json.dumps(value) if isinstance(value, list) else None
        lake.add("1", TEN, name.replace("_", ".", 1), None if text else value, json=text, event_id="one")
    lake.write()
    rows = lake.query("SELECT signal, coalesce(value_number::VARCHAR, value_string) FROM ruptela ORDER BY ALL")
    assert len(dict(rows)) == len(rows)
    return dict(rows)


READ = [
    ("645", "00015880", "powertrainTransmissionTravelledDistance", "88192.0"),
    ("114", "010D2FB1", "powertrainTransmissionTravelledDistance", "88206.965"),
    ("96", "7f", "powertrainCombustionEngineECT", "87.0"),
    ("94", "2EE0", "powertrainCombustionEngineSpeed", "3000.0"),
    ("29", "36b0", "lowVoltageBatteryCurrentVoltage", "14.0"),
    ("960", "0280", "chassisAxleRow1WheelLeftTirePressure", "220.63232"),
    ("97", "19", "exteriorAirTemperature", "-15.0"),
    ("520", "10", "serviceTimeToService", "960.0"),
    ("723", "012c", "powertrainTractionBatteryRange", "300.0"),
    ("405", "0", "obdIsEngineBlocked", "1.0"),
    ("38", "05", "obdIsPTOActive", "1.0"),
    ("313", "2", "chassisBrakeABSIsWarningOn", "1.0"),
    ("366", "fb", "powertrainTransmissionSelectedGear", "126.0"),
    ("359", "02", "powertrainTransmissionRetarderTorqueMode", "CRUISE CONTROL"),
    ("483", "11", "powertrainType", "HYBRID"),
]
# Values for errors, for what is not known, and for what is no number of the device's.
MEANINGLESS = [
    ("645", "ffffffff"),
    ("114", "FE000000"),
    ("114", "0"),
    ("97", "ff"),
    ("115", "fe"),
    ("207", "0"),
    ("36", "2"),
    ("313", "7"),
    ("1232", "00500000"),
    ("645", "12km"),
    ("645", ""),
    ("31337", "2a"),
]


def test_each_code_is_read_as_its_table_says(lake):
    for code, raw, _, _ in READ:
        lake.add("1", TEN, f"signals.{code}", raw, event_id=f"{code}-{raw}")
    lake.write()
    found = lake.query("SELECT event_id, signal, coalesce(value_number::VARCHAR, value_string) FROM ruptela")
    assert sorted(found) == sorted((f"{code}-{raw}", signal, value) for code, raw, signal, value in READ)


def test_what_means_nothing_is_no_signal_and_still_a_value(lake):
    for code, raw in MEANINGLESS:
        lake.add("1", TEN, f"signals.{code}", raw)
    lake.write()
    assert lake.query("FROM ruptela") == []
    assert len(lake.query("FROM signals")) == len(MEANINGLESS)


def test_one_code_may_stand_for_several_signals(lake):
    assert decoded(lake, signals_99="04", signals_964="31") == {
        "obdFuelTypeName": "DIESEL",
        "powertrainType": "COMBUSTION",
        "powertrainCombustionEngineEngineOilLevel": "LOW",
        "powertrainCombustionEngineEngineOilRelativeLevel": "49.0",
    }
    assert decoded(lake, signals_518="21")["bodyTrunkRearIsOpen"] == "1.0"


def test_a_gear_and_its_ratio_are_parts_of_one_number(lake):
    assert decoded(lake, signals_1232="0150036B") == {
        "powertrainTransmissionActualGear": "5.0",
        "powertrainTransmissionActualGearRatio": "0.875",
    }


def test_of_several_codes_for_one_signal_the_first_that_has_a_value_is_taken(lake):
    assert decoded(lake, signals_645="ffffffff", signals_114="010D2FB1", signals_95="2a", pos_spd=43) == {
        "powertrainTransmissionTravelledDistance": "88206.965",
        "speed": "42.0",
    }


def test_a_zero_counts_only_while_the_ignition_is_on(lake):
    assert decoded(lake, signals_95="0", signals_103="0")["speed"] == "0.0"
    lake.add("1", TEN, "signals.409", "0", event_id="one")
    lake.write()
    assert lake.query("SELECT signal, value_number FROM ruptela") == [("isIgnitionOn", 0.0)]


def test_the_voltage_of_an_unplugged_device_is_not_the_vehicles(lake):
    assert decoded(lake, signals_29="0f00", signals_985="1") == {"obdIsPluggedIn": "0.0"}


def test_a_position_is_scaled_and_one_that_is_not_known_is_none(lake):
    position = {"pos_lat": -525163000, "pos_lon": 133777000, "pos_alt": 1048, "pos_dir": 17900, "pos_hdop": 8}
    assert decoded(lake, **position) == {
        "currentLocationCoordinates.latitude": "-52.5163",
        "currentLocationCoordinates.longitude": "13.3777",
        "currentLocationAltitude": "104.8",
        "currentLocationHeading": "179.0",
        "currentLocationCoordinates.hdop": "0.8",
    }


def test_what_the_device_sends_for_no_position_is_none(lake):
    unknown = {"pos_lat": -0x80000000, "pos_lon": -0x80000000, "pos_alt": 0x8000, "pos_hdop": 255, "pos_spd": 0xFFFF}
    assert decoded(lake, **unknown) == {}


def test_each_position_of_a_list_has_its_own_time(lake):
    places = [{"lat": 525163000, "lon": 133777000, "ts": 1767607100}, {"lat": 525163001, "ts": "2026-01-05T09:59:00Z"}]
    lake.add("1", TEN, "location", json=json.dumps([*places, "rubbish", {"lat": 1}]))
    lake.write()
    assert lake.query("SELECT epoch(timestamp)::BIGINT, signal, value_number, name FROM ruptela ORDER BY ALL") == [
        (1767607100, "currentLocationCoordinates.latitude", 52.5163, "location"),
        (1767607100, "currentLocationCoordinates.longitude", 13.3777, "location"),
        (1767607140, "currentLocationCoordinates.latitude", 52.5163001, "location"),
    ]


def test_trouble_codes_are_one_list(lake):
    assert decoded(lake, dtc_codes=None) == {}
    lake.add("1", TEN, "dtc_codes", json='[{"code": "P0420"}, {"code": "P0171"}]')
    lake.write()
    assert lake.query("SELECT signal, value_string FROM ruptela") == [("obdDTCList", '["P0420","P0171"]')]


def test_the_leaves_of_a_raw_document_are_what_the_view_reads(lake):
    lake.flatten("1", [G])
    lake.write()
    assert dict(lake.query("SELECT signal, value_number FROM ruptela ORDER BY ALL")) == {
        "currentLocationAltitude": 104.8,
        "currentLocationCoordinates.latitude": 52.5163,
        "currentLocationCoordinates.longitude": 13.3777,
        "currentLocationHeading": 179.0,
        "powertrainCombustionEngineECT": 48.0,
        "powertrainTransmissionTravelledDistance": 346.0,
    }
