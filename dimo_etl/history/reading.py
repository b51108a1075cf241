"""A draw, read: which documents it brought, when they were measured, and how they were preferred."""

from __future__ import annotations

from dataclasses import dataclass

from dimo_etl.api.device_data import Draw
from dimo_etl.events import read_events
from dimo_etl.model import Event, Window

# Of the events with both fields the service leaves out an odometer that is not valid, which is rare.
_MASKED = 0.05


@dataclass(frozen=True, slots=True)
class Reading:
    """A draw, read.

    Attributes:
        window: that was drawn.
        total: events the service counts in it.
        exact: whether that is the number; if not, there are at least so many.
        documents: by (index, id).
        ones: times of those with one of odometer and latitude, ascending, milliseconds.
        twos: of those with both.
        worst: the lowest score; None where the service gives none that can be believed.
        undated: whether one tells no time.
        strays: how many came from outside the window.
    """

    window: Window
    total: int
    exact: bool
    documents: dict[tuple[str, str], Event]
    ones: list[int]
    twos: list[int]
    worst: float | None
    undated: bool
    strays: int

    @property
    def proved(self) -> bool:
        """Whether the draw holds all there is in its window."""
        return self.exact and len(self.documents) == self.total and not self.strays


def read_draw(draw: Draw) -> Reading:
    """Read a draw."""
    documents: dict[tuple[str, str], Event] = {}
    ones: list[int] = []
    twos: list[int] = []
    undated, strays, masked = False, 0, 0
    events = read_events([hit.source for hit in draw.hits], [hit.doc_id for hit in draw.hits])
    for hit, event in zip(draw.hits, events, strict=True):
        key = (hit.index, hit.doc_id)
        if key in documents:
            continue
        if event.timestamp_us is None:
            undated = True
        elif draw.window.start_ms <= event.timestamp_us // 1000 <= draw.window.end_ms:
            shows_both = b'"odometer"' in hit.source and b'"latitude"' in hit.source
            has_both = shows_both or (hit.score is not None and hit.score > 1)
            (twos if has_both else ones).append(event.timestamp_us // 1000)
            masked += has_both and not shows_both
        else:
            strays += 1
            continue
        documents[key] = event
    # Where a privilege is lacking the fields are left out, and the scores do not go with what is seen.
    worst = _worst_score(draw) if masked <= _MASKED * len(documents) else None
    return Reading(draw.window, draw.total, draw.exact, documents, sorted(ones), sorted(twos), worst, undated, strays)


def _worst_score(draw: Draw) -> float | None:
    """The lowest score, where every event has one that a random number times one or two can be."""
    scores = [hit.score for hit in draw.hits]
    given = [score for score in scores if score is not None and 0 < score < 2]
    return min(given) if given and len(given) == len(scores) else None
