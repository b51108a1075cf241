"""The index's column of `data.odometer`: 32-bit floats, so what is counted from it carries their noise."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dimo_etl.sandbox.document import Document


@dataclass(frozen=True, slots=True)
class OdometerColumn:
    """The documents of a vehicle-day, in order: when each was measured (ms since the epoch) and its odometer.

    Attributes:
        times_ms: one for each document.
        kilometres: one for each document; not a number where it has none.
    """

    times_ms: array[int]
    kilometres: array[float]


def odometer_column(documents: Iterable[Document]) -> OdometerColumn:
    """The column of some documents."""
    times_ms, kilometres = array("q"), array("f")
    for document in documents:
        times_ms.append(document.measured_ms)
        kilometres.append(document.odometer)
    return OdometerColumn(times_ms, kilometres)
