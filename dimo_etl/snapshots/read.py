"""A status answer taken apart into its signals, each an event of its own with its own time.

Promise: the same signal is the same event however often it is seen: its id is a hash of vehicle, name, source, time and
value. A signal without a readable time belongs to no day and stays in the kept answer alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import msgspec

from dimo_etl.api.status import Endpoint
from dimo_etl.api.telemetry import is_place
from dimo_etl.events import content_hash
from dimo_etl.flatten.numbers import UnreadableError, parse, to_json
from dimo_etl.model import Event
from dimo_etl.timestamps import to_us

_Signals: TypeAlias = "dict[str, bytes]"
_NULL = msgspec.Raw(b"null")
_UPDATED_AT, _CREATED_AT = "recordUpdatedAt", "recordCreatedAt"


@dataclass(frozen=True, slots=True)
class Reading:
    """What a status answer says.

    Attributes:
        signals: how many signals have a value in it.
        newest_us: the newest time of a signal, microseconds since the epoch; None where it tells none.
        events: the signals that have a time, each an event.
    """

    signals: int
    newest_us: int | None
    events: tuple[Event, ...]


class _Timed(msgspec.Struct):
    value: msgspec.Raw
    timestamp: str | int | float


class _Listed(msgspec.Struct):
    name: str
    timestamp: str
    number: msgspec.Raw = msgspec.field(name="valueNumber", default=_NULL)
    string: msgspec.Raw = msgspec.field(name="valueString", default=_NULL)
    location: msgspec.Raw = msgspec.field(name="valueLocation", default=_NULL)

    @property
    def value(self) -> msgspec.Raw | None:
        # A position of (0, 0) is shown as the number 0, and is none.
        kinds = (self.location,) if is_place(self.name) else (self.number, self.string, self.location)
        return next((raw for raw in kinds if bytes(raw) != b"null"), None)


class _List(msgspec.Struct):
    signals: list[_Listed]


def read_answer(vehicle_id: str, endpoint: Endpoint, payload: bytes) -> Reading:
    """Take a status answer apart.

    Args:
        vehicle_id: the vehicle it is of.
        endpoint: which shape it has.
        payload: a JSON object, as received.
    """
    if endpoint is Endpoint.SIGNALS:
        signals = _listed(payload)
    else:
        signals = _members(payload) if endpoint is Endpoint.RAW else _stamped(endpoint, payload)
    events = [event for name, text in signals.items() if (event := _event(vehicle_id, name, text)) is not None]
    newest = max((event.timestamp_us for event in events if event.timestamp_us is not None), default=None)
    return Reading(len(signals), newest, tuple(events))


def _stamped(endpoint: Endpoint, payload: bytes) -> _Signals:
    """The signals of a status whose one time stands for all of them, each as a raw status would show it."""
    record = _members(payload)
    stamp = record.get(_UPDATED_AT, b"null")
    values = _members(record.get("status", b"{}")) if endpoint is Endpoint.V2 else record
    return {
        name: b'{"value":' + text + b',"timestamp":' + stamp + b"}"
        for name, value in values.items()
        if name not in (_UPDATED_AT, _CREATED_AT) and (text := _without_nulls(value)) is not None
    }


def _listed(payload: bytes) -> _Signals:
    """The signals of a list, each as a raw status would show it; a value of each kind has a member of its own."""
    try:
        listed = msgspec.json.decode(payload, type=_List).signals
    except msgspec.MsgspecError:
        return {}
    return {
        one.name: b'{"value":' + bytes(value) + b',"timestamp":' + msgspec.json.encode(one.timestamp) + b"}"
        for one in listed
        if (value := one.value) is not None
    }


def _members(text: bytes) -> _Signals:
    """The members of a JSON object, each as it stands; none where it is something else."""
    try:
        return {name: bytes(value) for name, value in msgspec.json.decode(text, type=dict[str, msgspec.Raw]).items()}
    except msgspec.ValidationError:
        return {}


def _without_nulls(text: bytes) -> bytes | None:
    """A value without the nulls that the second version writes for what is not set; None where nothing is set."""
    try:
        kept = _set_values(parse(text))
    except UnreadableError:
        return text
    return None if kept is None else to_json(kept).encode()


def _set_values(value: object) -> object:
    if not isinstance(value, dict):
        return value
    kept = {name: item for name, inner in value.items() if (item := _set_values(inner)) is not None}
    return kept or None


def _event(vehicle_id: str, name: str, text: bytes) -> Event | None:
    """One signal as an event; None where it has no readable time."""
    try:
        time_us = to_us(msgspec.json.decode(text, type=_Timed).timestamp)
    except msgspec.MsgspecError:
        return None
    if time_us is None:
        return None
    head = b'{"subject":' + msgspec.json.encode(vehicle_id) + b',"data":{' + msgspec.json.encode(name) + b":"
    payload = head + text + b"}}"
    return Event(content_hash(payload), time_us, payload)
