"""How a DuckDB session reads a bucket: through the filesystem that everything else reads it with.

Promise: a listing that fails fails the query. fsspec's own patterns leave out what could not be listed, and a query
would answer without those days. Defining the views, which looks at the same few files once for each view, asks the
object store for each of them once.
"""

from __future__ import annotations

import re
from datetime import datetime
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import pyarrow as pa
from fsspec.implementations.arrow import ArrowFile, ArrowFSWrapper
from pyarrow import fs

if TYPE_CHECKING:
    import duckdb

    from dimo_etl.lake.bucket import BucketStore


def connect(connection: duckdb.DuckDBPyConnection, bucket: BucketStore, *, briefly: bool = False) -> None:
    """Let a session read the addresses of an object store.

    Args:
        connection: the session.
        bucket: where it may read.
        briefly: the session sees the moment of its first look at each file, and is soon over.
    """
    connection.register_filesystem((_Moment if briefly else _Listing)(bucket.filesystem))


class _Listing(ArrowFSWrapper):  # type: ignore[misc]  # fsspec ships no types
    """A filesystem whose patterns are matched against one listing of what is below their fixed part."""

    cachable = False  # fsspec would share one between sessions

    def glob(self, path: str, **_: object) -> list[str]:
        """The files that match a pattern, sorted."""
        pattern = self._strip_protocol(path)
        if not re.search(r"[*?\[]", pattern):
            return [pattern] if self.fs.get_file_info(pattern).is_file else []
        fixed = re.split(r"[*?\[]", pattern)[0].rpartition("/")[0]
        below = self.fs.get_file_info(fs.FileSelector(fixed, allow_not_found=True, recursive=True))
        return sorted(info.path for info in below if info.is_file and _matches(info.path, pattern))


class _Moment(_Listing):
    """The same, each answer kept: for a session that defines views, which reads one file of each kind."""

    def __init__(self, files: fs.FileSystem) -> None:
        super().__init__(files)
        self._globs: dict[str, list[str]] = {}
        self._infos: dict[str, fs.FileInfo] = {}
        self._contents: dict[str, pa.Buffer] = {}

    def glob(self, path: str, **_: object) -> list[str]:
        """The files that match a pattern, sorted."""
        if path not in self._globs:
            self._globs[path] = super().glob(path)
        return self._globs[path]

    def info(self, path: str, **_: object) -> dict[str, object]:
        """What fsspec calls the facts of a file."""
        made: dict[str, object] = self._make_entry(self._info(path))
        return made

    def modified(self, path: str) -> datetime | None:
        """When a file was put."""
        return self._info(path).mtime  # type: ignore[no-any-return]

    def _info(self, path: str) -> fs.FileInfo:
        name = self._strip_protocol(path)
        if name not in self._infos:
            self._infos[name] = self.fs.get_file_info(name)
        return self._infos[name]

    def _open(self, path: str, mode: str = "rb", **_: object) -> ArrowFile:
        name = self._strip_protocol(path)
        if name not in self._contents:
            with self.fs.open_input_file(name) as source:
                self._contents[name] = source.read_buffer()
        return ArrowFile(self, pa.BufferReader(self._contents[name]), path, mode)


def _matches(path: str, pattern: str) -> bool:
    parts, wanted = path.split("/"), pattern.split("/")
    return len(parts) == len(wanted) and all(map(fnmatchcase, parts, wanted))
