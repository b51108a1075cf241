"""The rival's fleet: documents of every odd shape, at every odd time, with the index's view of each.

Nothing here knows how `dimo_etl` works: a document is its bytes, the millisecond an index files it under, and which of
the two fields that make it findable it has.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

DAY_MS = 86_400_000
_SUBJECT = "2kvRIVALrivalRIVALrivalRIVA"
_SOURCES = ("dimo/integration/27qftVRWQYpVDcO5DltO5Ojbjxk", "dimo/integration/22N2xaPOq2WW2gAHBHd0Ikn4Zob", "ØVIRT/源")


@dataclass(frozen=True, slots=True)
class Document:
    """One document of an index: `payload` is its `_source`, byte for byte."""

    ms: int
    index: str
    doc_id: str
    payload: bytes
    both_fields: bool


def start_of(day: date) -> int:
    return (day - date(1970, 1, 1)).days * DAY_MS


def instant(ms: int) -> str:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)).strftime("%Y-%m-%dT%H:%M:%S")


class Author:
    """Writes documents, each in another way than the one before."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self._count = 0
        self._seed = seed

    def write(self, ms: int, *, kind: int | None = None, nanos: int | None = None) -> Document:
        """A document measured in a millisecond (and, where given, so many nanoseconds later)."""
        self._count += 1
        chance = self._chance
        kind = chance.choice((0, 0, 0, 1, 1, 2, 3, 4, 5, 6, 7)) if kind is None else kind
        doc_id = f"{self._seed:03d}-{self._count:07d}-{chance.randrange(10**6)}"
        stamp: object = self._stamp(ms, nanos)
        odometer, latitude = chance.choice(((1, 1), (1, 0), (0, 1), (1, 1)))
        findable: dict[str, object] = {}
        if odometer:
            findable["odometer"] = round(20_000 + self._count / 10, 1)
        if latitude:
            findable |= {"latitude": round(chance.uniform(-80, 80), 6), "longitude": chance.randrange(-170, 170)}
        data = {"timestamp": stamp} | findable | self._extra(kind, ms)
        if kind == 7:
            data = {
                name: {"value": value, "source": _SOURCES[0], "timestamp": instant(ms) + "Z"}
                for name, value in data.items()
                if name != "timestamp"
            } | {"timestamp": stamp}
        document: dict[str, object] = {
            "id": doc_id,
            "source": chance.choice(_SOURCES),
            "specversion": "1.0",
            "subject": _SUBJECT,
            "time": instant(ms + 1500) + f".{chance.randrange(10**6):06d}Z",
            "type": "zone.dimo.device.status.update",
            "data": data,
        }
        if kind == 5 or chance.random() < 0.05:
            del document["id"]
        text = json.dumps(
            document,
            ensure_ascii=chance.random() < 0.5,
            indent=1 if chance.random() < 0.1 else None,
            separators=None if chance.random() < 0.5 else (",", ":"),
        )
        if kind == 5:  # a key twice: the last one counts
            text = text.replace('"zweimal"', '"zweimal": "first", "zweimal"', 1)
        day = instant(ms)[:10]
        return Document(ms, f"device-status-rival-{day}", doc_id, text.encode(), bool(odometer and latitude))

    def _stamp(self, ms: int, nanos: int | None) -> object:
        """The time in one of the forms seen; all of them are the same millisecond."""
        below = self._chance.randrange(1_000_000) if nanos is None else nanos
        if nanos is not None:
            return f"{instant(ms)}.{ms % 1000:03d}{below:06d}Z"
        form = self._chance.randrange(6)
        if form == 0:
            return ms
        if form == 1:
            return f"{instant(ms)}.{ms % 1000:03d}{below:06d}Z"
        if form == 2:
            return f"{instant(ms + 7_200_000)}.{ms % 1000:03d}+02:00"
        if form == 3 and ms % 1000 == 0:
            return f"{instant(ms)}Z"
        return f"{instant(ms)}.{ms % 1000:03d}Z"

    def _extra(self, kind: int, ms: int) -> dict[str, object]:
        chance = self._chance
        match kind:
            case 1:
                return {"speed": chance.randrange(200), "engineSpeed": chance.uniform(600, 4000), "charging": True}
            case 2:
                return {
                    "hasErrors": True,
                    "errors": [{"type": "tires/pressure", "errorCode": 502, "resolution": {"type": "RETRY_LATER"}}],
                    "tires": {"frontLeft": 230, "frontRight": 231.5, "deep": {"er": {"still": None}}},
                }
            case 3:
                return {
                    "device": {"rpiUptimeSecs": 218, "batteryVoltage": 12.3},
                    "vehicle": {
                        "signals": [
                            {"timestamp": ms - 90_000_000, "name": "speed", "value": 42},
                            {"timestamp": ms + 5, "name": "speed", "value": 43.5},
                            {"timestamp": ms, "name": "wpa_state", "value": "COMPLETED"},
                            {"timestamp": ms, "name": "isRedacted", "value": False},
                        ]
                    },
                }
            case 4:
                return {
                    "vin": "WVWZZZ1KZAW000001",
                    "signals": [
                        {"name": "rpm", "timestamp": f"{instant(ms)}.123456789Z", "value": "1500"},
                        {"name": "place", "timestamp": instant(ms) + "Z", "value": {"latitude": 1.5, "hdop": 2}},
                    ],
                }
            case 5:
                return {
                    "zweimal": "last",
                    "größe 🚗": "naïve \u2028 \\ \" 'quoted'",
                    "huge": 2**70 + 1,
                    "negative": -(2**63),
                    "nothing": None,
                    "empty": {},
                    "list": [1, [2, {"three": None}], "four"],
                    "none": [],
                    "a.b": {"c": "dots in keys"},
                    "": "no name",
                    "-0": -0.0,
                    "text number": "007",
                }
            case 6:
                return {"cell": {"details": {"cell_[0]": {"rssi": "-71.2 dBm"}}}, "dtc": {"warmupsSinceClear": 3}}
            case _:
                return {}


def spread(author: Author, day: date, total: int, chance: random.Random) -> list[Document]:
    """So many documents over a day: at its very ends, in clusters at its borders, in drives, and anywhere."""
    start = start_of(day)
    last = start + DAY_MS - 1
    found: list[Document] = []
    for ms, nanos in ((start, 0), (last, 0), (last, 999_999), (start + 999, 999_999)):
        if len(found) < total:
            found.append(author.write(ms, nanos=nanos))
    drives = [(chance.randrange(start, last - 3_600_000), chance.randrange(60_000, 3_600_000)) for _ in range(3)]
    while len(found) < total:
        where = chance.random()
        if where < 0.05:
            ms = start + chance.randrange(3000)
        elif where < 0.1:
            ms = last - chance.randrange(3000)
        elif where < 0.8:
            begin, span = chance.choice(drives)
            ms = min(last, begin + chance.randrange(span))
        else:
            ms = chance.randrange(start, last)
        found.append(author.write(ms))
    return found


def burst(author: Author, ms: int, count: int, span_ms: int = 1) -> list[Document]:
    """So many documents within a few milliseconds."""
    return [author.write(ms + n % span_ms) for n in range(count)]
