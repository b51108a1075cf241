"""The battery of an electric car that charges at home each evening, ten minutes after its last drive."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dimo_etl.sandbox.drives import DayOfDriving, State

CAPACITY_KWH, LIMIT, RANGE_KM, CHARGER_KW = 75, 0.8, 420.0, 11.0
_PLUG_IN_MS = 600_000


class HomeCharging:
    """One day of charging.

    Attributes:
        arrival: the state of charge after the last drive, 0 to 1.
    """

    def __init__(self, driving: DayOfDriving) -> None:
        self._drives = driving.drives != ()
        self._start_m = driving.home.odometer_m
        end = driving.drives[-1][-1] if driving.drives else driving.home
        self._plug_in_ms = end.ms + _PLUG_IN_MS
        self.arrival = LIMIT - (end.odometer_m - self._start_m) / 1000 / RANGE_KM
        self._full_ms = self._plug_in_ms + int((LIMIT - self.arrival) * CAPACITY_KWH / CHARGER_KW * 3_600_000)

    def is_charging(self, ms: int) -> bool:
        """Whether the car charges at a moment."""
        return self._drives and self._plug_in_ms <= ms < self._full_ms

    def soc(self, state: State) -> float:
        """The state of charge at a moment, 0 to 1."""
        if state.ms < self._plug_in_ms or not self._drives:
            return LIMIT - (state.odometer_m - self._start_m) / 1000 / RANGE_KM
        return min(LIMIT, self.arrival + (state.ms - self._plug_in_ms) / 3_600_000 * CHARGER_KW / CAPACITY_KWH)
