"""How many history requests completeness costs, as a ratio to the fewest any client could do with.

    python -m benchmarks.requests

The least for a day of n events is ceil(n / 1000) answers. Days are uneven: two rush hours, a long night, a burst.
Weeks are asked as the fetcher asks them: as consecutive days of one vehicle.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import timedelta

from benchmarks.measure import Ratio, main
from dimo_etl.history.complete import CompleteHistory
from dimo_etl.model import DAY_MS
from tests.history.service import DAY, START, AtOnce, Service, Stored, uneven_day

TOTALS = (100, 500, 900, 1_100, 1_500, 2_500, 4_000, 7_000, 10_000, 12_000, 20_000, 35_000, 60_000)
# Events a day of a week of one vehicle, from one that says little to one that never stops.
WEEKS = (
    (20, 35, 0, 60, 15, 10, 45),
    (300, 420, 380, 510, 290, 60, 0),
    (900, 1_100, 1_300, 700, 1_500, 200, 150),
    (3_000, 2_400, 0, 2_800, 3_600, 900, 1_200),
    (6_000, 8_000, 7_500, 5_500, 9_500, 2_000, 100),
    (20_000, 18_000, 25_000, 22_000, 16_000, 4_000, 9_000),
)
_SEEDS = range(4)


def spent(events: list[Stored], days: int, seed: int) -> int:
    """Requests spent until every event of some days is held."""
    service = Service(events, seed=seed)
    history = CompleteHistory(service, AtOnce())
    held = sum(len(piece.events) for piece in history.pieces([DAY + timedelta(days=n) for n in range(days)]))
    if held != len(events):
        raise SystemExit(f"{held} of {len(events)} events are held")
    return len(service.asked)


def single_day(total: int) -> tuple[int, int]:
    """Requests spent and requests needed for days of a total, over all seeds."""
    used = sum(spent(uneven_day(total, seed=seed, two_fields=seed % 2 == 1), 1, seed) for seed in _SEEDS)
    return used, len(_SEEDS) * math.ceil(total / 1000)


def week(totals: tuple[int, ...]) -> tuple[int, int]:
    """Requests spent and requests needed for a week, over all seeds; each day counts at least one for itself."""
    used = 0
    for seed in _SEEDS:
        events = [
            event
            for n, total in enumerate(totals)
            for event in uneven_day(total, START + n * DAY_MS, seed, two_fields=seed % 2 == 1)
        ]
        used += spent(events, len(totals), seed)
    return used, len(_SEEDS) * sum(max(1, math.ceil(total / 1000)) for total in totals)


def measured(quick: bool) -> Iterator[Ratio]:
    """The ratio over each mix, and of each total."""
    totals, weeks = (TOTALS[:4], WEEKS[:1]) if quick else (TOTALS, WEEKS)
    days = {f"{total} events": single_day(total) for total in totals}
    spans = {f"{sum(counts)} events": week(counts) for counts in weeks}
    for name, counts in (("single days", days), ("days asked as weeks", spans)):
        used, needed = (sum(column) for column in zip(*counts.values(), strict=True))
        figures = {of: spent / least for of, (spent, least) in counts.items()}
        what = f"requests for {name} against the fewest possible"
        yield Ratio(what, used / needed, 1.2, at_most=True, figures=figures)


if __name__ == "__main__":
    main(measured)
