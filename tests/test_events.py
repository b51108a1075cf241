"""What makes a document an event: its id, its time and its vehicle."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dimo_etl.events import content_hash, is_in_history, is_vehicle_name, read_event, read_events, vehicle_of
from dimo_etl.timestamps import to_us
from tests import payloads
from tests.payloads import cloud_event, encoded

MEASURED, RECEIVED = "2026-01-05T10:00:00.5Z", payloads.RECEIVED
DID = "did:erc721:137:0xbA5738a18d83D41847dfFbDC6101d37C69c9B0cF:4711"


def event_of(document, **options):
    return read_event(encoded(document), **options)


def test_the_payload_is_kept_byte_for_byte():
    text = b' {"id": "1",\n"data": {"a": 1e400, "a": 2}} '
    assert read_event(text).payload == text


def test_a_document_with_an_id_is_known_by_it():
    event = event_of(payloads.A, index_id="of-the-index")
    assert event.event_id == payloads.A["id"]
    assert event.content_id is None


def test_a_document_without_an_id_is_known_by_that_of_the_index_and_by_its_content():
    document = cloud_event({"a": 1}, id=None)
    event = event_of(document, index_id="of-the-index")
    assert event.event_id == "of-the-index"
    assert event.content_id == content_hash(encoded(document))


@pytest.mark.parametrize("own", ["", 7, {"a": 1}, "\ud800"])
def test_an_id_that_is_no_text_is_no_id(own):
    text = json.dumps(cloud_event({"a": 1}) | {"id": own}).encode()
    event = read_event(text)
    assert event.event_id == event.content_id == content_hash(text)
    assert event.timestamp_us == to_us(RECEIVED)


def test_many_documents_are_read_as_each_alone():
    documents = [
        *(document for document, _ in payloads.GENERATIONS.values()),
        cloud_event({"timestamp": "soon", "a": 1}),
        cloud_event({"timestamp": "soon", "a": 1}, time=None),
        cloud_event({"a": 1}, id=None),
        {"id": 7, "time": [], "data": {"timestamp": 1_767_607_202}},
    ]
    texts = [*map(encoded, documents), b"", b"[1", b'{"id":"\\ud800"}']
    ids = [None if number % 2 else f"of-the-index-{number}" for number in range(len(texts))]
    alone = [read_event(text, index_id=index_id) for text, index_id in zip(texts, ids, strict=True)]
    assert read_events(texts, ids) == alone
    assert {event.timestamp_us is None for event in alone} == {True, False}


def test_the_content_has_one_name_however_it_is_written():
    texts = [
        b'{"data":{"speed":1,"b":[1.0,{"x":"\xc3\xa9"}]},"time":"t"}',
        b'{ "time" : "t",\n "data": {"b": [1, {"x":"\\u00e9"}], "speed": 1.0} }',
        b'{"data":{"speed":5,"speed":1,"b":[1e0,{"x":"\\u00E9"}]},"time":"t"}',
    ]
    assert len({content_hash(text) for text in texts}) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1", "2"),
        ("1", "true"),
        ("1", '"1"'),
        ("0", "false"),
        ("0", "null"),
        ("[1,2]", "[2,1]"),
        ("[]", "{}"),
        ("9007199254740993", "9007199254740992"),
        ("123456789012345678901234567890", "123456789012345678901234567891"),
        ("1e400", "2e400"),
        ("1e-400", "0"),
        ("[1e400]", "[2e400]"),
        ('"a\\u0000"', '"a"'),
        (r'"\ud800"', r'"\ud801"'),
        ("NaN", "Infinity"),
    ],
)
def test_different_contents_have_different_names(one, other):
    assert content_hash(b'{"a":%s}' % one.encode()) != content_hash(b'{"a":%s}' % other.encode())


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), st.integers() | st.text("ab") | st.none()))
def test_the_order_of_keys_does_not_change_the_name(document):
    turned = dict(reversed(document.items()))
    assert content_hash(encoded(document)) == content_hash(encoded(turned))


@pytest.mark.parametrize(
    ("document", "time"),
    [
        (cloud_event({"timestamp": MEASURED}), MEASURED),
        (cloud_event({"timestamp": 1767607200500}), MEASURED),
        (cloud_event({"timestamp": 1767607200.5}), MEASURED),
        (cloud_event({"speed": 1}), RECEIVED),
        (cloud_event({"timestamp": None}), RECEIVED),
        (cloud_event({"timestamp": "soon"}), RECEIVED),
        (cloud_event({"timestamp": [1]}), RECEIVED),
        (cloud_event({"timestamp": 10**30}), RECEIVED),
        (cloud_event([1]), RECEIVED),
        (cloud_event({"timestamp": MEASURED}, time=7.5e99), MEASURED),
        (cloud_event({"timestamp": MEASURED}, time={"a": 1}), MEASURED),
        (cloud_event({"timestamp": {"value": MEASURED, "timestamp": RECEIVED}}), MEASURED),
        ({"timestamp": {"value": MEASURED, "timestamp": RECEIVED}}, MEASURED),
    ],
)
def test_an_event_is_of_the_time_of_its_data_else_of_its_own(document, time):
    assert event_of(document).timestamp_us == to_us(time)


def test_values_nested_with_times_are_of_the_time_of_the_newest():
    assert event_of(payloads.E).timestamp_us == to_us("2026-01-05T09:15:02.5Z")


@pytest.mark.parametrize("text", [b"", b"[", b"[1]", b"7", b"\xff\xfe", b"[" * 200_000, b'{"time":true,"data":{}}'])
def test_what_is_no_document_is_an_event_without_a_time(text):
    event = read_event(text)
    assert event.timestamp_us is None
    assert event.event_id == content_hash(text)


@pytest.mark.parametrize(
    ("document", "vehicle"),
    [
        ({"vehicleTokenId": 4711, "subject": "2testUserDevice000000000001"}, "4711"),
        ({"subject": DID}, "4711"),
        ({"subject": DID.replace(":4711", "_0004711")}, "4711"),
        ({"subject": DID.replace("erc721", "nft")}, "4711"),
        ({"subject": "2testUserDevice000000000001"}, "2testUserDevice000000000001"),
        ({"subject": "did:ethr:137:0xbA57"}, "did:ethr:137:0xbA57"),
        ({"vehicleTokenId": 0, "subject": "x"}, "x"),
        ({"vehicleTokenId": 10**30, "subject": "x"}, "x"),
        ({"vehicleTokenId": True, "subject": "x"}, "x"),
        ({"vehicleTokenId": "4711"}, None),
        ({"subject": 4711}, None),
        ({}, None),
    ],
)
def test_a_document_names_its_vehicle_by_token_id_else_by_subject(document, vehicle):
    assert vehicle_of(document) == vehicle


@pytest.mark.parametrize(
    "name", ["", "../x", "a/b", "a b", "a\x00", "a\n", "x" * 129, "ä", "\ud800", "a'b", '"', "\x1b[31m", "%2e%2e"]
)
def test_a_hostile_subject_is_no_vehicle(name):
    assert vehicle_of({"subject": name}) is None
    assert not is_vehicle_name(name)


@pytest.mark.parametrize(
    ("data", "counted"),
    [
        ({"odometer": 1}, True),
        ({"latitude": 0}, True),
        ({"odometer": None, "latitude": []}, False),
        ({"speed": 1, "vehicle": {"odometer": 1}}, False),
        ({}, False),
    ],
)
def test_history_counts_documents_with_an_odometer_or_a_latitude(data, counted):
    assert is_in_history(json.dumps({"id": "1", "data": data}).encode()) is counted


@pytest.mark.parametrize("payload", [b"[1]", b'{"data":[1]}', b'{"odometer":{"value":1}}', b"rubbish"])
def test_a_document_that_cannot_be_told_is_not_said_to_be_beyond_history(payload):
    assert is_in_history(payload)
