"""What must lie in the warehouse, worked out from the documents alone, and what does, read without `dimo_etl`."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow.parquet as pq

from tests.rival.documents import DAY_MS, Document, start_of
from tests.rival.server import Rival, Vehicle

# vehicle, event, name, microseconds, number, string, boolean, JSON in canonical form
Leaf = tuple[str, str, str, int, float | None, str | None, bool | None, str | None]


def on(vehicle: Vehicle, day: date) -> dict[str, Document]:
    """The events of a vehicle-day by id; one that lies in two indices is one event."""
    start = start_of(day)
    return {_event_id(document): document for document in vehicle.between(start, start + DAY_MS - 1)}


def expected_leaves(token_id: int, documents: dict[str, Document]) -> Counter[Leaf]:
    leaves: Counter[Leaf] = Counter()
    for event_id, document in documents.items():
        body = json.loads(document.payload)
        for name, value, us in _leaves(body["data"], _us(body["data"]["timestamp"])):
            leaves[(str(token_id), event_id, name, us, *_columns(value))] += 1
    return leaves


def held_leaves(warehouse: Path, day: date) -> Counter[Leaf]:
    """The rows of a day's Parquet file."""
    path = warehouse / f"signals/date={day}/signals.parquet"
    if not path.exists():
        return Counter()
    rows = pq.ParquetFile(path).read().to_pydict()
    times = [_since_epoch(moment) for moment in rows["timestamp"]]
    texts = [None if text is None else _canonical(json.loads(text)) for text in rows["value_json"]]
    return Counter(
        zip(
            rows["vehicle_id"],
            rows["event_id"],
            rows["name"],
            times,
            rows["value_number"],
            rows["value_string"],
            rows["value_boolean"],
            texts,
            strict=True,
        )
    )


def held_payloads(warehouse: Path, token_id: int, day: date) -> dict[str, bytes]:
    """The documents of a raw unit by event id; an id that is there twice is an error."""
    path = warehouse / f"raw/date={day}/{token_id}.parquet"
    if not path.exists():
        return {}
    rows = pq.ParquetFile(path).read(columns=["event_id", "payload"]).to_pydict()
    assert len(set(rows["event_id"])) == len(rows["event_id"]), f"an event twice in {path}"
    return dict(zip(rows["event_id"], rows["payload"], strict=True))


def assert_held(warehouse: Path, service: Rival, days: Iterable[date], *, without: Iterable[int] = ()) -> None:
    """Every event of every vehicle-day once, byte for byte in raw, leaf by leaf in signals."""
    for day in days:
        expected: Counter[Leaf] = Counter()
        for token_id, vehicle in service.vehicles.items():
            if token_id in set(without):
                continue
            documents = on(vehicle, day)
            held = held_payloads(warehouse, token_id, day)
            wanted = {event_id: document.payload for event_id, document in documents.items()}
            assert held == wanted, _difference(token_id, day, held, wanted)
            expected += expected_leaves(token_id, documents)
        found = held_leaves(warehouse, day)
        if without:
            skipped = {str(token_id) for token_id in without}
            found = Counter({leaf: count for leaf, count in found.items() if leaf[0] not in skipped})
        assert found == expected, f"{day}: missing {list(expected - found)[:3]}, extra {list(found - expected)[:3]}"


def assert_tiled(service: Rival, token_id: int, day: date) -> None:
    """Every millisecond of a vehicle-day lies in a window that was asked for, and answers held all of it."""
    reach = start_of(day)
    end = reach + DAY_MS
    asked = [one for one in service.asked if one.vehicle == token_id]
    for window in sorted(asked, key=lambda one: one.start_ms):
        if window.start_ms > reach:
            break
        given = {
            (document.index, document.doc_id)
            for one in asked
            for document in one.given
            if window.start_ms <= document.ms <= window.end_ms
        }
        if len(given) == window.total:
            reach = max(reach, window.end_ms + 1)
    assert reach >= end, f"vehicle {token_id}, {day}: nothing proves what lies from {reach - start_of(day)} ms on"


def fewest_requests(service: Rival, days: Iterable[date]) -> int:
    """What an oracle would need that asks for each vehicle-day by itself and cuts it perfectly."""
    return sum(
        max(1, math.ceil(len(vehicle.between(start_of(day), start_of(day) + DAY_MS - 1)) / 1000))
        for day in days
        for vehicle in service.vehicles.values()
    )


def _event_id(document: Document) -> str:
    return str(json.loads(document.payload).get("id") or document.doc_id)


def _leaves(data: dict[str, object], us: int) -> Iterator[tuple[str, object, int]]:
    signals, vehicle = data.get("signals"), data.get("vehicle")
    if isinstance(signals, list):
        yield from _listed(signals, us)
        yield from _flat({key: value for key, value in data.items() if key != "signals"}, us)
    elif isinstance(vehicle, dict) and isinstance(vehicle.get("signals"), list):
        yield from _listed(vehicle["signals"], us)
        yield from _flat({key: value for key, value in data.items() if key != "vehicle"}, us)
    elif all(isinstance(value, dict) and "value" in value for key, value in data.items() if key != "timestamp"):
        for name, wrapped in data.items():
            if isinstance(wrapped, dict):
                yield name, wrapped["value"], _us(wrapped["timestamp"])
            else:
                yield name, wrapped, us
    else:
        yield from _flat(data, us)


def _listed(signals: list[dict[str, object]], us: int) -> Iterator[tuple[str, object, int]]:
    for signal in signals:
        own = _us(signal["timestamp"]) if "timestamp" in signal else us
        yield from _flat({str(signal["name"]): signal["value"]}, own)


def _flat(data: dict[str, object], us: int, above: str = "") -> Iterator[tuple[str, object, int]]:
    for key, value in data.items():
        if isinstance(value, dict) and value:
            yield from _flat(value, us, f"{above}{key}.")
        else:
            yield above + key, value, us


def _columns(value: object) -> tuple[float | None, str | None, bool | None, str | None]:
    if isinstance(value, bool):
        return None, None, value, None
    if isinstance(value, str):
        return None, value, None, None
    if isinstance(value, int | float) and (isinstance(value, float) or int(float(value)) == value):
        return float(value), None, None, None
    return None, None, None, _canonical(value)


def _canonical(value: object) -> str:
    return json.dumps(value, sort_keys=True)


def _us(stamp: object) -> int:
    if isinstance(stamp, int):
        return stamp * 1000
    head, _, rest = str(stamp).replace("+02:00", "Z").rstrip("Z").partition(".")
    seconds = int(datetime.fromisoformat(head).replace(tzinfo=UTC).timestamp())
    if str(stamp).endswith("+02:00"):
        seconds -= 7200
    return seconds * 1_000_000 + int(rest.ljust(9, "0")[:6])


def _since_epoch(moment: datetime) -> int:
    delta = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds


def _difference(token_id: int, day: date, held: dict[str, bytes], wanted: dict[str, bytes]) -> str:
    return (
        f"vehicle {token_id}, {day}: held {len(held)}, wanted {len(wanted)}; missing "
        f"{sorted(wanted.keys() - held.keys())[:3]}, extra {sorted(held.keys() - wanted.keys())[:3]}"
    )
