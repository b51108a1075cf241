"""How much memory and time the import of one large export takes.

Run with `python benchmarks/import_memory.py [MEGABYTES]`. An export of that size, a year of one vehicle, is written to
a temporary folder and imported by a process of its own, whose peak of resident memory is then asked of the system.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson

FIRST = datetime(2025, 1, 1, tzinfo=UTC)
_BYTES_A_DOCUMENT = 1_030


def write_export(path: Path, megabytes: int) -> int:
    """Write an export of about that size; returns its number of documents."""
    count = megabytes * 1_000_000 // _BYTES_A_DOCUMENT
    step = timedelta(days=365) / count
    with path.open("wb") as file:
        file.write(b'{"userDeviceId":"2testUserDevice000000000001","requestTimestamp":"2026-01-05T10:00:00Z","data":[')
        for n in range(count):
            file.write((b",\n" if n else b"") + orjson.dumps(_document(n, FIRST + n * step)))
        file.write(b"]}")
    return count


def _document(n: int, moment: datetime) -> dict[str, object]:
    stamp = f"{moment:%Y-%m-%dT%H:%M:%S.%f}Z"
    numbers = {f"reading{k}": round((n * 37 % 10_007) / (k + 1), 3) for k in range(30)}
    return {
        "id": f"event-{n}",
        "source": "dimo/integration/27qftVRWQYpVDcO5DltO5Ojbjxk",
        "specversion": "1.0",
        "subject": "2testUserDevice000000000001",
        "time": stamp,
        "type": "zone.dimo.device.status.update",
        "data": {"timestamp": stamp, "latitude": 52.5, "longitude": 13.4, "odometer": 88_000 + n / 100, **numbers},
        "make": "Ford",
        "wifi": {"ssid": "home", "status": "COMPLETED"},
    }


def main() -> None:
    """Write the export, import it in a process of its own, and print what that took."""
    megabytes = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    with tempfile.TemporaryDirectory() as folder:
        export = Path(folder, "export.json")
        documents = write_export(export, megabytes)
        environ = os.environ | {"DIMO_WAREHOUSE": f"{folder}/warehouse"}
        command = [sys.executable, "-c", "from dimo_etl.cli.main import main; main()", "import", str(export)]
        started = time.perf_counter()
        process = subprocess.Popen(command, env=environ)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
        size = export.stat().st_size / 1e6
    if os.waitstatus_to_exitcode(status):
        sys.exit("The import failed.")
    print(f"{size:,.0f} MB, {documents:,} documents: {seconds:,.1f} s, {size / seconds:,.1f} MB/s")
    print(f"peak memory {usage.ru_maxrss / 1024:,.0f} MB, {usage.ru_maxrss * 1.024e-3 / size:.2f} of the file")


if __name__ == "__main__":
    main()
