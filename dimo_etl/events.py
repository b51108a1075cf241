"""What makes a document an event: its id, its time, its vehicle.

The same document is the same event wherever it comes from: its own `id` names it; a document without one is named
by the index that served it, and always also by a stable hash of its content, so that the two are recognised as one.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence

import msgspec

from dimo_etl.flatten.numbers import UnreadableError, is_too_deep, parse, to_json
from dimo_etl.flatten.times import all_to_us
from dimo_etl.model import Event, is_user_device_id
from dimo_etl.timestamps import to_us

CONTENT_PREFIX = "content-"
_DID_TOKEN = re.compile(r"did:(?:erc721|nft):\d+:0x[0-9A-Fa-f]{40}[:_](\d{1,20})")
# The table of vehicles holds token ids of 64 bits; there are far fewer vehicles, so a greater number is no token id.
_TOKEN_IDS = 2**63
# A name that can stand in a file name, a terminal and SQL once quoted; anything else is not a vehicle.
_VEHICLE_NAME = re.compile(r"[\w.:\-]{1,128}", re.ASCII)


class _Nested(msgspec.Struct, gc=False):
    value: str | int | float | None = None


class _DataHead(msgspec.Struct, gc=False):
    timestamp: str | int | float | _Nested | None = None


class _Head(msgspec.Struct, gc=False):
    id: str | None = None
    time: str | int | float | None = None
    data: _DataHead | None = None


class _Position(msgspec.Struct):
    odometer: object = None
    latitude: object = None


class _Positioned(msgspec.Struct):
    data: _Position | None = None


class _Subject(msgspec.Struct):
    subject: str | None = None


_decode_head = msgspec.json.Decoder(_Head).decode


def read_event(payload: bytes, *, index_id: str | None = None) -> Event:
    """Name and date one document.

    Args:
        payload: the document's JSON text; unreadable text is an event too, without a time.
        index_id: the id under which the service's index holds the document, where it gave one.

    Returns:
        The event. `content_id` is set where the document carries no id of its own.
    """
    own_id, time, stamp = _read_head(payload)
    timestamp_us = to_us(stamp)
    return _event(payload, own_id, to_us(time) if timestamp_us is None else timestamp_us, index_id)


def read_events(payloads: Sequence[bytes], index_ids: Sequence[str | None]) -> list[Event]:
    """What `read_event` gives of each of many documents, their times read at once."""
    heads = list(map(_read_head, payloads))
    times = all_to_us([time if stamp is None else stamp for _, time, stamp in heads])
    if None in times:
        times = [to_us(head[1]) if time is None else time for head, time in zip(heads, times, strict=True)]
    return [
        _event(payload, own_id, time, index_id)
        for (own_id, _, _), time, payload, index_id in zip(heads, times, payloads, index_ids, strict=True)
    ]


def _event(payload: bytes, own_id: str | None, timestamp_us: int | None, index_id: str | None) -> Event:
    if own_id:
        return Event(own_id, timestamp_us, payload)
    content_id = content_hash(payload)
    return Event(index_id or content_id, timestamp_us, payload, content_id)


def _read_head(payload: bytes) -> tuple[str | None, object, object]:
    """Id, time and data time of a document."""
    try:
        head = _decode_head(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _read_oddly_typed(payload)
    time, stamp = head.time, head.data.timestamp if head.data is not None else None
    if type(stamp) is _Nested:
        stamp = stamp.value
    return _read_oddly_typed(payload) if stamp is None and time is None else (head.id, time, stamp)


def sent_us(payload: bytes) -> int | None:
    """When an event was sent, its `time`, in microseconds since the epoch; None where it does not say."""
    try:
        return to_us(_decode_head(payload).time)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return to_us(_read_oddly_typed(payload)[1])


def content_hash(payload: bytes) -> str:
    """A stable id of a document's content: the order of keys, white space and `1.0` for `1` do not change it."""
    try:
        canonical = to_json(_whole_numbers(parse(payload)), sort_keys=True).encode()
    except (UnreadableError, RecursionError):
        canonical = payload
    return CONTENT_PREFIX + hashlib.blake2b(canonical, digest_size=16).hexdigest()


def vehicle_of(document: dict[str, object]) -> str | None:
    """The vehicle a document says it is about: its token id where it has one, else its subject.

    Token ids come as `vehicleTokenId` or inside a DID; a subject in any other form is taken as it stands.
    """
    token_id = document.get("vehicleTokenId")
    if isinstance(token_id, int) and not isinstance(token_id, bool) and 0 < token_id < _TOKEN_IDS:
        return str(token_id)
    subject = document.get("subject")
    if not isinstance(subject, str):
        return None
    did = _DID_TOKEN.fullmatch(subject)
    if did:
        return str(int(did.group(1)))
    return subject if is_vehicle_name(subject) else None


def device_of(payload: bytes) -> str | None:
    """The user device id that a document names as its subject; None where its subject is something else."""
    try:
        subject = msgspec.json.decode(payload, type=_Subject).subject
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return subject if subject is not None and is_user_device_id(subject) else None


def is_in_history(payload: bytes) -> bool:
    """Whether DIMO's history counts a document: it holds an odometer or a latitude; what cannot be told counts.

    Elasticsearch's `exists` is the rule: null and an empty array are no value.
    """
    try:
        data = msgspec.json.decode(payload, type=_Positioned).data
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return True
    return data is None or any(value not in (None, []) for value in (data.odometer, data.latitude))


def is_vehicle_name(text: str) -> bool:
    """Whether a text can name a vehicle of the lake."""
    return _VEHICLE_NAME.fullmatch(text) is not None


def _read_oddly_typed(payload: bytes) -> tuple[str | None, object, object]:
    """Id, time and data time of a document whose head has unusual types, or (None, None, None)."""
    if is_too_deep(payload):
        return None, None, None
    try:
        document = json.loads(payload)
    except (ValueError, RecursionError):
        return None, None, None
    if not isinstance(document, dict):
        return None, None, None
    own_id = document.get("id")
    data = document.get("data", document)
    stamp = _nested_time(data) if isinstance(data, dict) else None
    return own_id if isinstance(own_id, str) and _is_unicode(own_id) else None, document.get("time"), stamp


def _nested_time(data: dict[str, object]) -> object:
    """The time of a document of values nested with source and timestamp: its own, else that of its newest value."""
    stamp = data.get("timestamp")
    if not isinstance(stamp, dict):
        if stamp is not None:
            return stamp
        times = [to_us(value.get("timestamp")) for value in data.values() if isinstance(value, dict)]
        newest = max((time for time in times if time is not None), default=None)
        return None if newest is None else newest / 1000
    return stamp.get("value")


def _is_unicode(text: str) -> bool:
    """Whether a text can be written: JSON can spell lone surrogates, which UTF-8 cannot."""
    return not any("\ud800" <= char <= "\udfff" for char in text)


def _whole_numbers(value: object) -> object:
    if isinstance(value, dict):
        return {key: _whole_numbers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_whole_numbers(item) for item in value]
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    return value
