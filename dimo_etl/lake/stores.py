"""Which store holds a warehouse: a folder's, or a bucket's."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dimo_etl.lake.store import Store


def open_store(root: str) -> Store:
    """The store of a warehouse.

    Args:
        root: an absolute folder, which is made with its first file; or an address such as `s3://bucket/folder`.

    Raises:
        ConfigError, WarehouseError: those of `BucketStore`.
    """
    # Both load Arrow, which most that ask whether it is an address do without.
    from dimo_etl.lake.bucket import BucketStore
    from dimo_etl.lake.store import Store

    return BucketStore(root) if is_address(root) else Store(root)


def is_address(root: Path | str) -> bool:
    """Whether a warehouse is in an object store rather than in a folder."""
    return "://" in str(root)
