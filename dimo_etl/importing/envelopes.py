"""What surrounds the documents of a file: the hits of a history response, the head of an export, and what both say."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from dimo_etl.events import is_vehicle_name
from dimo_etl.importing.split import Part, Place


class _Hit(msgspec.Struct):
    source: msgspec.Raw = msgspec.field(name="_source")
    doc_id: str | None = msgspec.field(name="_id", default=None)


class _Total(msgspec.Struct):
    value: int
    relation: str = "eq"


class _Hits(msgspec.Struct):
    total: _Total | int | None = None


class Envelope(msgspec.Struct):
    """What surrounds the documents of an export or a history response."""

    user_device_id: str | None = msgspec.field(name="userDeviceId", default=None)
    requested: str | None = msgspec.field(name="requestTimestamp", default=None)
    hits: _Hits | None = None
    timed_out: bool = False

    @property
    def vehicle(self) -> str | None:
        """The vehicle that an export is of; None where it names none, or none that can be one."""
        name = self.user_device_id
        return name if name is not None and is_vehicle_name(name) else None

    @property
    def is_export(self) -> bool:
        """Whether this surrounds an export, and not events that somebody put into a list."""
        return self.user_device_id is not None and self.requested is not None


@dataclass(frozen=True, slots=True)
class Claim:
    """What a file says of the completeness of a vehicle-day: nothing, or that it is incomplete, never more."""

    complete: bool | None
    reason: str
    expected_events: int | None = None

    def and_also(self, other: Claim) -> Claim:
        """What is known after both: whoever says more, and the later where they say as much."""
        return self if self.complete is False and other.complete is None else other


FROM_A_FILE = Claim(None, "imported from a file, which does not say whether the day is complete")
FROM_AN_EXPORT = Claim(None, "imported from an export, which can lack documents of one time and so proves no day")


def claim_of(response: Envelope, *, held: int, days: int) -> Claim | None:
    """What a history response says of the vehicle-days it touches.

    Args:
        response: its envelope.
        held: the distinct events it holds.
        days: the vehicle-days these are of.

    Returns:
        None where it says nothing of them: it is whole for its window, and nobody knows the window.
    """
    total = response.hits.total if response.hits else None
    count, exact = (total.value, total.relation == "eq") if isinstance(total, _Total) else (total, True)
    if count is None or (exact and count <= held and not response.timed_out):
        return None
    reason = f"the imported response holds {held} of {'' if exact else 'at least '}{count} events"
    return Claim(False, reason, count if exact and days == 1 else None)


def unwrapped(part: Part) -> tuple[bytes, str | None]:
    """A document's own text, and the id the index gave it where it comes as a hit."""
    if part.place is Place.HIT or b'"_source"' in part.text[:4096]:
        try:
            hit = msgspec.json.decode(part.text, type=_Hit)
        except (msgspec.MsgspecError, RecursionError):
            return part.text, None
        return bytes(hit.source), hit.doc_id
    return part.text, None


def envelope(text: bytes) -> Envelope:
    """What an envelope or its opening says; nothing where it cannot be read."""
    try:
        return msgspec.json.decode(text, type=Envelope)
    except (msgspec.MsgspecError, RecursionError):
        return Envelope()
