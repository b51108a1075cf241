"""Whatever JSON a document holds, its leaves come back from the day's Parquet file with names, types and values."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from datetime import UTC, date, datetime
from decimal import Decimal

import pyarrow.parquet as pq
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dimo_etl.coverage import Coverage
from dimo_etl.events import read_event
from dimo_etl.lake.commit import commit_import
from dimo_etl.lake.layout import signals_file
from dimo_etl.lake.raw import events_of, find_unit
from dimo_etl.lake.signals import write_day
from dimo_etl.lake.store import Store
from tests.flatten.rows import rows_in
from tests.long import cases

DAY, NOW = date(2026, 1, 5), datetime(2026, 1, 6, tzinfo=UTC)


class Number(str):
    """A number as its JSON text."""

    __slots__ = ()


class Object(list):
    """An object as its members in order, keys repeated or not."""


def written(value):
    """JSON text, with numbers as they were spelled and repeated keys repeated."""
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, Object):
        return "{" + ",".join(f"{json.dumps(key)}:{written(item)}" for key, item in value) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(written, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def read(text):
    return json.loads(text, parse_int=Number, parse_float=Number)


def leaves(value, name):
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from leaves(item, f"{name}.{key}")
    else:
        yield name, canonical(value)


def canonical(value):
    """A value that equals another one just when type and value are the same, every digit counted."""
    if isinstance(value, Number):
        exact, number = Decimal(value), float(value)
        held = Decimal(number) == exact or Decimal(repr(number)) == exact
        return ("number", repr(number) if held else exact)
    if isinstance(value, dict):
        return ("object", frozenset((key, canonical(item)) for key, item in value.items()))
    if isinstance(value, list):
        return ("array", tuple(map(canonical, value)))
    return (type(value).__name__, value)


def canonical_cell(value):
    if isinstance(value, bytes):
        return canonical(read(value.decode()))
    return ("number", repr(value)) if isinstance(value, float) else (type(value).__name__, value)


def kept(documents):
    """The leaves of each document, by event, as the lake gives them back."""
    with tempfile.TemporaryDirectory() as folder, Store(folder) as store:
        events = [read_event(text) for text in documents]
        claim = Coverage(
            vehicle_id="1",
            date=DAY,
            origin="import",
            expected_events=None,
            fetched_events=0,
            complete=None,
            fetched_at=NOW,
        )
        commit_import(store, "1", DAY, events, claim, NOW)
        day = write_day(store, DAY)
        unit = find_unit(store, "1", DAY)
        payloads = {event.event_id: event.payload for _, batch in events_of(store, unit) for event in batch}
        with store.open(signals_file(DAY)) as source:
            table = pq.read_table(source)
    assert payloads == {event.event_id: event.payload for event in events}
    assert day.coverage[0].quarantined_events == 0
    names = table.column("name").cast("string").to_pylist()
    found = {event.event_id: Counter() for event in events}
    for event_id, row in zip(table.column("event_id").to_pylist(), rows_in(table, names), strict=True):
        found[event_id][row.name, canonical_cell(row.value)] += 1
    return found


# Text that UTF-8 can hold, NUL characters included; lone surrogates go to quarantine.
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
digits = st.text("0123456789", min_size=1, max_size=30)
numbers = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False).map(lambda x: Number(repr(x))),
    st.integers().map(lambda n: Number(n)),
    st.integers(-(2**80), 2**80).map(lambda n: Number(n)),
    st.builds(lambda sign, many: Number(f"{sign}1{'0' * many}7"), st.sampled_from(["", "-"]), st.integers(15, 400)),
    st.builds(lambda whole, part: Number(f"{int(whole)}.{part}"), digits, digits.filter(lambda d: len(d) > 17)),
    st.sampled_from(["9007199254740993", "1e400", "-1e400", "1e-400", "-0.0", "-0e9", "5e-324", "2.4e-324"]).map(
        Number
    ),
)
scalars = st.one_of(st.none(), st.booleans(), texts, numbers)
# The names that make a generation are not among the keys: how those are read is tested by example.
keys = st.one_of(st.sampled_from(["", "a", "b", "a.b", "timestamp", "errors", "é", "\x00"]), texts).filter(
    lambda key: key not in ("signals", "vehicle", "value")
)


def objects(children, min_size=0):
    return st.lists(st.tuples(keys, children), min_size=min_size, max_size=5).map(Object)


values = st.recursive(scalars, lambda inner: st.one_of(st.lists(inner, max_size=4), objects(inner)), max_leaves=12)


def nested(depth):
    """Lists and objects within each other."""
    inner = Number("1")
    for level in range(depth):
        inner = [inner] if level % 2 else Object([("a", inner)])
    return inner


@settings(max_examples=cases(80), deadline=None)
@given(st.lists(objects(values, min_size=1), min_size=1, max_size=4))
@example([Object([("a", Number("1")), ("a", Object([]))])])
@example([Object([("", Object([("", Object([("", None)]))]))])])
@example([Object([("a", Object([("b", Number("1"))])), ("a.b", Number("2"))])])
@example([Object([("x", [Number("9007199254740993"), Object([("y", Number("1e400"))]), "\x00", [], Object([])])])])
@example([Object([("x", nested(60))])])
def test_the_leaves_of_any_documents_come_back(datas):
    documents = [f'{{"id":"{n}","time":1767607200,"data":{written(data)}}}'.encode() for n, data in enumerate(datas)]
    wanted = {
        str(n): Counter(leaf for key, item in read(written(data)).items() for leaf in leaves(item, key))
        for n, data in enumerate(datas)
    }
    assert kept(documents) == wanted
