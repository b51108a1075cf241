"""What the page of a day shows: numbers that Dagster plots over the days, a preview, and a small picture.

Belongs here: how figures are named and drawn. Where they come from is in `dimo_etl`.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import dagster as dg

from dimo_etl.batch import DayFetched
from dimo_etl.history.fetch import Outcome
from dimo_etl.lake import layout
from dimo_etl.lake.store import Store
from dimo_etl.warehouse.excerpt import Excerpt
from pipelines.markdown import table
from pipelines.picture import Bars, picture

if TYPE_CHECKING:
    import duckdb

Metadata = dict[str, dg.MetadataValue]
SEEN_VIEWS = ("signals", "distance_daily", "errors_daily")
_PREVIEW_ROWS = 20


def raw_metadata(store: Store, day: DayFetched) -> Metadata:
    """Of a day of `raw_history`.

    The seconds are those of its vehicles together, several of which are brought at once.
    """
    records = [done.coverage for done in day.vehicle_days]
    asked = [done for done in day.vehicle_days if done.outcome is not Outcome.ALREADY_COMPLETE]
    folder = layout.raw_folder(day.day)
    rows = [
        (one.vehicle_id, one.expected_events, one.fetched_events, one.complete, one.requests, one.reason)
        for one in sorted(records, key=lambda record: (record.complete is True, record.vehicle_id))
    ]
    return {
        "events": dg.MetadataValue.int(sum(record.fetched_events for record in records)),
        "vehicles_complete": dg.MetadataValue.int(day.count(Outcome.COMPLETE, Outcome.ALREADY_COMPLETE)),
        "vehicles_incomplete": dg.MetadataValue.int(day.count(Outcome.INCOMPLETE, Outcome.REFUSED, Outcome.FAILED)),
        "bytes": dg.MetadataValue.int(store.size_of(folder)),
        "requests": dg.MetadataValue.int(sum(done.coverage.requests for done in asked)),
        "retries": dg.MetadataValue.int(sum(done.retries for done in asked)),
        "seconds_fetching": dg.MetadataValue.float(round(sum((done.seconds for done in asked), 0.0), 3)),
        "folder": dg.MetadataValue.path(f"{store.root}/{folder}"),
        "by_vehicle": dg.MetadataValue.md(
            table(("vehicle", "expected", "held", "complete", "requests", "why not"), rows)
        ),
    }


def signals_metadata(store: Store, day: DayFetched, *, report: bool) -> Metadata:
    """Of a day of `signals`; with a link to the report, where there is one."""
    written = day.written
    records = written.coverage if written else ()
    return {
        "dagster/partition_row_count": dg.MetadataValue.int(written.rows if written else 0),
        "bytes": dg.MetadataValue.int(written.size_bytes if written else 0),
        "events": dg.MetadataValue.int(sum(record.kept_events for record in records)),
        "vehicles": dg.MetadataValue.int(len(records)),
        "vehicles_incomplete": dg.MetadataValue.int(sum(record.complete is False for record in records)),
        "quarantined": dg.MetadataValue.int(sum(record.quarantined_events for record in records)),
        "rewritten": dg.MetadataValue.bool(written.rewritten if written else False),
        "seconds_flattening": dg.MetadataValue.float(round(day.flattening_s, 3)),
        "file": dg.MetadataValue.path(f"{store.root}/{layout.signals_file(day.day)}"),
        **({"report": dg.MetadataValue.path(f"{store.root}/{layout.REPORT}")} if report else {}),
    }


def seen_metadata(excerpt: Excerpt, day: date) -> Metadata:
    """What a day's values look like: distances and errors in a picture and in sums, and some names.

    A distance is what was driven between the readings of this day, so that a look at a day costs the same however
    much the warehouse holds, and shows the same whatever days are done with it.
    """
    bars, rows = excerpt.ask([day], _seen)
    if not bars and not rows:
        return {}
    return {
        "km": dg.MetadataValue.float(round(sum(one.km or 0.0 for one in bars), 1)),
        "errors": dg.MetadataValue.int(sum(one.errors for one in bars)),
        "picture": dg.MetadataValue.md(picture(bars)),
        "preview": dg.MetadataValue.md(table(("name", "rows", "vehicles", "newest at", "newest value"), rows)),
    }


def _seen(session: duckdb.DuckDBPyConnection) -> tuple[list[Bars], list[tuple[object, ...]]]:
    """What was driven and what went wrong, a bar a vehicle; and the names with most values."""
    query = (
        "SELECT vehicle_id, distance_km, coalesce(sum(errors), 0)::INTEGER FROM distance_daily "
        "LEFT JOIN errors_daily USING (vehicle_id, date) GROUP BY ALL ORDER BY ALL"
    )
    bars = [Bars(*row) for row in session.execute(query).fetchall()]
    # The pages of Dagster are not the place to tell where somebody was.
    query = (
        "SELECT name, count(*) AS rows, count(DISTINCT vehicle_id), max(timestamp), max_by(coalesce("
        "value_number::VARCHAR, value_string, value_boolean::VARCHAR, value_json), timestamp) FROM signals "
        "WHERE NOT regexp_matches(name, 'latitude|longitude|location|coordinates|vin', 'i') GROUP BY name "
        "ORDER BY rows DESC, name LIMIT ?"
    )
    return bars, session.execute(query, [_PREVIEW_ROWS]).fetchall()
