"""Answers of the history endpoint for measurements: whole bodies, the same for the same arguments."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from random import Random
from string import ascii_letters, digits

import orjson

AUTOPI = "dimo/integration/27qftVRWQYpVDcO5DltO5Ojbjxk"
DAY = date(2025, 1, 5)
_BASE62 = digits + ascii_letters
_DAY_SECONDS = 86_400
_SLUGS = ("ford", "tesla", "toyota", "kia")


def flat(vehicle_id: str, documents: int, *, day: date = DAY) -> bytes:
    """An answer of flat documents, 25 signals each: 18 numbers, 4 texts, 2 booleans and their time."""
    return _body(vehicle_id, documents, day, lambda stamp, values: {"timestamp": stamp} | values)


def nested(vehicle_id: str, documents: int, *, day: date = DAY) -> bytes:
    """The same signals, each nested with its source and time."""

    def wrap(stamp: str, values: dict[str, object]) -> dict[str, object]:
        named = {"timestamp": stamp} | values
        return {name: {"value": value, "source": AUTOPI, "timestamp": stamp} for name, value in named.items()}

    return _body(vehicle_id, documents, day, wrap)


def _body(vehicle_id: str, documents: int, day: date, shaped) -> bytes:  # noqa: ANN001
    random = Random(f"{vehicle_id} {day}")
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    hits = []
    km = random.uniform(1_000, 200_000)
    for number in range(documents):
        moment = start + timedelta(seconds=number * _DAY_SECONDS / documents + random.random())
        stamp = f"{moment:%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z"
        km += random.random() / 8
        event_id = "2abc" + "".join(random.choices(_BASE62, k=23))
        source = {
            "id": event_id,
            "source": AUTOPI,
            "specversion": "1.0",
            "subject": "2testUserDevice000000000001",
            "time": stamp,
            "type": "zone.dimo.device.status.update",
            "data": shaped(stamp, _values(random, number, km)),
            "vehicleTokenId": int(vehicle_id),
        }
        hits.append({"_index": f"device-status-{day}", "_id": event_id, "_score": None, "_source": source})
    random.shuffle(hits)
    total = {"value": documents, "relation": "eq"}
    shards = {"total": 1, "successful": 1, "skipped": 0, "failed": 0}
    return orjson.dumps(
        {"took": 3, "timed_out": False, "_shards": shards, "hits": {"total": total, "max_score": None, "hits": hits}}
    )


def _values(random: Random, number: int, km: float) -> dict[str, object]:
    speed = max(0, round(60 + 50 * random.gauss(0, 1)))
    return {
        "latitude": round(52.5 + random.gauss(0, 0.05), 6),
        "longitude": round(13.4 + random.gauss(0, 0.05), 6),
        "altitude": round(34 + random.gauss(0, 3), 1),
        "odometer": round(km, 2),
        "speed": speed,
        "engineSpeed": speed * 28 + 800,
        "engineLoad": random.randrange(100),
        "throttlePosition": random.randrange(100),
        "coolantTemp": 80 + random.randrange(20),
        "intakeTemp": 15 + random.randrange(20),
        "ambientTemp": 9 + number % 3,
        "fuelPercentRemaining": round(0.9 - number / 5_000, 4),
        "batteryVoltage": round(13.8 + random.gauss(0, 0.2), 2),
        "rpiUptimeSecs": number * 60,
        "nsat": random.randrange(4, 14),
        "hdop": round(random.uniform(0.6, 2), 1),
        "runTime": number * 55 % 7_200,
        "maf": round(random.uniform(2, 40), 2),
        "makeSlug": _SLUGS[number % 4],
        "modelSlug": "focus",
        "vin": "SBX00000000000001",
        "fuelType": "Gasoline",
        "isOn": number % 9 > 0,
        "charging": False,
    }
