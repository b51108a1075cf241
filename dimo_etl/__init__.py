"""The history of DIMO-connected vehicles: fetched completely, kept as received, flattened, open to SQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dimo_etl.warehouse import Warehouse

__all__ = ["Warehouse"]


def __getattr__(name: str) -> object:
    """Load the warehouse when it is first asked for, so that importing the package costs nothing."""
    if name == "Warehouse":
        from dimo_etl.warehouse import Warehouse

        return Warehouse
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
