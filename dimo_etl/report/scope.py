"""Which days and vehicles a report is about."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING

from dimo_etl.errors import InputError, WarehouseError
from dimo_etl.report.figures import Scope

if TYPE_CHECKING:
    from dimo_etl.warehouse import Warehouse

# Without being told, a report is about the last year there is.
_DAYS = 366


def scope_of(
    warehouse: Warehouse, *, vehicles: Sequence[str] = (), first: date | None = None, last: date | None = None
) -> Scope:
    """What a report is about: by default every vehicle, and the last year of which anything is held.

    Args:
        warehouse: what there is.
        vehicles: the wanted ones; none for all.
        first: the first UTC day.
        last: the last one, included.

    Raises:
        InputError: a vehicle is not in the warehouse, or the days are reversed.
        WarehouseError: the warehouse holds no day.
    """
    known = [
        str(row[0])
        for row in warehouse.execute(
            "SELECT vehicle_id FROM vehicles ORDER BY try_cast(vehicle_id AS HUGEINT), vehicle_id"
        )
    ]
    for vehicle in vehicles:
        if vehicle not in known:
            raise InputError(f"Vehicle {vehicle} is not in the warehouse; `dimo-etl vehicles` lists those that are.")
    held = warehouse.execute("SELECT min(date), max(date) FROM coverage").fetchone()
    begin, end = held if held is not None else (None, None)
    if not isinstance(begin, date) or not isinstance(end, date):
        raise WarehouseError("The warehouse holds no day yet; bring some with `dimo-etl sync`, or try `dimo-etl demo`.")
    last = last or max(end, first or end)
    first = first or min(last, max(begin, last - timedelta(days=_DAYS - 1)))
    if first > last:
        raise InputError(f"--from {first} is after --to {last}; give the earlier day first.")
    chosen = [vehicle for vehicle in known if vehicle in vehicles] if vehicles else known
    return Scope(first, last, tuple(chosen), only=bool(vehicles))
