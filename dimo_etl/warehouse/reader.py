"""Read the warehouse: the views, in a session that can do nothing but read them.

Promise: times are in UTC; a query reads the views and no other file, writes nothing, loads nothing and cannot change
the session, unless it is opened as unsafe: then it is DuckDB with all it can do, and only the views cannot be changed.
Readers take no lock and never wait for a run: the views read whatever days are in place. DuckDB opens a
file twice, for its footer and for its rows; a query that meets a file which was replaced in between fails, and is asked
again.
"""

from __future__ import annotations

import glob
import logging
import os
import re
import shutil
import tempfile
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from dimo_etl.config import DEMO_WAREHOUSE, Settings, load_environment
from dimo_etl.errors import QueryError, WarehouseError
from dimo_etl.lake import layout
from dimo_etl.lake.stores import is_address
from dimo_etl.warehouse.definitions import quoted
from dimo_etl.warehouse.publish import DATABASE, publish

if TYPE_CHECKING:
    import duckdb
    import pandas as pd
    import pyarrow as pa

    from dimo_etl.lake.bucket import BucketStore

Parameters = Sequence[object] | Mapping[str, object]
Given = TypeVar("Given")
_EXPLAIN = re.compile(r"(?:\s|--[^\n]*\n|/\*.*?\*/)*EXPLAIN\b(?:\s+ANALYZE\b)?(?:\s*\([^)]*\))?", re.I | re.S)
_BATCH_ROWS = 10_000
_log = logging.getLogger("dimo_etl")


class Result:
    """The rows of a query, fetched as they are asked for."""

    def __init__(self, cursor: duckdb.DuckDBPyConnection, root: Path | BucketStore) -> None:
        self._cursor = cursor
        self._root = root
        # What is read of the files before the first row is there is read here, where it can be asked for again.
        self._held = iter(cursor.fetchmany(_BATCH_ROWS))

    @property
    def columns(self) -> list[str]:
        """The names of the columns."""
        return [str(column[0]) for column in self._cursor.description or []]

    @property
    def types(self) -> list[str]:
        """The types of the columns, as SQL names them."""
        return [str(column[1]) for column in self._cursor.description or []]

    def fetchone(self) -> tuple[object, ...] | None:
        """The next row; None after the last."""
        row: tuple[object, ...] | None = next(self._held, None)
        if row is None:
            self._held = self._asked(lambda: iter(self._cursor.fetchmany(_BATCH_ROWS)))
            row = next(self._held, None)
        return row

    def fetchall(self) -> list[tuple[object, ...]]:
        """Every row that is left."""
        return [*self._held, *self._asked(self._cursor.fetchall)]

    def named(self) -> list[dict[str, Any]]:
        """Every row that is left, its values by the names of their columns."""
        columns = self.columns
        return [dict(zip(columns, row, strict=True)) for row in self.fetchall()]

    def __iter__(self) -> Iterator[tuple[object, ...]]:
        while (row := self.fetchone()) is not None:
            yield row

    def _asked(self, fetch: Callable[[], Given]) -> Given:
        from dimo_etl.warehouse.explain import explained

        with explained(self._root):
            return fetch()


class Warehouse:
    """A read-only session over the views; a context manager, which may also be left open and forgotten.

    Every method that takes SQL takes exactly one query, and raises QueryError where it is not one or is wrong, and
    WarehouseError where a file of the warehouse cannot be read. Opened as unsafe, it takes any one statement.
    """

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, root: Path | BucketStore, spill: Path, *, unsafe: bool
    ) -> None:
        self._connection = connection
        self._root = root
        self._allowed = _statement if unsafe else _query
        # Also where nobody closes it, as in a notebook.
        self._remove_spill = weakref.finalize(self, shutil.rmtree, spill, ignore_errors=True)

    @classmethod
    def open(cls, root: Path | str | None = None, *, unsafe: bool = False) -> Warehouse:
        """Open a warehouse; its views are published first where they are missing or out of date.

        Args:
            root: the warehouse's folder, or its address in an object store; None for the one the settings name
                (`DIMO_WAREHOUSE`).
            unsafe: whether statements may do whatever DuckDB can: read and write any file, load extensions, attach
                databases. For text that the user wrote, never for what came from elsewhere.

        Raises:
            WarehouseError: there is no warehouse, or it cannot be opened.
        """
        root = _configured_root() if root is None else root
        if is_address(root):
            return cls._open_bucket(str(root), unsafe=unsafe)
        root = Path(root).absolute()
        if not root.is_dir():
            raise WarehouseError(
                f"There is no warehouse at {root} yet; bring some days with `dimo-etl sync`, or try `dimo-etl demo`."
            )
        if os.access(root, os.W_OK) or not (root / DATABASE).is_file():
            publish(root)
        spill = Path(tempfile.mkdtemp(prefix="dimo-etl-query-"))
        try:
            return cls(_session(root, root / DATABASE, spill, unsafe=unsafe), root, spill, unsafe=unsafe)
        except BaseException:
            shutil.rmtree(spill, ignore_errors=True)
            raise

    @classmethod
    def _open_bucket(cls, address: str, *, unsafe: bool) -> Warehouse:
        from dimo_etl.lake.bucket import BucketStore

        store = BucketStore(address)
        if store.is_empty():
            raise WarehouseError(f"There is no warehouse at {store.root} yet; bring some days with `dimo-etl sync`.")
        publish(address)
        spill = Path(tempfile.mkdtemp(prefix="dimo-etl-query-"))
        try:
            # DuckDB attaches files of this machine; the copy goes with the session.
            database = spill / DATABASE
            database.write_bytes(store.read(DATABASE))
            return cls(_session(store, database, spill, unsafe=unsafe), store, spill, unsafe=unsafe)
        except BaseException:
            shutil.rmtree(spill, ignore_errors=True)
            raise

    def execute(self, sql: str, params: Parameters | None = None) -> Result:
        """The rows of a query as tuples, streamed.

        Args:
            sql: one query; `?` and `$name` stand for parameters.
            params: their values.
        """
        return self._asked(lambda cursor: Result(cursor.execute(self._allowed(cursor, sql), params), self._root))

    def relation(self, sql: str, params: Parameters | None = None) -> duckdb.DuckDBPyRelation:
        """A query as a DuckDB relation, to build on; it runs when its rows are asked for."""
        return self._asked(lambda cursor: cursor.sql(self._allowed(cursor, sql), params=params))

    def df(self, sql: str, params: Parameters | None = None) -> pd.DataFrame:
        """A query as a pandas DataFrame; times are UTC."""
        return self._asked(lambda cursor: cursor.sql(self._allowed(cursor, sql), params=params).df())

    def arrow(self, sql: str, params: Parameters | None = None) -> pa.Table:
        """A query as an Arrow table; times are UTC."""
        return self._asked(lambda cursor: cursor.sql(self._allowed(cursor, sql), params=params).to_arrow_table())

    def batches(self, sql: str) -> Iterator[pa.RecordBatch]:
        """A query as Arrow record batches, streamed; at least one, which may be empty, so that columns are known."""
        import pyarrow as pa

        from dimo_etl.warehouse.explain import explained

        def begun(cursor: duckdb.DuckDBPyConnection) -> tuple[pa.RecordBatchReader, pa.RecordBatch | None]:
            reader = cursor.sql(self._allowed(cursor, sql)).to_arrow_reader(_BATCH_ROWS)
            return reader, next(reader, None)

        reader, first = self._asked(begun)
        with explained(self._root):
            # Arrow imports pandas, half a second, for any list it is given, an empty one too.
            columns = [pa.nulls(0, field.type) for field in reader.schema]
            yield pa.RecordBatch.from_arrays(columns, schema=reader.schema)
            if first is not None:
                yield first
            yield from reader

    def close(self) -> None:
        """End the session."""
        self._connection.close()
        self._remove_spill()

    def __enter__(self) -> Warehouse:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _asked(self, ask: Callable[[duckdb.DuckDBPyConnection], Given]) -> Given:
        from dimo_etl.warehouse.explain import answered

        return answered(lambda: ask(self._cursor()), self._root)

    def _cursor(self) -> duckdb.DuckDBPyConnection:
        """A session of its own for each query: one result can be read while another query runs."""
        cursor = self._connection.cursor()
        cursor.execute("USE dimo")
        return cursor


def _configured_root() -> Path | str:
    environ = load_environment(os.environ, Path.cwd())
    warehouse = Settings.from_environment(environ).warehouse
    demo = Path(DEMO_WAREHOUSE)
    if not environ.get("DIMO_WAREHOUSE") and not Path(warehouse).exists() and demo.exists():
        _log.warning("There is no warehouse of your own yet; this is the demo's simulated fleet.")
        return demo
    return warehouse


def _session(root: Path | BucketStore, database: Path, spill: Path, *, unsafe: bool) -> duckdb.DuckDBPyConnection:
    import duckdb

    from dimo_etl.warehouse.explain import explained

    # A private in-memory instance with the file attached: instances that DuckDB opens by path are shared in a
    # process, and would go on showing a file that has been replaced.
    connection = duckdb.connect(config={"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"})
    # DuckDB holds both a pattern and the files it matches against these, so they are given both ways.
    names = ("signals", "quarantine", "snapshots", layout.DISTANCES)
    where = str(root) if isinstance(root, Path) else root.root
    folders = [f"{base}/{name}" for base in (where, glob.escape(where)) for name in names]
    files = [f"{base}/{layout.VEHICLES}" for base in (where, glob.escape(where))]
    opening = (
        "SET GLOBAL TimeZone = 'UTC'",
        # Files that have none of up to so many values that a join looks for are not opened: `latest` then reads of all
        # days what tells which values are newest, and everything of those days alone that have one.
        "SET GLOBAL dynamic_or_filter_threshold = 100_000",
        f"SET temp_directory = {quoted(str(spill))}",
        f"ATTACH {quoted(str(database))} AS dimo (READ_ONLY)",
    )
    closing = (
        f"SET allowed_directories = [{', '.join(map(quoted, folders))}]",
        f"SET allowed_paths = [{', '.join(map(quoted, files))}]",
        "SET enable_external_access = false",
        "SET lock_configuration = true",
    )
    with explained(root):
        if not isinstance(root, Path):
            from dimo_etl.warehouse import remote

            remote.connect(connection, root)
        for statement in opening if unsafe else (*opening, *closing):
            connection.execute(statement)
    return connection


def _statement(cursor: duckdb.DuckDBPyConnection, sql: str) -> str:
    """The text, if it is one statement.

    Raises:
        QueryError: it is none, or several.
    """
    _kind(cursor, sql)
    return sql


def _query(cursor: duckdb.DuckDBPyConnection, sql: str) -> str:
    """The text, if it is one statement that only reads; DuckDB lets a session write where it may read.

    Raises:
        QueryError: it is none, or several, or would do more than read.
    """
    import duckdb

    kind = _kind(cursor, sql)
    if kind != duckdb.StatementType.SELECT:
        raise QueryError(f"The warehouse is read-only: {kind.name} is refused; use SELECT, FROM, DESCRIBE or EXPLAIN.")
    return sql


def _kind(cursor: duckdb.DuckDBPyConnection, sql: str) -> duckdb.StatementType:
    """What the one statement of a text does, or what the one does that it explains."""
    import duckdb

    from dimo_etl.warehouse.explain import told

    try:
        parsed = cursor.extract_statements(sql)
        if parsed and parsed[0].type == duckdb.StatementType.EXPLAIN:
            explain = _EXPLAIN.match(sql)
            parsed = cursor.extract_statements(sql[explain.end() :]) if explain else []
    except duckdb.Error as error:
        raise QueryError(f"The query cannot be run: {told(error)}.") from error
    if len(parsed) != 1:
        raise QueryError(f"Give one query at a time; this text holds {len(parsed)} statements.")
    return parsed[0].type
