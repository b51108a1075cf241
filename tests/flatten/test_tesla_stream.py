"""What a Tesla streams: every value of every payload is a leaf with its time, and nothing of a payload is lost."""

from __future__ import annotations

import json
from base64 import b64encode
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dimo_etl.flatten.tesla_names import FIELDS, WORDS
from dimo_etl.flatten.tesla_stream import read_payload
from dimo_etl.flatten.wire import WireError
from tests.flatten.rows import flattened, rows_of
from tests.tesla import KEYS, NEWER, document, message

NINE, TEN = datetime(2026, 1, 5, 9, 59, 59, 250_000, tzinfo=UTC), datetime(2026, 1, 5, 10, tzinfo=UTC)
NINE_TEXT, TEN_TEXT = "2026-01-05T09:59:59.250000Z", "2026-01-05T10:00:00.000000Z"
RECEIVED = "2026-01-05T10:00:02.250000Z"


def leaves(*data: tuple[str | int, str, object], **rest: object) -> dict[str, object]:
    """The leaves of one payload."""
    found = read_payload(b64encode(message(TEN, *data, **rest)).decode()).leaves
    assert len(dict(found)) == len(found)
    return dict(found)


def test_each_payload_gives_its_values_its_own_time_and_stays_in_its_list():
    first = message(NINE, ("Odometer", "double_value", 61_026.75), ("VehicleSpeed", "string_value", "21"), vin="5YJ")
    second = message(TEN, ("Odometer", "double_value", 61_026.8), is_resend=True)
    event = document(first, second)
    found = flattened(event)
    assert [(row.name, row.value, row.timestamp) for row in rows_of(found)] == [
        (
            "payloads",
            json.dumps(event["data"]["payloads"], separators=(",", ":")).encode(),
            "2026-01-05T10:00:02.250000Z",
        ),
        ("Odometer", 61_026.75, NINE_TEXT),
        ("Odometer", 61_026.8, TEN_TEXT),
        ("VehicleSpeed", "21", NINE_TEXT),
        ("vin", "5YJ", NINE_TEXT),
        ("is_resend", True, TEN_TEXT),
    ]
    assert {row.source for row in rows_of(found)} == {"0xc4035Fecb1cc906130423EF05f9C20977F643722"}


def test_a_payload_without_a_time_has_that_of_its_document():
    found = flattened(document(message(None, ("Soc", "int_value", 80))))
    assert {row.timestamp for row in rows_of(found)} == {RECEIVED}


@pytest.mark.parametrize(
    ("member", "value", "expected"),
    [
        ("string_value", "", {"Soc": ""}),
        ("int_value", -7, {"Soc": -7}),
        ("long_value", -(2**63), {"Soc": -(2**63)}),
        ("float_value", 2.5, {"Soc": 2.5}),
        ("double_value", 0.0, {"Soc": 0.0}),
        ("double_value", float("nan"), {"Soc": "NaN"}),
        ("float_value", float("-inf"), {"Soc": "-Infinity"}),
        ("boolean_value", False, {"Soc": False}),
        ("shift_state_value", 5, {"Soc": "ShiftStateD"}),
        ("shift_state_value", 77, {"Soc": 77}),
        ("invalid", True, {"Soc.invalid": True}),
        ("location_value", {"longitude": -97.5}, {"Soc.latitude": 0.0, "Soc.longitude": -97.5}),
        ("time_value", {"hour": 7}, {"Soc.hour": 7, "Soc.minute": 0, "Soc.second": 0}),
        ("newer_number", 3, {"Soc.901": 3}),
        ("newer_message", {"hour": 7}, {"Soc.902": b64encode(b"\x08\x07").decode()}),
        ("", None, {"Soc": None}),
    ],
)
def test_a_value_of_any_type_is_a_leaf(member, value, expected):
    assert leaves(("Soc", member, value)) == expected


def test_a_door_that_is_not_sent_is_shut():
    assert leaves(("DoorState", "door_value", {"TrunkRear": True})) == {
        f"DoorState.{door}": door == "TrunkRear"
        for door in ("DriverFront", "DriverRear", "PassengerFront", "PassengerRear", "TrunkFront", "TrunkRear")
    }


def test_a_field_and_a_member_of_a_newer_schema_are_leaves_by_their_numbers():
    assert leaves((300, "double_value", 1.5), (-1, "int_value", 2), newer="x") == {
        "Field300": 1.5,
        "Field-1": 2,
        "payloads.905": b64encode(b"x").decode(),
    }


def test_the_fields_have_the_numbers_of_the_makers_schema():
    assert {name: FIELDS.index(name) for name in KEYS} == KEYS
    assert (len(FIELDS), FIELDS[259], WORDS[54][3]) == (
        260,
        "SelfDrivingMilesSinceReset",
        "SunroofInstalledStateGen2Installed",
    )


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        ("not base64!", "not base64"),
        ("Ünicode", "not base64"),
        (b"\x0a\x05\x08", "1 bytes where 5 are announced at byte 2"),
        (b"\xff" * 12, "a number without an end at byte 0"),
        (b"\x00\x01", "a member has no number at byte 1"),
        (b"\x0b", "a member of unknown type 3 at byte 1"),
        (b"\x1a\x02\xff\xfe", "a text that is not UTF-8"),
        (b"\x0a\x02\x0a\x05", "0 bytes where 5 are announced at byte 2"),
    ],
)
def test_a_document_of_which_no_payload_can_be_read_is_kept_whole_with_the_reason(payload, reason):
    event = document(payload)
    found = flattened(event, document(message(TEN, ("Soc", "int_value", 80)), id="other"))
    ((item, told),) = [(item.event, item.reason) for item in found.quarantined]
    assert json.loads(item.payload) == event
    assert reason in told
    assert {row.name for row in rows_of(found)} == {"payloads", "Soc"}


def test_a_payload_that_cannot_be_read_takes_no_other_with_it_and_says_why():
    found = flattened(document(b"\xff", message(TEN, ("Soc", "int_value", 80)), "?"))
    assert not found.quarantined
    values = {row.name: row.value for row in rows_of(found)}
    assert values["Soc"] == 80
    assert json.loads(values["payloads.unreadable"]) == [
        {"payload": 0, "reason": "a number without an end at byte 0"},
        {"payload": 2, "reason": "not base64"},
    ]


@pytest.mark.parametrize(
    "changes", [{"dataversion": "default/v1.0"}, {"data": {"payloads": [1, "x"]}}, {"data": {"payloads": []}}]
)
def test_a_document_of_another_kind_is_what_it_is(changes):
    found = flattened(document(message(TEN, ("Soc", "int_value", 80)), **changes))
    assert [row.name for row in rows_of(found)] == ["payloads"]
    assert not found.quarantined


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(message_of_any_kind):
    try:
        found = read_payload(b64encode(message_of_any_kind).decode())
    except WireError:
        return
    assert all(isinstance(value, str | int | float | None) for _, value in found.leaves)


def test_a_payload_that_is_cut_anywhere_is_refused_or_gives_a_part_of_what_it_gave():
    whole = message(TEN, *NEWER)
    expected = read_payload(b64encode(whole).decode()).leaves
    for length in range(len(whole)):
        try:
            found = read_payload(b64encode(whole[:length]).decode()).leaves
        except WireError:
            continue
        assert found == expected[: len(found)]
