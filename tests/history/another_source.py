"""A source of history that the project does not know: what it takes to add one."""

from __future__ import annotations

import json

from dimo_etl.api.exchange import HISTORY
from dimo_etl.api.messages import FETCH
from dimo_etl.events import read_event
from dimo_etl.history.source import Piece
from dimo_etl.model import day_window


def open_source(transport, settings, granted):
    return Another()


class Another:
    """See `Source`; an event a day, at noon."""

    name = "another"
    service = FETCH
    purpose = HISTORY
    supersedes = frozenset({"telemetry"})

    def pieces(self, visit, days):
        for day in days:
            data = {"timestamp": f"{day}T12:00:00Z", "odometer": 1000 + day.toordinal() % 1000}
            event = read_event(json.dumps({"id": f"another-{day}", "time": f"{day}T12:00:01Z", "data": data}).encode())
            yield Piece(day_window(day), (event,), 1, 1)
