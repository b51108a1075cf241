"""How many events a draw does not show for each that it shows: the service prefers those with two fields.

It multiplies an event's points, one for an odometer and one for a latitude, with a random number, and gives the best.
With t as the score of the worst that it gives, a share of 1 - t is drawn of the events with one point, and 1 - t / 2 of
those with two. Above t = 1 those with one point are hidden whole: they are taken to lie as the others do, until windows
that were counted tell otherwise; then only what the last windows told of them is believed.
"""

from __future__ import annotations

import math

# What a draw is taken for whose total the service counts no further than 10,000, until a first window tells more.
UNCOUNTED_TOTAL = 12_000
# Fewer events with one field than this say too little of where the others of their kind lie.
_TELLING = 30
# Below this share of events with one field a draw does not show where they lie.
_BLIND = 0.04
# A draw that shows so much of its total hides nothing: the score tells the total within some percent.
_SHOWN = 0.88
# How many shown events an assumption about the hidden ones is worth, against what windows told.
_ASSUMED = 100
# A window with a lesser share of shown events is one of the others alone, and tells nothing of how they mix.
_MIXED = 0.15
# How far a window's count is from what is foreseen, and at least how many events, when the hidden ones lie otherwise.
_OTHERWISE, _OTHERWISE_EVENTS = 0.3, 100


class Bias:
    """What one draw does not show.

    Args:
        ones: number of events drawn with one of odometer and latitude.
        twos: number of those with both.
        total: events in the window; None where the service did not count them all.
        worst: the lowest score drawn; None where the service gives none that can be believed.
    """

    def __init__(self, ones: int, twos: int, total: int | None, worst: float | None) -> None:
        self._ones, self._twos, self._total, self._worst = ones, twos, total, worst
        self._seen = self._seen_drawn = 0.0
        self._hidden = self._assumed = self._assumption()
        self._alike = True

    @property
    def certain(self) -> bool:
        """Whether all that was not drawn lies where the draw says."""
        return self._total is not None and (self._alike or not self._assumed)

    def undrawn(self) -> tuple[float, float]:
        """How many events were not drawn for each that was, with one of the two fields and with both."""
        if self._worst is None:
            return undrawn(self._ones, self._twos, self._estimate())
        one, two = self._shown()
        return one * (1 + self._hidden) - 1, two * (1 + self._hidden) - 1

    def learn(self, ones: int, twos: int, total: int) -> None:
        """Take note of how many events a part of the window holds, of which so many were drawn."""
        self._seen += total
        self._seen_drawn += ones + twos
        if self._worst is None or self._worst < 1 - _BLIND:
            return
        one, two = self._shown()
        shown = ones * one + twos * two
        if self._alike:
            foreseen = shown * (1 + self._hidden)
            self._alike = abs(total - foreseen) < _OTHERWISE * foreseen + _OTHERWISE_EVENTS
            if not self._alike:
                self._hidden = 0.0
        if (self._total is None) if self._alike else (shown > _MIXED * total):
            told = max(0.0, total - shown)
            self._hidden = (_ASSUMED * self._hidden + told) / (_ASSUMED + shown)

    def _shown(self) -> tuple[float, float]:
        """How many events there are for each that was drawn, of those that are not hidden."""
        worst = self._worst or 0.0
        return 1 / max(1 - worst, _BLIND / 2), 1 / (1 - worst / 2)

    def _assumption(self) -> float:
        """How many events are hidden for each that is shown."""
        if self._worst is None or self._worst < 1 - _BLIND:
            return 0.0
        one, two = self._shown()
        total, shown = self._total or UNCOUNTED_TOTAL, self._ones * one + self._twos * two
        return total / shown - 1 if shown < _SHOWN * total else 0.0

    def _estimate(self) -> float:
        """The total, where only the windows that were counted tell it."""
        if self._total is not None:
            return self._total
        drawn = self._ones + self._twos
        share = (self._seen_drawn + drawn / UNCOUNTED_TOTAL) / (self._seen + 1)
        return max(drawn, drawn / share) if share else float(UNCOUNTED_TOTAL)


def undrawn(ones: int, twos: int, total: float) -> tuple[float, float]:
    """The same, worked out from the total where no score is given."""
    drawn = ones + twos
    if not drawn or total <= drawn:
        return 0.0, 0.0
    if ones < _TELLING:
        return total / drawn - 1, total / drawn - 1
    # The root below 1 of: ones / (1 - t) + twos / (1 - t / 2) = total.
    slope = 1.5 * total - ones / 2 - twos
    worst = (slope - math.sqrt(max(0.0, slope * slope - 2 * total * (total - drawn)))) / total
    return worst / (1 - worst), worst / (2 - worst)
