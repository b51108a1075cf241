"""The body of a history answer: believed or not, and events byte for byte."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dimo_etl.api.hits import read_hits
from dimo_etl.api.messages import UnusableResponseError
from tests.long import cases

SHARDS = b'{"total":3,"successful":3,"skipped":1,"failed":0}'


def search(
    *sources: bytes,
    total: bytes | None = None,
    timed_out: bytes = b"false",
    shards: bytes = SHARDS,
) -> bytes:
    hits = b",".join(
        b'{"_index":"device-2026-01-05","_id":"id%d","_score":1.5,"_source":%s}' % (n, source)
        for n, source in enumerate(sources)
    )
    total = total or b'{"value":%d,"relation":"eq"}' % len(sources)
    return b'{"took":1,"timed_out":%s,"_shards":%s,"hits":{"total":%s,"max_score":null,"hits":[%s]}}' % (
        timed_out,
        shards,
        total,
        hits,
    )


def test_an_empty_window_is_an_answer():
    found = read_hits(search())
    assert (found.total, found.exact, found.hits) == (0, True, ())


def test_events_arrive_byte_for_byte():
    odd = b'{ "b":1.10,"a" : 1e2, "a":"\\u00e9\xc3\xa9", "n":123456789012345678901234567890 }'
    (hit,) = read_hits(search(odd)).hits
    assert (hit.index, hit.doc_id, hit.source) == ("device-2026-01-05", "id0", odd)


@pytest.mark.parametrize(("given", "score"), [(b"1.5", 1.5), (b"2", 2.0), (b"null", None), (b'"high"', None)])
def test_a_score_is_what_the_service_drew_by_and_an_odd_one_is_none(given, score):
    (hit,) = read_hits(search(b"{}").replace(b'"_score":1.5', b'"_score":' + given)).hits
    assert hit.score == score


def test_a_count_that_is_only_a_lower_bound_is_not_exact():
    found = read_hits(search(b"{}", total=b'{"value":10000,"relation":"gte"}'))
    assert (found.total, found.exact) == (10000, False)


def test_fewer_events_than_counted_are_left_to_the_caller():
    assert read_hits(search(b"{}", total=b'{"value":5,"relation":"eq"}')).total == 5


def test_the_same_event_twice_is_left_to_the_caller():
    body = search(b"{}", b"{}").replace(b"id1", b"id0")
    assert [hit.doc_id for hit in read_hits(body).hits] == ["id0", "id0"]


def test_the_bare_count_of_an_old_index_is_exact():
    found = read_hits(search(b"{}", total=b"7"))
    assert (found.total, found.exact) == (7, True)


def test_an_answer_without_shards_is_tolerated():
    body = search(b"{}").replace(b'"_shards":' + SHARDS + b",", b"")
    assert b"_shards" not in body
    assert read_hits(body).total == 1


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "not the JSON"),
        (b"null", "not the JSON"),
        (b"[]", "not the JSON"),
        (b"<html>502</html>", "not the JSON"),
        (b'{"timed_out":false}', "not the JSON"),
        (b'{"timed_out":false,"hits":{"hits":[]}}', "not the JSON"),
        (b'{"hits":{"total":0,"hits":[]}}', "not the JSON"),
        (search(b"{}")[:-3], "not the JSON"),
        (search(b'{"a":NaN}')[:-3], "not the JSON"),
        (search(b"{}", total=b"null"), "not the JSON"),
        (search(b"{}", total=b'{"relation":"eq"}'), "not the JSON"),
        (search(b"{}", total=b'{"value":1}'), "not the JSON"),
        (search(b"{}", total=b'{"value":1,"relation":"about"}'), "not the JSON"),
        (search(b"{}", total=b'{"value":"1","relation":"eq"}'), "not the JSON"),
        (search(b"{}", total=b'{"value":1.5,"relation":"eq"}'), "not the JSON"),
        (search(b"{}", total=b'{"value":true,"relation":"eq"}'), "not the JSON"),
        (search(total=b'{"value":-1,"relation":"eq"}'), "counts -1 events"),
        (search(b"{}", timed_out=b"true"), "search timed out"),
        (search(b"{}", shards=b'{"total":3,"successful":3,"failed":1}'), "3 of 3 shards"),
        (search(b"{}", shards=b'{"total":3,"successful":2,"failed":0}'), "2 of 3 shards"),
        (search(b"{}", b"{}", total=b'{"value":1,"relation":"eq"}'), "holds 2 events and counts 1"),
        (search(b"{}").replace(b'"_id":"id0",', b""), "not the JSON"),
        (search(b"{}").replace(b',"_source":{}', b""), "not the JSON"),
    ],
)
def test_an_answer_that_cannot_be_believed_is_unusable(body, reason):
    with pytest.raises(UnusableResponseError, match=reason):
        read_hits(body)


@pytest.mark.parametrize(
    "odd",
    [
        b'{"data":{"speed":NaN}}',
        b'{"data":{"speed":-Infinity}}',
        b'{"name":"\\ud800"}',
        b'{"name":"\xff\xfe"}',
        b'{"name":"line\nbreak"}',
        b'{"speed":007}',
        b'{"a":1,}',
        b'{"deep":' + b"[" * 20_000 + b"]" * 20_000 + b"}",
        b'{"hits":[{"_source":{"x":NaN}}],"quote":"}]\\"{[","_source":{"y":1}}',
        b"[NaN]",
    ],
)
def test_one_odd_event_arrives_as_it_is_and_its_neighbours_with_it(odd):
    before, after = b'{ "speed" : 1.50 }', b'{"name":"\\"_source\\": {", "list":[{}]}'
    found = read_hits(search(before, odd, after))
    assert [hit.source for hit in found.hits] == [before, odd, after]


def test_an_event_that_is_no_object_keeps_its_place_among_odd_ones():
    found = read_hits(search(b"null", b'{"x":NaN}', b"7", b'"text"'))
    assert [hit.source for hit in found.hits] == [b"null", b'{"x":NaN}', b"7", b'"text"']


def test_sources_that_are_not_those_of_hits_are_left_alone():
    failures = b'{"total":3,"successful":3,"failed":0,"failures":[{"reason":{"_source":{}}},{"_source":{"a":NaN}}]}'
    body = search(b'{"x":1}', b'{"y":NaN}', shards=failures)
    assert [hit.source for hit in read_hits(body).hits] == [b'{"x":1}', b'{"y":NaN}']


def test_an_event_does_not_keep_the_whole_answer_in_memory():
    (hit, _) = read_hits(search(b"{}", b'{"big":"' + b"x" * 1_000_000 + b'"}')).hits
    assert type(hit.source) is bytes
    assert len(hit.source) == 2


VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=cases(60), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.dictionaries(st.sampled_from(["_source", "hits", "a", "{["]), VALUES), max_size=4))
def test_any_events_come_back_as_they_were(documents):
    sources = [json.dumps(document).encode() for document in documents]
    assert [hit.source for hit in read_hits(search(*sources)).hits] == sources
