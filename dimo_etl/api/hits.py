"""The body of a history answer: the total, the events byte for byte, and whether it may be believed at all.

The envelope is what Elasticsearch answers to a search; the service passes it through.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

import msgspec

from dimo_etl.api.decode import decoded
from dimo_etl.api.messages import UnusableResponseError

_OPEN, _CLOSE = b"{[", b"}]"
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|[{}\[\]]', re.DOTALL)
_COLON = re.compile(rb"\s*:\s*")
# The containers around a hit's own members: the body, `hits`, the list, the hit.
_AROUND_SOURCE = b"{{[{"


class Hit(msgspec.Struct, frozen=True, gc=False):
    """An event as the service keeps it.

    Attributes:
        index: the daily index it lies in; one `doc_id` can lie in two after a replay.
        doc_id: its id in the index, which is the event's id.
        source: the event's JSON text, byte for byte as received.
        score: by which the service drew it; None where it does not say.
    """

    index: str
    doc_id: str
    source: bytes
    score: float | None = None


@dataclass(frozen=True, slots=True)
class Hits:
    """A believable answer.

    Attributes:
        total: events the service counts in the window.
        exact: whether that is the number; if not, there are at least so many.
        hits: the events it gave, in no order; fewer than `total` where they were drawn.
    """

    total: int
    exact: bool
    hits: tuple[Hit, ...]


class _Shards(msgspec.Struct):
    total: int
    successful: int
    failed: int


class _Total(msgspec.Struct):
    value: int
    relation: Literal["eq", "gte"]


class _Hit(msgspec.Struct):
    index: str = msgspec.field(name="_index")
    doc_id: str = msgspec.field(name="_id")
    source: msgspec.Raw = msgspec.field(name="_source")
    score: object = msgspec.field(name="_score", default=None)


class _Hits(msgspec.Struct):
    # Before version 7, Elasticsearch gave the exact total as a bare number.
    total: _Total | int
    hits: list[_Hit]


class _Body(msgspec.Struct):
    timed_out: bool
    hits: _Hits
    shards: _Shards | None = msgspec.field(name="_shards", default=None)


def read_hits(body: bytes) -> Hits:
    """Read a history answer.

    Args:
        body: the whole body.

    Raises:
        UnusableResponseError: it is not a search result, or one that admits or shows to be partial.
    """
    try:
        envelope, sources = decoded(body, _Body), None
    except UnusableResponseError:
        # One odd event (NaN, a lone surrogate, a thousand brackets) must not take its neighbours with it.
        skeleton, sources = take_out(body, b'"_source"')
        envelope = decoded(skeleton, _Body)
    total, exact = _total(envelope.hits.total)
    found = envelope.hits.hits
    if envelope.timed_out:
        raise UnusableResponseError("its search timed out")
    shards = envelope.shards
    if shards and (shards.failed > 0 or shards.successful < shards.total):
        raise UnusableResponseError(f"{shards.successful} of {shards.total} shards answered")
    if exact and len(found) > total:
        raise UnusableResponseError(f"it holds {len(found)} events and counts {total}")
    # Copied, since a slice would keep the whole body in memory.
    return Hits(
        total, exact, tuple(Hit(hit.index, hit.doc_id, _source(hit, sources), _score(hit.score)) for hit in found)
    )


def _total(given: _Total | int) -> tuple[int, bool]:
    value, exact = (given, True) if isinstance(given, int) else (given.value, given.relation == "eq")
    if value < 0:
        raise UnusableResponseError(f"it counts {value} events")
    return value, exact


def _score(given: object) -> float | None:
    return float(given) if isinstance(given, int | float) else None


def _source(hit: _Hit, sources: list[bytes] | None) -> bytes:
    raw = bytes(hit.source)
    return sources[int(raw[1:-1])] if sources is not None and raw.startswith(b"[") else raw


def take_out(body: bytes, member: bytes) -> tuple[bytes, list[bytes]]:
    """A body without what its list holds of documents, which are found by their brackets alone.

    Args:
        body: an object with an object with a list of objects, each with a document.
        member: the name of the member that is the document, in quotes.

    Returns:
        The body with the n-th document replaced by `[n]`, and the documents.
    """
    skeleton: list[bytes] = []
    sources: list[bytes] = []
    around = bytearray()
    copied = start = 0
    pending = False
    for token in _TOKEN.finditer(body):
        mark = token[0]
        if mark in (b"{", b"["):
            if pending and bytes(around) == _AROUND_SOURCE and not start:
                start = token.start()
            around += mark
        elif mark in (b"}", b"]"):
            del around[-1:]
            if start and bytes(around) == _AROUND_SOURCE:
                skeleton += [body[copied:start], b"[%d]" % len(sources)]
                sources.append(body[start : token.end()])
                copied, start = token.end(), 0
        if not start:
            pending = mark == member and _COLON.match(body, token.end()) is not None
    skeleton.append(body[copied:])
    return b"".join(skeleton), sources
