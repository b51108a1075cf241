"""When a service is down, as far as one run over several vehicles can tell: asking on would then only harm."""

from __future__ import annotations

import threading

from dimo_etl.errors import ServiceDownError, ServiceError
from dimo_etl.model import Vehicle

# So many answers in a row that failed after all their retries mean that the service is down.
_DOWN_AFTER = 5
# Unless they are all of one or two vehicles: then it is these vehicles the service has trouble with.
_DOWN_FOR_VEHICLES = 3


class Breaker:
    """Counts answers that failed in a row, and the vehicles they were about; for any number of threads.

    Args:
        vehicles: how many vehicles will be asked about.
    """

    def __init__(self, vehicles: int) -> None:
        self._vehicles = min(_DOWN_FOR_VEHICLES, vehicles)
        self._lock = threading.Lock()
        self._failures = 0
        self._failing: set[str] = set()
        self._stopped = False
        self._last = ""

    def stop(self) -> None:
        """Let no vehicle ask any more: the run has ended."""
        self._stopped = True

    def check(self) -> None:
        """Raise ServiceDownError where asking on is pointless."""
        if self._stopped or (self._failures >= _DOWN_AFTER and len(self._failing) >= self._vehicles):
            raise ServiceDownError(f"The service is down: {self._last}" if self._last else "The run was stopped.")

    def failed(self, vehicle: Vehicle, error: ServiceError) -> None:
        """Count a failure."""
        with self._lock:
            self._failures += 1
            self._failing.add(vehicle.vehicle_id)
            self._last = str(error)

    def worked(self) -> None:
        """Forget the failures before."""
        with self._lock:
            self._failures = 0
            self._failing.clear()
