"""Bytes a signal in Parquet, against the raw documents under the best that zstd gives.

    python -m benchmarks.storage [--quick]

A day of every vehicle of the sandbox's simulated fleet, through the raw files to the day's file.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime

import pyarrow as pa

from benchmarks import measure
from benchmarks.measure import Ratio
from dimo_etl.events import read_event
from dimo_etl.lake.signals import write_day
from dimo_etl.lake.store import Store
from dimo_etl.sandbox.fleet import Fleet
from tests.lake.make import DAY, fetched


def measured(quick: bool) -> Iterator[Ratio]:
    """The whole day, and a part of its vehicles."""
    fleet = Fleet(1, lambda: datetime(2026, 2, 1, tzinfo=UTC))
    vehicles = fleet.everyone[:2] if quick else fleet.everyone
    payloads: list[bytes] = []
    with tempfile.TemporaryDirectory() as root, Store(root) as store:
        for vehicle in vehicles:
            found = [document.payload for document in fleet.documents(vehicle.token_id, DAY)]
            fetched(store, map(read_event, found), str(vehicle.token_id))
            payloads += found
        written = write_day(store, DAY)
    if written is None or not written.rows:
        raise SystemExit("The fleet has no events on that day.")
    packed = len(pa.Codec("zstd", compression_level=19).compress(b"\n".join(payloads))) / written.rows
    held = written.size_bytes / written.rows
    figures = {"signals": written.rows, "Parquet bytes a signal": held, "zstd -19 bytes a signal": packed}
    yield Ratio("Parquet against zstd -19 of the raw JSON", held / packed, 0.5, at_most=True, figures=figures)
    yield Ratio("Parquet, bytes a signal", held, 2.5, at_most=True, figures={})


if __name__ == "__main__":
    measure.main(measured)
