"""Hold a day's Parquet file against its own coverage records: are exactly the recorded events in it, each once?"""

from __future__ import annotations

from datetime import date

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from dimo_etl.coverage import Coverage
from dimo_etl.lake import layout, raw
from dimo_etl.lake.store import Store
from dimo_etl.schema import COVERAGE_KEY


def audit_day(store: Store, day: date) -> list[str]:
    """What is wrong with the events of a day.

    Returns:
        A sentence for each vehicle whose events are not the recorded ones, or are there twice; none where all is
        well, or where there is no file.

    Raises:
        WarehouseError: the file is damaged.
    """
    name = layout.signals_file(day)
    if not store.exists(name):
        return []
    try:
        with store.open(name) as source, pq.ParquetFile(source, page_checksum_verification=True) as file:
            records = msgspec.json.decode(file.metadata.metadata[COVERAGE_KEY], type=tuple[Coverage, ...])
            leaves = file.read(columns=["vehicle_id", "event_id", "name", "timestamp"]).unify_dictionaries()
    except (OSError, pa.ArrowException, KeyError, TypeError, msgspec.MsgspecError) as error:
        raise raw.damaged(store, name, error) from error
    found = _events_by_vehicle(leaves)
    recorded = {record.vehicle_id: record.kept_events for record in records}
    wrong = []
    for vehicle_id in sorted(recorded.keys() | found.keys()):
        events, repeated = found.get(vehicle_id, (0, 0))
        if events != recorded.get(vehicle_id, 0):
            wrong.append(
                f"{day}: vehicle {vehicle_id} has {events} events and its record says {recorded.get(vehicle_id, 0)}"
            )
        if repeated:
            wrong.append(f"{day}: vehicle {vehicle_id} has {repeated} events twice")
    return wrong


def _events_by_vehicle(leaves: pa.Table) -> dict[str, tuple[int, int]]:
    """By vehicle, the events there are, and how many of them came in more than once.

    An event may hold one leaf twice, as its document may; one that holds every leaf twice came in twice.
    """
    by_leaf = leaves.group_by(["vehicle_id", "event_id", "name", "timestamp"]).aggregate([([], "count_all")])
    by_event = by_leaf.group_by(["vehicle_id", "event_id"]).aggregate([("count_all", "min")])
    repeated = pa.compute.greater(by_event.column("count_all_min"), 1).cast(pa.int64())
    by_vehicle = (
        pa.table({"vehicle_id": by_event.column("vehicle_id"), "repeated": repeated})
        .group_by("vehicle_id")
        .aggregate([("repeated", "count"), ("repeated", "sum")])
        .to_pydict()
    )
    return {
        vehicle_id: (events, twice)
        for vehicle_id, events, twice in zip(
            by_vehicle["vehicle_id"], by_vehicle["repeated_count"], by_vehicle["repeated_sum"], strict=True
        )
    }
