"""What the integrations hand in: CloudEvents, and what the index knows of each without reading it again."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, TypeAlias

import orjson

if TYPE_CHECKING:
    from random import Random

    from dimo_etl.sandbox.vehicles import SimVehicle

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
JsonObject: TypeAlias = "dict[str, Json]"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
V1_STATUS = "zone.dimo.device.status.update"


@dataclass(frozen=True, slots=True)
class Report:
    """A document as an integration sends it.

    Attributes:
        measured_ms: `data.timestamp` in the resolution of the index, milliseconds since the epoch.
        received_ms: when DIMO received it: the CloudEvent's `time`.
        event: the CloudEvent.
    """

    measured_ms: int
    received_ms: int
    event: JsonObject


@dataclass(frozen=True, slots=True)
class Document:
    """An indexed document.

    Attributes:
        doc_id: the index's `_id`, which is the CloudEvent's id.
        measured_ms: what the range of a query is matched against.
        received_ms: before this moment the document does not exist.
        matches: how many of `data.odometer` and `data.latitude` exist; with none, history cannot reach it.
        odometer: `data.odometer`, kilometres, as the index keeps it; not a number where there is none.
        payload: the CloudEvent's JSON text.
    """

    doc_id: str
    measured_ms: int
    received_ms: int
    matches: int
    odometer: float
    payload: bytes

    @classmethod
    def of(cls, report: Report) -> Document:
        """Index a report."""
        data = report.event["data"]
        if not isinstance(data, dict):
            raise TypeError("a status event carries an object as its data")
        odometer = data.get("odometer")
        return cls(
            doc_id=str(report.event["id"]),
            measured_ms=report.measured_ms,
            received_ms=report.received_ms,
            matches=sum(data.get(name) is not None for name in ("odometer", "latitude")),
            odometer=odometer if isinstance(odometer, int | float) else math.nan,
            payload=orjson.dumps(report.event),
        )


def rfc3339(ms: int, *, nanoseconds: int | None = None) -> str:
    """A time as Go's RFC3339Nano prints it: no trailing zeros in the fraction.

    Args:
        ms: milliseconds since the epoch.
        nanoseconds: digits below the millisecond, 0 to 999 999, where a source has them.
    """
    moment = _EPOCH + timedelta(seconds=ms // 1000)
    fraction = f"{ms % 1000:03d}{nanoseconds or 0:06d}".rstrip("0")
    return moment.isoformat()[:19] + (f".{fraction}" if fraction else "") + "Z"


def delay_ms(random: Random) -> int:
    """How long a document travels to DIMO: 0.5 to 3 s, now and then hours, after a stretch without cover."""
    return int(random.uniform(1, 4) * 3_600_000) if random.random() < 0.002 else random.randint(500, 3000)


def envelope(vehicle: SimVehicle, doc_id: str, integration: str, received_ms: int, data: JsonObject) -> JsonObject:
    """The CloudEvent around the data of a v1 status."""
    event: JsonObject = {
        "id": doc_id,
        "source": f"dimo/integration/{integration}",
        "specversion": "1.0",
        "subject": vehicle.user_device_id,
        "time": rfc3339(received_ms),
        "type": V1_STATUS,
        "vehicleTokenId": vehicle.token_id,
        "make": vehicle.make,
        "model": vehicle.model,
        "year": vehicle.year,
        "data": data,
    }
    if not vehicle.minted:
        del event["vehicleTokenId"]
    if isinstance(data.get("latitude"), float):
        event["location"] = {"lat": str(data["latitude"]), "lon": str(data["longitude"])}
    return event


def odometer_reading(random: Random, odometer_m: float, digits: int, glitch_share: float) -> int | float:
    """What a dashboard says, in kilometres; now and then a reading that is known from the field as wrong.

    Args:
        random: decides on the glitch.
        odometer_m: the truth, in metres.
        digits: decimals of a right reading; 0 gives an integer.
        glitch_share: the share of wrong readings, 0 to 1.
    """
    if random.random() < glitch_share:
        # Two sentinels of modules, a dashboard that starts up, and metres for kilometres (about 1 in 5 each).
        return random.choice((65538, 983040, 983040, random.randint(0, 100), int(odometer_m)))
    return round(odometer_m / 1000, digits) if digits else int(odometer_m / 1000)
