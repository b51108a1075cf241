"""The views over some days of a warehouse, for questions about these days alone.

Promise: the rules are those of the whole warehouse, since the SQL is the same; the cost does not grow with the days
that are not asked about. What spans days shows only what these days tell: a distance is what was driven between
readings of them.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from dimo_etl.lake import layout
from dimo_etl.lake.bucket import BucketStore
from dimo_etl.lake.stores import is_address
from dimo_etl.warehouse.definitions import statements

if TYPE_CHECKING:
    import duckdb


@contextmanager
def excerpt(root: Path | str, days: Sequence[date]) -> Iterator[duckdb.DuckDBPyConnection]:
    """A session over a warehouse that holds nothing but these days: links to their files, or copies out of a bucket.

    Raises:
        WarehouseError: a file cannot be read.
    """
    import duckdb

    from dimo_etl.warehouse.explain import explained

    files = [layout.VEHICLES]
    files += [name for day in days for name in (layout.signals_file(day), layout.quarantine_file(day))]
    with tempfile.TemporaryDirectory(prefix="dimo-etl-days-") as folder:
        bucket = BucketStore(str(root)) if is_address(root) else None
        for name in files:
            target, link = Path(root).absolute() / name, Path(folder, name)
            if bucket is not None:
                if bucket.exists(name):
                    link.parent.mkdir(parents=True, exist_ok=True)
                    link.write_bytes(bucket.read(name))
            elif target.is_file():
                link.parent.mkdir(parents=True, exist_ok=True)
                link.symlink_to(target)
        with explained(Path(folder) if bucket else Path(root)), duckdb.connect() as connection:
            connection.execute("SET TimeZone = 'UTC'")
            for statement in statements(Path(folder)):
                connection.execute(statement)
            yield connection
