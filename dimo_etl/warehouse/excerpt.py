"""The views over some days of a warehouse, for questions about these days alone.

Promise: the rules are those of the whole warehouse, since the SQL is the same; the cost does not grow with the days
that are not asked about. What spans days shows only what these days tell: a distance is what was driven between
readings of them.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, TypeVar

from dimo_etl.lake import layout
from dimo_etl.lake.bucket import BucketStore
from dimo_etl.lake.stores import is_address
from dimo_etl.warehouse.definitions import statements
from dimo_etl.warehouse.lineage import with_all_they_use

if TYPE_CHECKING:
    import duckdb

Given = TypeVar("Given")


class Excerpt:
    """A session over a warehouse that holds nothing but some days: links to their files, or copies out of a bucket.

    Args:
        root: the warehouse.
        of: the views that are asked; defining all of them takes longer than most questions.
    """

    def __init__(self, root: Path | str, of: Sequence[str]) -> None:
        self._root = root
        self._names = with_all_they_use(of)
        self._bucket = BucketStore(str(root)) if is_address(root) else None
        self._folder = tempfile.TemporaryDirectory(prefix="dimo-etl-days-")
        self._defined: list[str] = []
        self._session: duckdb.DuckDBPyConnection | None = None

    def ask(self, days: Sequence[date], ask: Callable[[duckdb.DuckDBPyConnection], Given]) -> Given:
        """What is asked of the session over these days alone, from the start again where a file was replaced meanwhile.

        Args:
            days: UTC days.
            ask: executes queries and fetches all their rows.

        Raises:
            WarehouseError: a file cannot be read.
        """
        from dimo_etl.warehouse.explain import answered

        folder = Path(self._folder.name, "days")

        def begin() -> Given:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            for name in [layout.VEHICLES, *(file for day in days for file in _files(day))]:
                self._take(name, folder / name)
            return ask(self._over(folder))

        return answered(begin, folder, str(self._bucket.root if self._bucket else self._root))

    def _take(self, name: str, link: Path) -> None:
        """Put a file of the warehouse, if there is one, where the session sees it."""
        if self._bucket is not None:
            if self._bucket.exists(name):
                link.parent.mkdir(parents=True, exist_ok=True)
                link.write_bytes(self._bucket.read(name))
        elif (target := Path(self._root).absolute() / name).is_file():
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(target)

    def _over(self, folder: Path) -> duckdb.DuckDBPyConnection:
        """The session; the views are defined anew only where other kinds of files are there than before."""
        import duckdb

        wanted = statements(folder, self._names)
        if self._session is None or wanted != self._defined:
            self._close()
            self._session, self._defined = duckdb.connect(), []
            self._session.execute("SET TimeZone = 'UTC'")
            for statement in wanted:
                self._session.execute(statement)
            self._defined = wanted
        return self._session

    def _close(self) -> None:
        if self._session is not None:
            self._session.close()
            self._session = None

    def __enter__(self) -> Excerpt:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()
        self._folder.cleanup()


def _files(day: date) -> tuple[str, str]:
    return layout.signals_file(day), layout.quarantine_file(day)
