"""A document of each payload generation, made up for these tests, with the rows that must come of it.

The names A to H are those of DIMO's own sources: A AutoPi, B Smartcar, C Macaron (LoRa), D the v2 device,
E `status-raw`, F the default module, G Ruptela, H the Tesla API.
"""

from __future__ import annotations

import copy
import json
from typing import NamedTuple

VEHICLE = "4711"
AUTOPI = "dimo/integration/27qftVRWQYpVDcO5DltO5Ojbjxk"
SMARTCAR = "dimo/integration/22N2xaPOq2WW2gAHBHd0Ikn4Zob"
MACARON = "dimo/integration/2ULfuC8U9dOqRshZBAi0lMM1Rrx"
MODULE = "0x5e31bBc786D7bEd95216383787deA1ab0f1c1897"
RECEIVED = "2026-01-05T10:00:02.25Z"


class Row(NamedTuple):
    """What a row of `signals` says: its value is of the type of its column, and JSON text where it is bytes."""

    name: str
    value: float | str | bool | bytes
    timestamp: str
    source: str | None


def cloud_event(data: object, *, source: str = AUTOPI, **changes: object) -> dict[str, object]:
    """A status event as history gives it; a member set to None is left out."""
    event = {
        "id": "2abc0000000000000000000001",
        "source": source,
        "specversion": "1.0",
        "subject": "2testUserDevice000000000001",
        "time": RECEIVED,
        "type": "zone.dimo.device.status.update",
        "data": copy.deepcopy(data),
        "vehicleTokenId": 4711,
    } | changes
    return {key: value for key, value in event.items() if value is not None}


def encoded(document: object) -> bytes:
    """A document as JSON text."""
    return json.dumps(document, ensure_ascii=False).encode()


def _at(timestamp: str, source: str | None, leaves: dict[str, float | str | bool | bytes]) -> list[Row]:
    return [Row(name, value, timestamp, source) for name, value in leaves.items()]


_MEASURED = "2026-01-05T10:00:00.500000Z"

A = cloud_event(
    {
        "timestamp": "2026-01-05T10:00:00.5Z",
        "latitude": 52.5,
        "speed": 42,
        "engineSpeed": 1450.5,
        "odometer": None,
        "makeSlug": "ford",
        "wifi": {"ssid": "", "status": "COMPLETED"},
        "cell": {"ip": "192.0.2.1", "details": {"plmn": 26201, "cell_[0]": {"rssi": "-71.2 dBm"}}},
        "device": {"timestamp": 1767607200123, "hw_version": 5.2},
    }
)
A_ROWS = _at(
    _MEASURED,
    AUTOPI,
    {
        "timestamp": "2026-01-05T10:00:00.5Z",
        "latitude": 52.5,
        "speed": 42.0,
        "engineSpeed": 1450.5,
        "odometer": b"null",
        "makeSlug": "ford",
        "wifi.ssid": "",
        "wifi.status": "COMPLETED",
        "cell.ip": "192.0.2.1",
        "cell.details.plmn": 26201.0,
        "cell.details.cell_[0].rssi": "-71.2 dBm",
        "device.timestamp": 1767607200123.0,
        "device.hw_version": 5.2,
    },
)

_ERRORS = [{"type": "tires/pressure", "errorCode": 502, "errorType": "UPSTREAM", "resolution": {"type": "RETRY_LATER"}}]
B = cloud_event(
    {
        "timestamp": "2026-01-05T10:00:00.368245975Z",
        "odometer": 48210.4,
        "charging": True,
        "hasErrors": False,
        "soc": 0.61,
        "tires": {"frontLeft": 230, "backRight": 229.5},
        "charger": {"power": 11},
        "errors": _ERRORS,
    },
    source=SMARTCAR,
)
B_ROWS = _at(
    "2026-01-05T10:00:00.368245Z",
    SMARTCAR,
    {
        "timestamp": "2026-01-05T10:00:00.368245975Z",
        "odometer": 48210.4,
        "charging": True,
        "hasErrors": False,
        "soc": 0.61,
        "tires.frontLeft": 230.0,
        "tires.backRight": 229.5,
        "charger.power": 11.0,
        "errors": json.dumps(_ERRORS, separators=(",", ":")).encode(),
    },
)

C = cloud_event(
    {
        "timestamp": "2026-01-05T10:00:00.5Z",
        "odometer": 162300,
        "bootCounter": 12,
        "dtc": {"distanceWithMil": 0, "codes": []},
        "lora": {"fcnt": "1207", "devAddr": "00000000"},
        "signals": {"rpm": {"value": 900}, "fuelType": {"value": "Gasoline"}},
    },
    source=MACARON,
)
C_ROWS = _at(
    _MEASURED,
    MACARON,
    {
        "timestamp": "2026-01-05T10:00:00.5Z",
        "odometer": 162300.0,
        "bootCounter": 12.0,
        "dtc.distanceWithMil": 0.0,
        "dtc.codes": b"[]",
        "lora.fcnt": "1207",
        "lora.devAddr": "00000000",
        "signals.rpm.value": 900.0,
        "signals.fuelType.value": "Gasoline",
    },
)

D = cloud_event(
    {
        "timestamp": 1767607200500,
        "device": {"rpiUptimeSecs": 218, "batteryVoltage": 12.3},
        "vehicle": {
            "signals": [
                {"timestamp": 1767607199010, "name": "speed", "value": 42},
                {"timestamp": 1767607199020, "name": "wpa_state", "value": "COMPLETED"},
                {"timestamp": 1767607199030, "name": "isRedacted", "value": False},
            ]
        },
    },
    dataschema="dimo.zone.status/v2.0",
    type="com.dimo.device.status.v2",
)
D_ROWS = [
    *_at(
        _MEASURED,
        AUTOPI,
        {"timestamp": 1767607200500.0, "device.rpiUptimeSecs": 218.0, "device.batteryVoltage": 12.3},
    ),
    Row("speed", 42.0, "2026-01-05T09:59:59.010000Z", AUTOPI),
    Row("wpa_state", "COMPLETED", "2026-01-05T09:59:59.020000Z", AUTOPI),
    Row("isRedacted", False, "2026-01-05T09:59:59.030000Z", AUTOPI),
]

E = {
    "odometer": {"value": 48210.4, "source": SMARTCAR, "timestamp": "2026-01-05T08:15:02Z"},
    "tires": {"value": {"frontLeft": 230, "backLeft": 231}, "source": SMARTCAR, "timestamp": "2026-01-05T08:15:02Z"},
    "charging": {"value": False, "source": AUTOPI, "timestamp": "2026-01-05T09:15:02.5Z"},
    "errors": {"value": [{"errorCode": 502}], "source": SMARTCAR, "timestamp": "2026-01-05T08:15:02Z"},
}
E_ROWS = [
    Row("odometer", 48210.4, "2026-01-05T08:15:02.000000Z", SMARTCAR),
    Row("tires.frontLeft", 230.0, "2026-01-05T08:15:02.000000Z", SMARTCAR),
    Row("tires.backLeft", 231.0, "2026-01-05T08:15:02.000000Z", SMARTCAR),
    Row("charging", False, "2026-01-05T09:15:02.500000Z", AUTOPI),
    Row("errors", b'[{"errorCode":502}]', "2026-01-05T08:15:02.000000Z", SMARTCAR),
]

_EVENTS = [{"name": "behavior.harshBraking", "timestamp": "2026-01-05T09:59:58Z", "durationNs": 0}]
F = cloud_event(
    {
        "vin": "TESTVIN0000000001",
        "signals": [
            {"name": "speed", "timestamp": "2026-01-05T10:00:00.123456789Z", "value": 42.0},
            {"name": "speed", "timestamp": "2026-01-05T10:00:01Z", "value": "43.5"},
            {
                "name": "currentLocationCoordinates",
                "timestamp": "2026-01-05T10:00:01Z",
                "value": {"latitude": 52.5, "longitude": 13.4, "hdop": 0.8},
            },
        ],
        "events": _EVENTS,
    },
    source=MODULE,
    type="dimo.status",
    subject="did:erc721:137:0xbA5738a18d83D41847dfFbDC6101d37C69c9B0cF:4711",
    vehicleTokenId=None,
    dataversion="default/v1.0",
)
F_ROWS = [
    *_at(
        "2026-01-05T10:00:02.250000Z",
        MODULE,
        {"vin": "TESTVIN0000000001", "events": json.dumps(_EVENTS, separators=(",", ":")).encode()},
    ),
    Row("speed", 42.0, "2026-01-05T10:00:00.123456Z", MODULE),
    Row("speed", "43.5", "2026-01-05T10:00:01.000000Z", MODULE),
    Row("currentLocationCoordinates.latitude", 52.5, "2026-01-05T10:00:01.000000Z", MODULE),
    Row("currentLocationCoordinates.longitude", 13.4, "2026-01-05T10:00:01.000000Z", MODULE),
    Row("currentLocationCoordinates.hdop", 0.8, "2026-01-05T10:00:01.000000Z", MODULE),
]

G = cloud_event(
    {
        "pos": {"alt": 1048, "dir": 17900, "lat": 525163000, "lon": 133777000},
        "prt": 0,
        "signals": {"645": "0000015a", "96": "58"},
        "trigger": 7,
    },
    source=MODULE,
    ds="r/v0/s",
)
G_ROWS = _at(
    "2026-01-05T10:00:02.250000Z",
    MODULE,
    {
        "pos.alt": 1048.0,
        "pos.dir": 17900.0,
        "pos.lat": 525163000.0,
        "pos.lon": 133777000.0,
        "prt": 0.0,
        "signals.645": "0000015a",
        "signals.96": "58",
        "trigger": 7.0,
    },
)

H = cloud_event(
    {
        "charge_state": {"battery_level": 61, "charging_state": "Charging", "timestamp": 1767607199010},
        "drive_state": {"speed": None, "latitude": 47.3, "timestamp": 1767607199020},
        "vehicle_state": {"odometer": 35977.01, "locked": True, "media_info": {}},
    },
    source=MODULE,
)
H_ROWS = _at(
    "2026-01-05T10:00:02.250000Z",
    MODULE,
    {
        "charge_state.battery_level": 61.0,
        "charge_state.charging_state": "Charging",
        "charge_state.timestamp": 1767607199010.0,
        "drive_state.speed": b"null",
        "drive_state.latitude": 47.3,
        "drive_state.timestamp": 1767607199020.0,
        "vehicle_state.odometer": 35977.01,
        "vehicle_state.locked": True,
        "vehicle_state.media_info": b"{}",
    },
)

GENERATIONS = {
    "A": (A, A_ROWS),
    "B": (B, B_ROWS),
    "C": (C, C_ROWS),
    "D": (D, D_ROWS),
    "E": (E, E_ROWS),
    "F": (F, F_ROWS),
    "G": (G, G_ROWS),
    "H": (H, H_ROWS),
}
