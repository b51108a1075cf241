"""Payloads that a Tesla streams, written by protobuf's own library from a part of the maker's schema."""

from __future__ import annotations

from base64 import b64encode
from datetime import datetime
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, timestamp_pb2

_ENUMS = {
    "WindowState": ["Unknown", "Closed", "PartiallyOpen", "Opened"],
    "DetailedChargeState": ["Unknown", "Disconnected", "NoPower", "Starting", "Charging", "Complete", "Stopped"],
    "ShiftState": ["Unknown", "Invalid", "P", "R", "N", "D", "SNA"],
}
_MESSAGES: dict[str, dict[str, tuple[int, str]]] = {
    "LocationValue": {"latitude": (1, "double"), "longitude": (2, "double")},
    "Doors": {
        name: (number, "bool")
        for number, name in enumerate(
            ["DriverFront", "DriverRear", "PassengerFront", "PassengerRear", "TrunkFront", "TrunkRear"], 1
        )
    },
    "Time": {"hour": (1, "int32"), "minute": (2, "int32"), "second": (3, "int32")},
    "Value": {
        "string_value": (1, "string"),
        "int_value": (2, "int32"),
        "long_value": (3, "int64"),
        "float_value": (4, "float"),
        "double_value": (5, "double"),
        "boolean_value": (6, "bool"),
        "location_value": (7, "LocationValue"),
        "shift_state_value": (9, "ShiftState"),
        "invalid": (10, "bool"),
        "door_value": (21, "Doors"),
        "window_state_value": (24, "WindowState"),
        "time_value": (31, "Time"),
        "detailed_charge_state_value": (32, "DetailedChargeState"),
        # Of a schema that is newer than ours.
        "newer_number": (901, "int32"),
        "newer_message": (902, "Time"),
    },
    "Datum": {"key": (1, "int32"), "value": (2, "Value")},
    "Payload": {
        "data": (1, "repeated Datum"),
        "created_at": (2, "google.protobuf.Timestamp"),
        "vin": (3, "string"),
        "is_resend": (4, "bool"),
        "newer": (905, "string"),
    },
}
KEYS = {
    "VehicleSpeed": 4,
    "Odometer": 5,
    "Soc": 8,
    "Gear": 10,
    "Location": 21,
    "DCChargingEnergyIn": 34,
    "ACChargingPower": 37,
    "ChargeLimitSoc": 38,
    "EstBatteryRange": 40,
    "ScheduledDepartureTime": 46,
    "ChargeAmps": 49,
    "DoorState": 58,
    "FdWindow": 60,
    "FpWindow": 61,
    "RdWindow": 62,
    "RpWindow": 63,
    "TpmsPressureFl": 69,
    "TpmsPressureFr": 70,
    "TpmsPressureRl": 71,
    "TpmsPressureRr": 72,
    "OutsideTemp": 86,
    "LifetimeEnergyUsed": 102,
    "EnergyRemaining": 158,
    "DetailedChargeState": 179,
    "ChargerVoltage": 184,
}
_FIELD = descriptor_pb2.FieldDescriptorProto


def _schema() -> descriptor_pool.DescriptorPool:
    package = "of_tests"
    file = descriptor_pb2.FileDescriptorProto(name="tesla.proto", package=package, syntax="proto3")
    file.dependency.append("google/protobuf/timestamp.proto")
    for name, words in _ENUMS.items():
        kind = file.enum_type.add(name=name)
        for number, word in enumerate(words):
            kind.value.add(name=name + word, number=number)
    for name, members in _MESSAGES.items():
        message = file.message_type.add(name=name)
        if name == "Value":
            message.oneof_decl.add(name="value")
        for member, (number, written) in members.items():
            repeated, of = written.startswith("repeated "), written.removeprefix("repeated ")
            one = message.field.add(name=member, number=number)
            one.label = _FIELD.LABEL_REPEATED if repeated else _FIELD.LABEL_OPTIONAL
            if name == "Value":
                one.oneof_index = 0
            if of in _MESSAGES or "." in of:
                one.type, one.type_name = _FIELD.TYPE_MESSAGE, f".{of}" if "." in of else f".{package}.{of}"
            elif of in _ENUMS:
                one.type, one.type_name = _FIELD.TYPE_ENUM, f".{package}.{of}"
            else:
                one.type = getattr(_FIELD, f"TYPE_{of.upper()}")
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(timestamp_pb2.DESCRIPTOR.serialized_pb)
    pool.Add(file)
    return pool


_POOL = _schema()
Payload: Any = message_factory.GetMessageClass(_POOL.FindMessageTypeByName("of_tests.Payload"))


def message(created_at: datetime | None, *data: tuple[str | int, str, object], **rest: object) -> bytes:
    """A payload's bytes.

    Args:
        created_at: when it was made.
        data: the field by name or number, the member of `Value` that holds it, and what it holds; a dictionary makes a
            message of its members.
        rest: other members of the payload.
    """
    payload = Payload(**rest)
    if created_at is not None:
        payload.created_at.FromDatetime(created_at)
    for key, member, value in data:
        datum = payload.data.add(key=KEYS[key] if isinstance(key, str) else key)
        if isinstance(value, dict):
            held = getattr(datum.value, member)
            held.SetInParent()
            for name, one in value.items():
                setattr(held, name, one)
        elif member:
            setattr(datum.value, member, value)
    return payload.SerializeToString()


def document(*payloads: bytes | str, **changes: object) -> dict[str, object]:
    """An event with payloads, as the Fetch API gives it; one given as a text stands as it is."""
    texts = [one if isinstance(one, str) else b64encode(one).decode() for one in payloads]
    return {
        "id": "2tesla000000000000000000001",
        "source": "0xc4035Fecb1cc906130423EF05f9C20977F643722",
        "specversion": "1.0",
        "subject": "did:erc721:137:0xbA5738a18d83D41847dfFbDC6101d37C69c9B0cF:9533",
        "time": "2026-01-05T10:00:02.25Z",
        "type": "dimo.status",
        "dataversion": "fleet_telemetry/v1.0.0",
        "data": {"payloads": texts},
    } | changes


# What an older car and a newer one stream of the same moment: numbers and states as texts, and as what they are.
_TYPED: list[tuple[str, str, object]] = [
    ("ACChargingPower", "double_value", 5.700000084936619),
    ("DCChargingEnergyIn", "double_value", 2.380388924359452),
    ("Soc", "double_value", 18.155283129013426),
    ("TpmsPressureFl", "double_value", 2.9250000435858965),
    ("TpmsPressureFr", "double_value", 2.425000036135316),
    ("TpmsPressureRl", "double_value", 2.8000000417232513),
    ("TpmsPressureRr", "double_value", 2.8000000417232513),
    ("OutsideTemp", "double_value", 2.5),
    ("EstBatteryRange", "double_value", 19.80471193262205),
    ("ChargeLimitSoc", "int_value", 80),
    ("Odometer", "double_value", 61026.774055062444),
    ("VehicleSpeed", "double_value", 21.0),
    ("EnergyRemaining", "double_value", 39.61999911442399),
    ("ChargeAmps", "double_value", 12.0),
]
_ALWAYS_TYPED: list[tuple[str, str, object]] = [
    ("Location", "location_value", {"latitude": 30.267222, "longitude": -97.743056}),
    ("DetailedChargeState", "detailed_charge_state_value", 4),
    ("ChargerVoltage", "double_value", 114.774),
]
NEWER = [
    *_ALWAYS_TYPED,
    *_TYPED,
    ("DoorState", "door_value", {"DriverFront": True, "PassengerFront": True}),
    ("FdWindow", "window_state_value", 3),
    ("FpWindow", "window_state_value", 3),
    ("RdWindow", "window_state_value", 1),
    ("RpWindow", "window_state_value", 2),
]
OLDER = [
    *_ALWAYS_TYPED,
    *((key, "string_value", repr(value)) for key, _, value in _TYPED),
    ("DoorState", "string_value", "DriverFront|PassengerFront"),
    ("FdWindow", "string_value", "Opened"),
    ("FpWindow", "string_value", "Opened"),
    ("RdWindow", "string_value", "Closed"),
    ("RpWindow", "string_value", "PartiallyOpen"),
]
# As DIMO's own converter gives them for both (model-garage, pkg/tesla/telemetry); front and rear trunk are ours.
CANONICAL = {
    "currentLocationCoordinates.latitude": 30.267222,
    "currentLocationCoordinates.longitude": -97.743056,
    "powertrainTractionBatteryCurrentPower": 5700.000084936619,
    "powertrainTractionBatteryChargingIsCharging": 1,
    "powertrainTractionBatteryChargingIsChargingCableConnected": 1,
    "powertrainTractionBatteryChargingAddedEnergy": 2.380388924359452,
    "powertrainTractionBatteryStateOfChargeCurrent": 18.155283129013426,
    "chassisAxleRow1WheelLeftTirePressure": 296.375629416341,
    "chassisAxleRow1WheelRightTirePressure": 245.71312866141088,
    "chassisAxleRow2WheelLeftTirePressure": 283.71000422760847,
    "chassisAxleRow2WheelRightTirePressure": 283.71000422760847,
    "exteriorAirTemperature": 2.5,
    "powertrainRange": 31.872594320493704,
    "powertrainTractionBatteryChargingChargeLimit": 80,
    "speed": 33.796224,
    "powertrainTransmissionTravelledDistance": 98213.07266487041,
    "powertrainTractionBatteryStateOfChargeCurrentEnergy": 39.61999911442399,
    "cabinDoorRow1DriverSideIsOpen": 1,
    "cabinDoorRow1PassengerSideIsOpen": 1,
    "cabinDoorRow2DriverSideIsOpen": 0,
    "cabinDoorRow2PassengerSideIsOpen": 0,
    "cabinDoorRow1DriverSideWindowIsOpen": 1,
    "cabinDoorRow1PassengerSideWindowIsOpen": 1,
    "cabinDoorRow2DriverSideWindowIsOpen": 0,
    "cabinDoorRow2PassengerSideWindowIsOpen": 1,
    "powertrainTractionBatteryChargingChargeVoltageUnknownType": 114.774,
    "powertrainTractionBatteryChargingChargeCurrentAC": 12.0,
    "bodyTrunkFrontIsOpen": 0,
    "bodyTrunkRearIsOpen": 0,
}
