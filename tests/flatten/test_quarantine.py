"""What cannot be understood goes to quarantine whole, with its reason, and alone."""

from __future__ import annotations

import sys

import pytest

from dimo_etl.events import read_event
from dimo_etl.flatten.table import flatten
from tests.flatten.rows import flattened, rows_of
from tests.payloads import A, cloud_event, encoded

_TIMED = b'{"time":"2026-01-05T10:00:00Z","data":%s}'
UNREADABLE = {
    "NaN": (_TIMED % b'{"a":NaN}', "NaN is not a number"),
    "Infinity": (_TIMED % b'{"a":[-Infinity]}', "-Infinity is not a number"),
    "a lone surrogate": (_TIMED % rb'{"a":"\ud800"}', "surrogates not allowed"),
    "a lone surrogate in a key": (_TIMED % rb'{"\ud800":1}', "surrogates not allowed"),
    "a lone surrogate as id": (rb'{"id":"\ud800","time":"2026-01-05T10:00:00Z","data":{"a":1}}', "surrogates"),
    "arrays nested too deeply": (_TIMED % (b'{"a":%s%s}' % (b"[" * 5000, b"]" * 5000)), "nested too deeply"),
    "objects nested too deeply": (_TIMED % (b'{"a":' * 100_000 + b"1" + b"}" * 100_000), "nested too deeply"),
    "an array just too deep to write": (_TIMED % (b'{"a":%s%s}' % (b"[" * 300, b"]" * 300)), "cannot be written"),
    "no UTF-8": (_TIMED % b'{"a":"\xff"}', "not UTF-8 at byte"),
    "broken JSON": (b'{"data":{"a":', "not JSON: "),
    "an array": (b"[1]", "not a JSON object"),
    "no data": (b'{"id":"1","time":"2026-01-05T10:00:00Z"}', "has no `data` object"),
    "data that are a list": (_TIMED % b"[1]", "has no `data` object"),
    "empty data": (_TIMED % b"{}", "its `data` is empty"),
    "no time": (b'{"data":{"a":1}}', "has no readable time"),
    "a time that is none": (b'{"time":"soon","data":{"a":1,"timestamp":"later"}}', "has no readable time"),
}


@pytest.mark.parametrize(("document", "reason"), UNREADABLE.values(), ids=UNREADABLE)
def test_it_is_kept_whole_with_its_reason(document, reason):
    found = flattened(document)
    ((event, told),) = [(item.event, item.reason) for item in found.quarantined]
    assert event.payload == document
    assert reason in told
    assert not rows_of(found)


@pytest.mark.parametrize("document", [document for document, _ in UNREADABLE.values()], ids=UNREADABLE)
def test_its_neighbours_come_out_as_without_it(document):
    before, after = cloud_event({"a": 1, "b": {"c": 2}}, id="1"), cloud_event({"a": 3}, id="3")
    alone, together = flattened(before, after), flattened(before, document, after)
    assert rows_of(together) == rows_of(alone)
    assert len(together.quarantined) == 1


@pytest.mark.parametrize("shape", [(b"[", b"]"), (b'{"a":', b"}")])
@pytest.mark.parametrize("depth", [240, 300, 600, 1_100, 100_000])
def test_a_depth_is_readable_or_not_whatever_limit_the_interpreter_has(shape, depth):
    opening, closing = (bracket * depth for bracket in shape)
    documents = [_TIMED % (b'{"a":%s%s%s}' % (opening, value, closing)) for value in (b"1", b"1e400", b"NaN")]
    usual = sys.getrecursionlimit()
    unreadable = []
    for limit in (1_000, 100_000):
        sys.setrecursionlimit(limit)
        try:
            found = flattened(*documents)
        finally:
            sys.setrecursionlimit(usual)
        unreadable.append([item.event.event_id for item in found.quarantined])
    assert unreadable[0] == unreadable[1]
    assert len(unreadable[0]) == (1 if depth == 240 else 3)


def test_nothing_stays_of_a_document_that_turns_out_unreadable_half_way():
    deep = b"[" * 300 + b"]" * 300
    data = b'{"speed":1,"signals":[{"name":"speed","value":2,"timestamp":1767607199010}],"last":%s}' % deep
    found = flattened(encoded(A), _TIMED % data)
    assert rows_of(found) == rows_of(flattened(A))


def test_every_event_is_either_kept_or_in_quarantine():
    texts = [document for document, _ in UNREADABLE.values()]
    texts += [encoded(cloud_event({"n": n}, id=f"good-{n}")) for n in range(20)]
    events = [read_event(text) for text in texts]
    found = flatten("1", events)
    kept = {event_id for table in found.tables.values() for event_id in table.column("event_id").to_pylist()}
    quarantined = [item.event.event_id for item in found.quarantined]
    assert len(kept) + len(quarantined) == len(events)
    assert kept.isdisjoint(quarantined)
