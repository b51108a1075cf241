"""The search behind history: at most 1,000 of the matching documents, drawn at random, with the draw's bias.

The query filters by vehicle and time, asks that `data.odometer` or `data.latitude` exists, and multiplies one
point for each of the two with one random number: documents with both push out those with one.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, replace
from heapq import nlargest
from operator import itemgetter
from random import Random

import orjson

from dimo_etl.model import day_of_us, day_window, days_between
from dimo_etl.sandbox.document import Document, Json, JsonObject
from dimo_etl.sandbox.faults import SearchFault
from dimo_etl.sandbox.fleet import Fleet
from dimo_etl.sandbox.privileges import LOCATION_HISTORY, NON_LOCATION_HISTORY

SIZE = 1000
# Elasticsearch stops counting here unless told otherwise (track_total_hits).
_COUNTED = 10_000
_SHARDS = 440
_SENTINELS = (65538, 65539, 983040)
_LOCATION_DATA = ("latitude", "longitude", "cell")


@dataclass(frozen=True, slots=True)
class Result:
    """What a search found.

    Attributes:
        total: how many documents match.
        hits: score and document, best score first.
        timed_out: whether the search gave up early.
        failed_shards: shards that did not answer.
    """

    total: int
    hits: tuple[tuple[float, Document], ...]
    timed_out: bool = False
    failed_shards: int = 0


def search(fleet: Fleet, token_id: int, start_ms: int, end_ms: int, random: Random) -> Result:
    """Draw from the documents measured from `start_ms` to `end_ms`, both included.

    Args:
        fleet: holds the documents.
        token_id: whose documents.
        start_ms: milliseconds since the epoch.
        end_ms: milliseconds since the epoch.
        random: makes the draw; the next search with it draws anew.
    """
    vehicle = fleet.vehicle(token_id)
    if vehicle is None:
        return Result(0, ())
    start_ms = max(start_ms, day_window(fleet.first_day).start_ms)
    end_ms = min(end_ms, day_window(fleet.now().date()).end_ms)
    matching: list[Document] = []
    for day in days_between(day_of_us(start_ms * 1000), day_of_us(end_ms * 1000)):
        documents = fleet.indexed(token_id, day)
        first = bisect_left(documents, start_ms, key=lambda document: document.measured_ms)
        last = bisect_right(documents, end_ms, key=lambda document: document.measured_ms)
        matching += [document for document in documents[first:last] if document.matches]
    scored = [(document.matches * random.random(), document) for document in matching]
    return Result(len(matching), tuple(nlargest(SIZE, scored, key=itemgetter(0))))


def damage(result: Result, fault: SearchFault) -> Result:
    """The result as it is when something in the cluster goes wrong; the status stays 200."""
    if fault.kind == "timed_out":
        kept = result.hits[: len(result.hits) // 2]
        return Result(result.total // 2, kept, timed_out=True)
    if fault.kind == "failed_shards":
        kept = result.hits[: len(result.hits) - len(result.hits) // 3]
        return Result(result.total - result.total // 3, kept, failed_shards=3)
    return replace(result, hits=result.hits[fault.missing :])


def body(result: Result, privileges: frozenset[int]) -> bytes:
    """The answer as history passes it on.

    Args:
        result: what was found.
        privileges: those of the caller's token; both histories for a caller who owns the vehicle.
    """
    counted = result.total <= _COUNTED
    head = {
        "took": 3 + result.total // 250,
        "timed_out": result.timed_out,
        "_shards": {
            "total": _SHARDS,
            "successful": _SHARDS - result.failed_shards,
            "skipped": _SHARDS - 16,
            "failed": result.failed_shards,
        },
    }
    found = {
        "total": {"value": min(result.total, _COUNTED), "relation": "eq" if counted else "gte"},
        "max_score": round(result.hits[0][0], 7) if result.hits else None,
    }
    hits = b",".join(_hit(score, document, privileges) for score, document in result.hits)
    return orjson.dumps(head)[:-1] + b',"hits":' + orjson.dumps(found)[:-1] + b',"hits":[' + hits + b"]}}"


def _hit(score: float, document: Document, privileges: frozenset[int]) -> bytes:
    day = day_of_us(document.measured_ms * 1000)
    return b'{"_index":"device-status-prod-%s","_id":"%s","_score":%s,"_source":%s}' % (
        day.isoformat().encode(),
        document.doc_id.encode(),
        repr(round(score, 7)).encode(),
        visible_source(document.payload, privileges),
    )


def is_valid_odometer(kilometres: Json) -> bool:
    """IsOdometerValid of DIMO's shared library (v0.12.9)."""
    return isinstance(kilometres, int | float) and kilometres > 100 and kilometres not in _SENTINELS


def visible_source(payload: bytes, privileges: frozenset[int]) -> bytes:
    """A document as history shows it: invalid odometers deleted, and what the privileges do not cover left out."""
    everything = {NON_LOCATION_HISTORY, LOCATION_HISTORY} <= privileges
    if everything and b'"odometer":' not in payload:
        return payload
    event: JsonObject = orjson.loads(payload)
    data = event["data"]
    if not isinstance(data, dict):
        return payload
    invalid = "odometer" in data and not is_valid_odometer(data["odometer"])
    if everything and not invalid:
        return payload
    if invalid:
        del data["odometer"]
    if everything:
        return orjson.dumps(event)
    if NON_LOCATION_HISTORY in privileges:
        event["data"] = {name: value for name, value in data.items() if name not in _LOCATION_DATA}
        return orjson.dumps({name: value for name, value in event.items() if name not in ("location", "cell")})
    shown: JsonObject = {
        "data": {name: value for name, value in data.items() if name in (*_LOCATION_DATA, "timestamp")}
    }
    return orjson.dumps(shown | {name: event[name] for name in ("location", "cell") if name in event})
