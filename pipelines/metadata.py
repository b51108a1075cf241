"""What the page of a day shows: numbers that Dagster plots over the days, a preview, and a small picture.

Belongs here: how figures are named and drawn. Where they come from is in `dimo_etl`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import date

import dagster as dg

from dimo_etl.batch import BatchFetched, DayFetched
from dimo_etl.history.fetch import Outcome
from dimo_etl.lake import layout
from dimo_etl.lake.signals import DayWritten
from dimo_etl.lake.store import Store
from dimo_etl.lake.stores import open_store
from dimo_etl.warehouse.excerpt import excerpt
from pipelines.markdown import table
from pipelines.picture import Bars, picture

Metadata = dict[str, dg.MetadataValue]
_PREVIEW_ROWS = 20


def raw_metadata(store: Store, day: DayFetched, batch: BatchFetched, seconds: float) -> Metadata:
    """Of a day of `raw_history`; what can only be told of the run's days together says so in its name."""
    records = [done.coverage for done in day.vehicle_days]
    asked = [done.coverage for done in day.vehicle_days if done.outcome is not Outcome.ALREADY_COMPLETE]
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
        "requests": dg.MetadataValue.int(sum(record.requests for record in asked)),
        "days_of_run": dg.MetadataValue.int(len(batch.days)),
        "requests_of_run": dg.MetadataValue.int(batch.requests),
        "retries_of_run": dg.MetadataValue.int(batch.retries),
        "seconds_fetching_of_run": dg.MetadataValue.float(round(seconds, 2)),
        "folder": dg.MetadataValue.path(f"{store.root}/{folder}"),
        "by_vehicle": dg.MetadataValue.md(
            table(("vehicle", "expected", "held", "complete", "requests", "why not"), rows)
        ),
    }


def signals_metadata(root: str, day: date, written: DayWritten | None, seconds: float) -> Metadata:
    """Of a day of `signals`."""
    records = written.coverage if written else ()
    return {
        "dagster/partition_row_count": dg.MetadataValue.int(written.rows if written else 0),
        "bytes": dg.MetadataValue.int(written.size_bytes if written else 0),
        "events": dg.MetadataValue.int(sum(record.kept_events for record in records)),
        "vehicles": dg.MetadataValue.int(len(records)),
        "quarantined": dg.MetadataValue.int(sum(record.quarantined_events for record in records)),
        "rewritten": dg.MetadataValue.bool(written.rewritten if written else False),
        "seconds_flattening": dg.MetadataValue.float(round(seconds, 3)),
        "file": dg.MetadataValue.path(f"{root}/{layout.signals_file(day)}"),
        **(
            {"report": dg.MetadataValue.path(f"{root}/{layout.REPORT}")}
            if open_store(root).exists(layout.REPORT)
            else {}
        ),
    }


def seen_metadata(root: str, days: Sequence[date]) -> dict[date, Metadata]:
    """By day, what its values look like: distances and errors in a picture and in sums, and some names.

    A distance is what was driven between the readings of these days, so that a look at a day costs the same however
    much the warehouse holds.
    """
    bars: dict[date, list[Bars]] = defaultdict(list)
    rows: dict[date, list[tuple[object, ...]]] = defaultdict(list)
    with excerpt(root, days) as session:
        query = (
            "SELECT date, vehicle_id, distance_km, coalesce(sum(errors), 0)::INTEGER FROM distance_daily "
            "LEFT JOIN errors_daily USING (vehicle_id, date) GROUP BY ALL ORDER BY ALL"
        )
        for day, vehicle_id, km, errors in session.execute(query).fetchall():
            bars[day].append(Bars(vehicle_id, km, errors))
        # The pages of Dagster are not the place to tell where somebody was.
        query = (
            "SELECT date, name, count(*) AS rows, count(DISTINCT vehicle_id), max(timestamp), max_by(coalesce("
            "value_number::VARCHAR, value_string, value_boolean::VARCHAR, value_json), timestamp) FROM signals "
            "WHERE NOT regexp_matches(name, 'latitude|longitude|location|coordinates|vin', 'i') GROUP BY date, name "
            "QUALIFY row_number() OVER (PARTITION BY date ORDER BY rows DESC, name) <= ?"
        )
        for day, *row in session.execute(query, [_PREVIEW_ROWS]).fetchall():
            rows[day].append(tuple(row))
    heads = ("name", "rows", "vehicles", "newest at", "newest value")
    return {
        day: {
            "km": dg.MetadataValue.float(round(sum(one.km or 0.0 for one in bars[day]), 1)),
            "errors": dg.MetadataValue.int(sum(one.errors for one in bars[day])),
            "picture": dg.MetadataValue.md(picture(bars[day])),
            "preview": dg.MetadataValue.md(table(heads, rows[day])),
        }
        for day in days
        if bars[day] or rows[day]
    }
