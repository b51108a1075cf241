"""A status answer taken apart: each signal an event of its own, the same however often it is seen."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dimo_etl.api.status import Endpoint
from dimo_etl.flatten.table import flatten
from dimo_etl.snapshots.read import Reading, read_answer
from dimo_etl.timestamps import to_us

STAMP = "2026-01-05T08:15:02Z"


def signal(value: object, stamp: str = STAMP, source: str = "dimo/integration/x") -> dict[str, object]:
    return {"value": value, "source": source, "timestamp": stamp}


def raw(vehicle_id: str = "4711", **signals: object) -> Reading:
    return read_answer(vehicle_id, Endpoint.RAW, orjson.dumps(signals))


def leaves(reading: Reading) -> dict[str, object]:
    """The leaf values by name, and nothing in quarantine."""
    flattened = flatten("4711", reading.events)
    assert not flattened.quarantined
    found = {}
    for name, table in flattened.tables.items():
        (row,) = table.to_pylist()
        values = [row[key] for key in ("value_number", "value_string", "value_boolean", "value_json")]
        (found[name],) = [value for value in values if value is not None]
    return found


def test_each_signal_of_a_raw_status_is_an_event_at_its_own_time():
    reading = raw(odometer=signal(48210.4), vin=signal("W0", "2024-02-03T04:05:06Z"))
    assert [event.timestamp_us for event in reading.events] == [to_us(STAMP), to_us("2024-02-03T04:05:06Z")]
    assert (reading.signals, reading.newest_us) == (2, to_us(STAMP))


def test_values_of_every_kind_become_leaves():
    reading = raw(odometer=signal(1.5), vin=signal("W0"), on=signal(True), no=signal(None), list=signal([1, 2]))
    assert leaves(reading) == {"odometer": 1.5, "vin": "W0", "on": True, "no": "null", "list": "[1,2]"}


@pytest.mark.parametrize("name", ["data", "signals", "vehicle", "timestamp", "value", "source", 'a "quoted" name', ""])
def test_a_signal_may_have_any_name(name):
    assert leaves(raw(**{name: signal(7)})) == {name: 7.0}


def test_every_digit_of_a_number_is_kept():
    answer = b'{"count":{"value":12345678901234567890123,"source":"s","timestamp":"%s"}}' % STAMP.encode()
    assert leaves(read_answer("4711", Endpoint.RAW, answer)) == {"count": "12345678901234567890123"}


@pytest.mark.parametrize("stamp", ["", "yesterday", "0001-01-01T00:00:00Z", None, {"a": 1}])
def test_a_signal_without_a_readable_time_is_counted_and_belongs_to_no_day(stamp):
    reading = raw(odometer={"value": 1, "timestamp": stamp}, bare=5)
    assert (reading.signals, reading.newest_us, reading.events) == (2, None, ())


@pytest.mark.parametrize(
    "changed",
    [
        {"vehicle_id": "4712"},
        {"odometer": signal(2)},
        {"odometer": signal(1, "2026-01-05T08:15:03Z")},
        {"odometer": signal(1, source="another")},
    ],
)
def test_vehicle_value_time_and_source_tell_signals_apart(changed):
    (one,), (other,) = raw(odometer=signal(1)).events, raw(**{"odometer": signal(1)} | changed).events
    assert one.event_id != other.event_id


def test_the_order_of_keys_white_space_and_a_zero_fraction_do_not_make_another_signal():
    first = read_answer("1", Endpoint.RAW, b'{"t":{"value":{"a":1,"b":2.0},"timestamp":"%s"}}' % STAMP.encode())
    again = read_answer("1", Endpoint.RAW, b'{"t":{"timestamp":"%s", "value":{"b":2,"a":1}}}' % STAMP.encode())
    assert first.events[0].event_id == again.events[0].event_id


def test_all_values_of_a_flat_status_have_the_time_of_its_record():
    answer = {"odometer": 5, "tirePressure": {"frontLeft": 230}, "recordUpdatedAt": STAMP, "recordCreatedAt": STAMP}
    reading = read_answer("4711", Endpoint.V1, orjson.dumps(answer))
    assert leaves(reading) == {"odometer": 5.0, "tirePressure.frontLeft": 230.0}
    assert (reading.signals, {event.timestamp_us for event in reading.events}) == (2, {to_us(STAMP)})


def test_what_a_nested_status_leaves_unset_is_no_signal():
    status = {"travelledDistance": 5, "speed": None, "obd": {"a": None}, "place": {"latitude": 1.5, "altitude": None}}
    reading = read_answer("4711", Endpoint.V2, orjson.dumps({"status": status, "recordUpdatedAt": STAMP}))
    assert (reading.signals, leaves(reading)) == (2, {"travelledDistance": 5.0, "place.latitude": 1.5})


@pytest.mark.parametrize("endpoint", Endpoint)
@pytest.mark.parametrize("answer", [b"{}", b'{"recordUpdatedAt":5}', b'{"status":[1],"recordUpdatedAt":"x"}'])
def test_odd_answers_have_no_events(endpoint, answer):
    assert read_answer("4711", endpoint, answer).events == ()


NUMBERS = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.text(max_size=8), JSON, max_size=5))
def test_any_status_comes_apart_into_as_many_events_that_can_all_be_read(values):
    try:
        answer = orjson.dumps({name: signal(value) for name, value in values.items()})
    except orjson.JSONEncodeError:
        return  # lone surrogates, which no JSON of UTF-8 can hold
    reading = read_answer("4711", Endpoint.RAW, answer)
    assert len(reading.events) == reading.signals == len(values)
    assert flatten("4711", reading.events).quarantined == []


def test_a_list_of_signals_gives_each_with_the_value_of_its_kind():
    signals = [
        {"name": "speed", "timestamp": "2026-01-05T10:00:00.25Z", "valueNumber": 4.50, "valueString": None},
        {"name": "oilLevel", "timestamp": "2026-01-05T10:00:01Z", "valueNumber": None, "valueString": "LOW"},
        {"name": "currentLocationCoordinates", "timestamp": "2026-01-05T10:00:02Z", "valueLocation": {"latitude": 1}},
        {"name": "fuel", "timestamp": "2026-01-05T10:00:02Z"},
    ]
    reading = read_answer("1", Endpoint.SIGNALS, orjson.dumps({"lastSeen": None, "signals": signals}))
    data = [orjson.loads(event.payload)["data"] for event in reading.events]
    assert [(name, one["value"]) for each in data for name, one in each.items()] == [
        ("speed", 4.5),
        ("oilLevel", "LOW"),
        ("currentLocationCoordinates", {"latitude": 1}),
    ]
    assert reading.signals == 3


def test_a_position_that_is_shown_as_a_number_is_none():
    signal = {"name": "currentLocationCoordinates", "timestamp": "2026-01-05T10:00:02Z", "valueNumber": 0}
    assert read_answer("1", Endpoint.SIGNALS, orjson.dumps({"signals": [signal]})).events == ()


@pytest.mark.parametrize("payload", [b"{}", b'{"signals":[{"name":1}]}', b'{"signals":7}'])
def test_what_is_no_list_of_signals_shows_nothing(payload):
    assert read_answer("1", Endpoint.SIGNALS, payload).signals == 0
