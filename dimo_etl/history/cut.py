"""Where to cut a window that holds more events than one answer can: at the quantiles of the sample in hand.

A draw over the cap is a random sample of the window's events. Cutting it at sample quantiles gives windows of about
the same number of events, wherever in the day the events lie. How many windows is a trade: fewer overflow more often,
and an overflow is paid with a draw of its own. `plan` takes the number with the least expected cost.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise

from dimo_etl.model import Window

# A window that overflows is cut once more: its own draw is spent and about two windows take its place.
_OVERFLOW_COST = 2.0
# Fewer events with one field than this say too little of where the others of their kind lie.
_TELLING = 30


def plan(total: int, sample: int, cap: int, *, known: bool = True) -> int:
    """How many windows of equal share to cut `total` events into.

    Args:
        total: events in the window.
        sample: how many of them are in hand.
        cap: the most one answer holds.
        known: whether `total` is what the service said, and not an estimate from a wider sample.
    """
    return _plan(total, max(sample, 2), max(cap, 1), known)[1]


@lru_cache(maxsize=4096)
def _plan(total: int, sample: int, cap: int, known: bool) -> tuple[float, int]:
    """Expected requests, and the number of windows that brings it about."""
    fewest = max(1, math.ceil(total / cap))
    if fewest == 1 and known:
        return 1.0, 1
    best = min((_cost(total, sample, cap, pieces, known), pieces) for pieces in range(fewest, 2 * fewest + 8))
    # Many windows from a thin sample overflow too often: draw coarser windows first and cut each by its own sample.
    for coarse in range(2, 65):
        part = total // coarse
        if 2 * cap < part <= 10 * cap:
            best = min(best, (coarse * (1 + _plan(part, cap, cap, True)[0]), coarse))
    return best


def _cost(total: int, sample: int, cap: int, pieces: int, known: bool) -> float:
    """Expected requests for `pieces` windows of equal share cut from a sample.

    The number of events between two sample quantiles varies with the thinness of the sample: its variance is
    share * (1 - p) / p * (1 - share / total), p being the sampled fraction (negative hypergeometric); where the
    total is itself an estimate the last factor falls away.
    """
    share, p = total / pieces, min(1.0, sample / max(total, 1))
    variance = share * (1 - p) / p * ((1 - share / total) if known else 1.0)
    overflow = 0.5 * math.erfc((cap - share) / math.sqrt(2 * max(variance, 1e-9)))
    return pieces * (1 + _OVERFLOW_COST * overflow)


def at_quantiles(window: Window, times_ms: Sequence[int], pieces: int) -> list[Window]:
    """Cut a window into up to `pieces` windows that tile it, each with about the same share of the sample.

    Args:
        window: longer than one millisecond.
        times_ms: times of the sampled events, ascending, inside the window.
        pieces: how many to aim for, at least 2.

    Returns:
        At least two windows, in order, without gap or overlap.
    """
    count = len(times_ms)
    starts = {times_ms[count * piece // pieces] for piece in range(1, pieces)} if count else set()
    cuts = sorted(start for start in starts if window.start_ms < start <= window.end_ms)
    if not cuts:
        cuts = _around(window, times_ms)
    edges = [window.start_ms, *cuts, window.end_ms + 1]
    return [Window(start, end - 1) for start, end in pairwise(edges)]


def fair_sample(ones: Sequence[int], twos: Sequence[int], total: int) -> list[int]:
    """Times of a draw as if it had no bias, ascending.

    The service multiplies each event's points, one for an odometer and one for a latitude, with a random number, and
    gives the best: of the events with one point a share of 1 - t is drawn and of those with two 1 - t / 2, t being the
    score of the worst. The total tells t; events with two points are then thinned out to the share of the others.

    Args:
        ones: times of the events drawn that have one of the two fields.
        twos: times of those that have both.
        total: events the service counts in the window.
    """
    drawn = len(ones) + len(twos)
    if len(ones) < _TELLING or total <= drawn:
        return sorted([*ones, *twos])
    # The root below 1 of: ones / (1 - t) + twos / (1 - t / 2) = total.
    slope = 1.5 * total - len(ones) / 2 - len(twos)
    worst = (slope - math.sqrt(max(0.0, slope * slope - 2 * total * (total - drawn)))) / total
    kept = round(len(twos) * (1 - worst) / (1 - worst / 2))
    in_order = sorted(twos)
    return sorted([*ones, *(in_order[len(twos) * place // kept] for place in range(kept))])


def _around(window: Window, times_ms: Sequence[int]) -> list[int]:
    """Cuts for a sample that lies at the window's very start (or is empty): that millisecond alone, or the middle."""
    if times_ms and times_ms[0] == window.start_ms:
        return [window.start_ms + 1]
    return [window.start_ms + window.span_ms // 2]


def fits(estimate: float, fraction: float, cap: int) -> bool:
    """Whether a window estimated to hold `estimate` events, a `fraction` of them sampled, surely fits one answer."""
    deviation = math.sqrt(max(estimate, 1.0) * (1 - fraction) / fraction) if fraction < 1 else 0.0
    return estimate + 2 * deviation <= cap
