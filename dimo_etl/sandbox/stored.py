"""What the Fetch API stores of the fleet: each document as a CloudEvent, by the time at which DIMO received it.

An event of type `dimo.events` tells what the dongle noticed of a drive. The first document of a day is a
`dimo.fingerprint`, too, with the VIN that was read: one message can become an event of each type.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

import orjson

from dimo_etl.model import DAY_MS, day_of_us, day_window, days_between
from dimo_etl.sandbox.document import rfc3339
from dimo_etl.sandbox.exchange import asset_did
from dimo_etl.sandbox.happenings import Happening, happenings
from dimo_etl.sandbox.measured import CONNECTIONS

if TYPE_CHECKING:
    from dimo_etl.sandbox.document import Document
    from dimo_etl.sandbox.fleet import Fleet
    from dimo_etl.sandbox.vehicles import SimVehicle

_KEPT_DAYS = 24
# A document travels for so long at most.
_LATE_DAYS = 1


@dataclass(frozen=True, slots=True)
class CloudEvent:
    """A stored event; `data` is JSON."""

    received_ms: int
    id: str
    type: str
    source: str
    subject: str
    producer: str
    dataversion: str
    data: bytes

    @property
    def time(self) -> str:
        """When DIMO received it."""
        return rfc3339(self.received_ms)


class Stored:
    """The stored events of a fleet."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._read = lru_cache(maxsize=_KEPT_DAYS)(self._received_on)

    def span_ms(self) -> tuple[int, int]:
        """From when to before when there can be events, milliseconds since the epoch."""
        return day_window(self._fleet.first_day).start_ms, int(self._fleet.now().timestamp() * 1000) + 1

    def between(self, token_id: int, from_ms: int, to_ms: int) -> list[CloudEvent]:
        """The events received from a time to before another, the newest first."""
        found: list[CloudEvent] = []
        if from_ms >= to_ms:
            return found
        for day in reversed(days_between(day_of_us(from_ms * 1000), day_of_us((to_ms - 1) * 1000))):
            events = self._read(token_id, day, self._arrived(token_id, day))
            low = bisect_left(events, from_ms, key=lambda event: event.received_ms)
            high = bisect_left(events, to_ms, key=lambda event: event.received_ms)
            found += reversed(events[low:high])
        return found

    def _arrived(self, token_id: int, day: date) -> int:
        """Changes whenever another document of a day arrives."""
        days = days_between(day - timedelta(days=_LATE_DAYS), day)
        return sum(len(self._fleet.documents(token_id, each)) for each in days)

    def _received_on(self, token_id: int, day: date, _arrived: int) -> list[CloudEvent]:
        vehicle = self._fleet.vehicle(token_id)
        if vehicle is None:
            return []
        start_ms = day_window(day).start_ms
        events = [
            _status(vehicle, document)
            for each in days_between(day - timedelta(days=_LATE_DAYS), day)
            for document in self._fleet.documents(token_id, each)
            if start_ms <= document.received_ms < start_ms + DAY_MS
        ]
        first = self._fleet.documents(token_id, day)[:1]
        events += [_fingerprint(vehicle, document) for document in first if document.received_ms < start_ms + DAY_MS]
        happened = happenings(self._fleet, token_id, start_ms * 1000, (start_ms + DAY_MS) * 1000)
        events += [_happening(vehicle, one) for one in happened]
        return sorted(events, key=lambda event: event.received_ms)


def _status(vehicle: SimVehicle, document: Document) -> CloudEvent:
    event = orjson.loads(document.payload)
    version = event.get("dataversion", "v2.0" if vehicle.kind == "v2" else "default/v1.0")
    data = orjson.dumps(event["data"])
    return _event(vehicle, document.received_ms, document.doc_id, "dimo.status", version, data)


def _fingerprint(vehicle: SimVehicle, document: Document) -> CloudEvent:
    data = orjson.dumps({"vin": vehicle.vin})
    return _event(vehicle, document.received_ms, document.doc_id, "dimo.fingerprint", "default/v1.0", data)


def _happening(vehicle: SimVehicle, one: Happening) -> CloudEvent:
    told = {
        "name": one.name,
        "timestamp": rfc3339(one.us // 1000, nanoseconds=one.us % 1000 * 1000),
        "durationNs": one.duration_ns,
        "metadata": one.metadata,
        "tags": [],
    }
    data = orjson.dumps({"events": [told]})
    own_id = f"{vehicle.user_device_id[:8]}-{one.us}"
    return _event(vehicle, one.us // 1000, own_id, "dimo.events", "default/v1.0", data)


def _event(vehicle: SimVehicle, received_ms: int, own_id: str, kind: str, version: str, data: bytes) -> CloudEvent:
    return CloudEvent(
        received_ms=received_ms,
        id=own_id,
        type=kind,
        source=CONNECTIONS[vehicle.kind],
        subject=asset_did(vehicle.token_id),
        producer=f"did:ethr:137:{CONNECTIONS[vehicle.kind]}",
        dataversion=version,
        data=data,
    )
