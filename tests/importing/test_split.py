"""A file is cut into its documents byte for byte, whatever form it has and whatever is wrong with it."""

from __future__ import annotations

import io
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dimo_etl.importing import split as module
from dimo_etl.importing.split import Part, Place, split
from tests.long import cases

DOCUMENTS = [
    b'{"id":"1","data":{"speed":1}}',
    rb'{"id": "2", "data": {"text": "}]{[ \" \\", "more": [[], {}, "]"]}}',
    b'{ "id" : "3" ,\n  "data" : { "hits" : { "hits" : 1 } } }',
    b'{"id":"4","data":{"data":[{"a":1}],"hits":[]}}',
    b'{"id":"\xc3\xa9\xf0\x9f\x9a\x97"}',
]


def export(documents, last=b""):
    return b'{"userDeviceId":"2ab","requestTimestamp":"t","data": [ ' + b", ".join(documents) + last + b"]}"


def response(documents, total=1070):
    hits = b",".join(b'{"_index":"i","_id":"x","_source":%s}' % document for document in documents)
    return b'{"took":12,"hits":{"total":{"value":%d,"relation":"eq"},"max_score":1.9,"hits":[%s]}}' % (total, hits)


FORMS = {
    "an array": lambda documents: b"[" + b",".join(documents) + b"]",
    "an array a line each": lambda documents: b"[\r\n" + b",\r\n".join(documents) + b"\r\n]\r\n",
    "lines": lambda documents: b"\n".join(documents) + b"\n",
    "lines with CRLF": lambda documents: b"\r\n".join(documents) + b"\r\n",
    "concatenated": b"".join,
    "records": lambda documents: b"".join(b"\x1e" + document + b"\n" for document in documents),
    "an export": export,
    "an export whose size is a multiple of its page": lambda documents: export(documents, last=b","),
}


def parts(text):
    return list(split(io.BytesIO(text)))


def documents_in(text):
    return [part.text for part in parts(text) if part.place is Place.DOCUMENT]


def rubbish_in(text):
    return [part.text.strip() for part in parts(text) if part.place is Place.RUBBISH]


@pytest.fixture(params=[1, 2, 3, 5, 7, 1 << 20])
def block(request, monkeypatch):
    """Read in blocks of so many bytes, so that a border falls on every byte."""
    monkeypatch.setattr(module, "_BLOCK", request.param)


@pytest.mark.usefixtures("block")
@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_documents_come_back_byte_for_byte(form):
    assert documents_in(form(DOCUMENTS)) == DOCUMENTS
    assert rubbish_in(form(DOCUMENTS)) == []


@pytest.mark.usefixtures("block")
@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_a_byte_order_mark_is_passed_over(form):
    assert documents_in(b"\xef\xbb\xbf" + form(DOCUMENTS)) == DOCUMENTS


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=cases(40), deadline=None)
@given(
    st.lists(
        st.dictionaries(st.text().filter(lambda key: key not in ("data", "hits")), json_values, max_size=4), max_size=4
    ),
    st.sampled_from(sorted(FORMS)),
    st.sampled_from([None, 1]),
    st.booleans(),
)
def test_any_documents_in_any_form_come_back_byte_for_byte(values, form, indent, escaped):
    documents = [json.dumps(value, indent=indent, ensure_ascii=escaped).encode("utf-8", "replace") for value in values]
    assert documents_in(FORMS[form](documents)) == documents


@pytest.mark.usefixtures("block")
def test_a_history_response_gives_its_hits_and_then_what_surrounds_them():
    opening, *hits, envelope = parts(response(DOCUMENTS))
    assert opening == Part(Place.OPENING, response([]))
    assert {part.place for part in hits} == {Place.HIT}
    assert [hit.text for hit in hits] == [b'{"_index":"i","_id":"x","_source":%s}' % document for document in DOCUMENTS]
    assert envelope == Part(Place.ENVELOPE, response([]))


@pytest.mark.usefixtures("block")
def test_responses_one_after_another_are_told_apart():
    found = parts(response(DOCUMENTS[:1], 1) + b"\n" + response([], 0) + response(DOCUMENTS[1:3], 2))
    assert [part.place.name for part in found] == [
        *("OPENING", "HIT", "ENVELOPE"),
        *("OPENING", "ENVELOPE"),
        *("OPENING", "HIT", "HIT", "ENVELOPE"),
    ]


@pytest.mark.usefixtures("block")
def test_an_indented_response_is_a_response():
    text = json.dumps(json.loads(response(DOCUMENTS[:2])), indent=2).encode()
    assert [part.place.name for part in parts(text)] == ["OPENING", "HIT", "HIT", "ENVELOPE"]


@pytest.mark.usefixtures("block")
def test_an_export_names_its_device_before_its_documents_come():
    opening = parts(export(DOCUMENTS))[0]
    assert opening.place is Place.OPENING
    assert json.loads(opening.text) == {"userDeviceId": "2ab", "requestTimestamp": "t", "data": []}


@pytest.mark.usefixtures("block")
def test_the_envelope_of_an_export_names_its_device():
    envelope = parts(export(DOCUMENTS, last=b",\n"))[-1]
    assert json.loads(envelope.text) == {"userDeviceId": "2ab", "requestTimestamp": "t", "data": []}


@pytest.mark.usefixtures("block")
@pytest.mark.parametrize("form", ["an array", "an export", "lines", "concatenated"])
def test_a_file_cut_off_in_a_document_gives_all_before_it(form):
    whole = FORMS[form](DOCUMENTS[:3])
    cut = whole[: whole.index(b'"3"') + 2]
    assert documents_in(cut) == DOCUMENTS[:2]
    assert b'{ "id" : "' in b"".join(rubbish_in(cut))


@pytest.mark.usefixtures("block")
@pytest.mark.parametrize(
    "broken",
    [
        b'{"id":"x","data":{"speed":1',
        b'{"id":"x","data":{"speed":',
        b'{"id":"x",',
        b'{"id":"x","data":{"text":"no end',
        b'{"id":"x","data":[1,2',
        b'{"id":"x","data":{"text":"no end\\',
        b'{"id":"x"}}}',
    ],
)
def test_a_broken_line_does_not_swallow_the_lines_after_it(broken):
    text = b"\n".join([DOCUMENTS[0], broken, DOCUMENTS[1], DOCUMENTS[4], b""])
    found = documents_in(text)
    assert [document for document in found if b'"x"' not in document] == [DOCUMENTS[0], DOCUMENTS[1], DOCUMENTS[4]]


@pytest.mark.parametrize("broken", [b'{"id":"x","data":{"text":"no end', b'{"id":"x","data":{"speed":1'])
def test_a_broken_line_is_noticed_within_a_line_and_not_at_the_end_of_the_file(broken, monkeypatch):
    monkeypatch.setattr(module, "_BLOCK", 64)
    stream = io.BytesIO(broken + b"\n" + b"\n".join(DOCUMENTS[:1] * 1_000))
    assert next(split(stream)) == Part(Place.RUBBISH, broken)
    assert stream.tell() < 200


@pytest.mark.usefixtures("block")
def test_a_broken_element_does_not_swallow_the_lines_after_it():
    lines = [DOCUMENTS[0], b'{"id":"x","data":{"speed":1}', DOCUMENTS[1], DOCUMENTS[4]]
    text = b'{"userDeviceId":"2ab","data":[\n' + b",\n".join(lines) + b"]}"
    assert documents_in(text) == [DOCUMENTS[0], DOCUMENTS[1], DOCUMENTS[4]]
    assert parts(text)[-1].place is Place.ENVELOPE


def test_rubbish_between_documents_is_handed_out_and_nothing_is_lost():
    text = b"log: start\n" + DOCUMENTS[0] + b"\nHTTP/1.1 200 OK\n" + DOCUMENTS[1] + b"\n42\n"
    assert documents_in(text) == DOCUMENTS[:2]
    assert rubbish_in(text) == [b"log: start", b"HTTP/1.1 200 OK", b"42"]


@pytest.mark.usefixtures("block")
def test_scalars_in_a_list_are_rubbish_beside_its_documents():
    assert documents_in(b'[1, "a]b\\"", null, ' + DOCUMENTS[0] + b", true]") == DOCUMENTS[:1]
    assert rubbish_in(b'[1, "a]b\\"", null, ' + DOCUMENTS[0] + b", true]") == [b"1", b'"a]b\\""', b"null", b"true"]


@pytest.mark.parametrize("text", [b"", b" \r\n\t", b"[]", b"\xef\xbb\xbf", b"[ , ]"])
def test_an_empty_file_has_no_parts(text):
    assert parts(text) == []


def test_a_broken_value_larger_than_any_document_is_handed_out_in_blocks(monkeypatch):
    monkeypatch.setattr(module, "_BLOCK", 64)
    monkeypatch.setattr(module, "_LARGEST_DOCUMENT", 1_000)
    huge = b'{"a":[' + b"1," * 2_000
    found = parts(huge + b"\n" + DOCUMENTS[0])
    assert found[-1] == Part(Place.DOCUMENT, DOCUMENTS[0])
    assert b"".join(part.text for part in found[:-1]) == huge
    assert max(len(part.text) for part in found) < 1_200


def test_any_bytes_are_cut_without_an_error_and_none_is_lost():
    @settings(max_examples=cases(100), deadline=None)
    @given(st.text('{}[]",:\\\n ab', max_size=60))
    def check(text):
        found = parts(text.encode())
        if any(part.place is Place.ENVELOPE for part in found):
            return
        texts = [part.text for part in found if part.place is not Place.OPENING]
        letters = sum(text.count(b"a") + text.count(b"b") for text in texts)
        assert letters == text.count("a") + text.count("b")

    check()
