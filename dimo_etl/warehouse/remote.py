"""How a DuckDB session reads a bucket: through the filesystem that everything else reads it with.

Promise: a listing that fails fails the query. fsspec's own patterns leave out what could not be listed, and a query
would answer without those days.
"""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from fsspec.implementations.arrow import ArrowFSWrapper
from pyarrow import fs

if TYPE_CHECKING:
    import duckdb

    from dimo_etl.lake.bucket import BucketStore


def connect(connection: duckdb.DuckDBPyConnection, bucket: BucketStore) -> None:
    """Let a session read the addresses of an object store."""
    connection.register_filesystem(_Listing(bucket.filesystem))


class _Listing(ArrowFSWrapper):  # type: ignore[misc]  # fsspec ships no types
    """A filesystem whose patterns are matched against one listing of what is below their fixed part."""

    def glob(self, path: str, **_: object) -> list[str]:
        """The files that match a pattern, sorted."""
        pattern = self._strip_protocol(path)
        if not re.search(r"[*?\[]", pattern):
            return [pattern] if self.fs.get_file_info(pattern).is_file else []
        fixed = re.split(r"[*?\[]", pattern)[0].rpartition("/")[0]
        below = self.fs.get_file_info(fs.FileSelector(fixed, allow_not_found=True, recursive=True))
        return sorted(info.path for info in below if info.is_file and _matches(info.path, pattern))


def _matches(path: str, pattern: str) -> bool:
    parts, wanted = path.split("/"), pattern.split("/")
    return len(parts) == len(wanted) and all(map(fnmatchcase, parts, wanted))
