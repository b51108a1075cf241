"""The definitions of the views: the .sql files, in the order they build on each other, bound to one lake.

Promise: SQL lives in `warehouse/*.sql` and nowhere else; a view's header comment is its only documentation, and is what
`views` and DuckDB's own catalog show. The same lake gives the same statements and the same digest.
"""

from __future__ import annotations

import csv
import glob
import hashlib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

import dimo_etl
from dimo_etl.errors import WarehouseError
from dimo_etl.lake import layout

if TYPE_CHECKING:
    from dimo_etl.lake.bucket import BucketStore

SQL_FOLDER = Path(dimo_etl.__file__).parents[1] / "warehouse"
# Each file may use those before it.
ORDER = (
    "seconds_between",
    "day_in",
    "plausible_step",
    "metres",
    "kilometres",
    "is_sentinel",
    "per_cent",
    "one_of",
    "odometer_names",
    "signals",
    "signal_catalogue",
    "canonical_ratio",
    "ruptela_codes",
    "ruptela",
    "signals_canonical",
    "quarantine",
    "coverage_records",
    "coverage",
    "coverage_history",
    "snapshots",
    "vehicles",
    "latest",
    "latest_canonical",
    "goes_on",
    "is_above",
    "middle_of",
    "is_in_miles",
    "odometer_numbers",
    "odometer_senders",
    "odometer_others",
    "odometer_received",
    "odometer",
    "odometer_days_in",
    "days_in",
    "odometer_daily",
    "distance_daily_in",
    "distance_daily",
    "distance_summed",
    "distance_weekly_in",
    "distance_weekly",
    "distance_monthly_in",
    "distance_monthly",
    "distance_driven",
    "dimo_distances",
    "reconciliation",
    "status",
    "errors",
    "errors_daily",
    "error_episodes",
    "events",
    "telemetry_bounds",
    "trips_by",
    "trips",
    "charges",
    "refuels",
    "wide_between",
    "wide",
    "freshness_at",
    "freshness",
    "signal_profile",
)
_VEHICLES = {
    "vehicle_id": "VARCHAR",
    "token_id": "BIGINT",
    "user_device_id": "VARCHAR",
    "make": "VARCHAR",
    "model": "VARCHAR",
    "year": "INTEGER",
    "permissions": "INTEGER[]",
    "shared_now": "BOOLEAN",
    "first_shared": "TIMESTAMPTZ",
    "last_shared": "TIMESTAMPTZ",
}
_QUARANTINE = {
    "vehicle_id": "VARCHAR",
    "date": "DATE",
    "event_id": "VARCHAR",
    "reason": "VARCHAR",
    "origin": "VARCHAR",
    "payload": "BLOB",
}
_SNAPSHOTS = {
    "vehicle_id": "VARCHAR",
    "seen_at": "TIMESTAMPTZ",
    "endpoint": "VARCHAR",
    "signals": "INTEGER",
    "new_signals": "INTEGER",
    "newest_at": "TIMESTAMPTZ",
    "payload": "BLOB",
    "date": "DATE",
}
_DISTANCES = {
    "vehicle_id": "VARCHAR",
    "asked_at": "TIMESTAMPTZ",
    "time_zone": "VARCHAR",
    "date": "DATE",
    "dimo_km": "DOUBLE",
    "said_by": "VARCHAR",
    "drives": "INTEGER",
    "driving_s": "BIGINT",
}
_FOOTERS = {"file_name": "BLOB", "key": "BLOB", "value": "BLOB"}
_PLACE = re.compile(r"\$\{(\w+)\}")
_COLUMN = re.compile(r"  (\w+) {2,}(\S.*)")


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a view and its meaning, units included."""

    name: str
    description: str


@dataclass(frozen=True, slots=True)
class View:
    """A view or a table macro, as its header comment describes it.

    Attributes:
        name: as used in SQL.
        description: what a row is.
        columns: in order.
        example: how to ask for its rows; for a macro, with arguments.
        remarks: what else the header says: rules, reasons, sources.
        header: the whole header comment, rules and sources included.
    """

    name: str
    description: str
    columns: tuple[Column, ...]
    example: str
    remarks: tuple[str, ...]
    header: str


@cache
def views() -> tuple[View, ...]:
    """The views and table macros there are to query, in the order they build on each other."""
    described = (_describe(name, _text(name)) for name in ORDER)
    return tuple(view for view in described if view.columns)


def statements(root: Path | BucketStore, names: Sequence[str] = ORDER) -> list[str]:
    """The statements that define views over the lake at `root`, comments for the catalog included.

    Args:
        root: the warehouse's folder, absolute; any name is safe, quotes and glob characters too. Or its bucket.
        names: views and macros, each after those it uses.
    """
    bindings = _bindings(root)
    made = []
    for name in names:
        text = _text(name)
        made.append(_PLACE.sub(lambda place: bindings[place[1]], text))
        if "\nCREATE VIEW " in text:
            made.append(f"COMMENT ON VIEW {name} IS {quoted(_describe(name, text).header)}")
    return made


def digest(defining: list[str]) -> str:
    """What tells one set of definitions from another: a hash of the statements and of DuckDB's version."""
    return hashlib.sha256("\0".join([version("duckdb"), *defining]).encode()).hexdigest()


def quoted(text: str) -> str:
    """A text as an SQL string literal."""
    return "'" + text.replace("'", "''") + "'"


def _text(name: str) -> str:
    return (SQL_FOLDER / f"{name}.sql").read_text(encoding="utf-8")


def _bindings(root: Path | BucketStore) -> Mapping[str, str]:
    """What stands for the files: a scan where there are any, an empty relation with their columns where not."""
    escaped = glob.escape(str(root)) if isinstance(root, Path) else root.root
    days = quoted(f"{escaped}/signals/date=*/signals.parquet")
    refused = quoted(f"{escaped}/quarantine/date=*/*.parquet")
    shown = quoted(f"{escaped}/snapshots/date=*/*.parquet")
    listed = quoted(f"{escaped}/{layout.VEHICLES}")
    said = quoted(f"{escaped}/{layout.DISTANCES}/asked=*/*.parquet")
    by_day = "hive_partitioning = true, hive_types = {'date': DATE}"
    if _any_day(root, "signals"):
        signals, footers = f"read_parquet({days}, {by_day})", f"parquet_kv_metadata({days})"
    else:
        signals, footers = _empty(_signals_columns()), _empty(_FOOTERS)
    vehicles = _empty(_VEHICLES)
    if (root / layout.VEHICLES).is_file() if isinstance(root, Path) else root.exists(layout.VEHICLES):
        vehicles = _widened(f"read_parquet({listed})", _VEHICLES)
    distances = _empty(_DISTANCES)
    if _any_day(root, layout.DISTANCES, "asked"):
        distances = _widened(f"read_parquet({said}, hive_partitioning = false, union_by_name = true)", _DISTANCES)
    return {
        "vehicles": vehicles,
        "signals": signals,
        "footers": footers,
        "quarantine": f"read_parquet({refused}, {by_day})" if _any_day(root, "quarantine") else _empty(_QUARANTINE),
        "snapshots": f"read_parquet({shown}, {by_day})" if _any_day(root, "snapshots") else _empty(_SNAPSHOTS),
        "distances": distances,
        "catalogue": _catalogue(),
    }


def _catalogue() -> str:
    """The signal catalogue as one constant: DuckDB reads a JSON text much faster than as many constants."""
    with (SQL_FOLDER / "signal_catalogue.csv").open(encoding="utf-8", newline="") as file:
        return quoted(orjson.dumps(list(csv.DictReader(file))).decode())


def _any_day(root: Path | BucketStore, name: str, key: str = "date") -> bool:
    """Whether a glob over the days of a folder would match; it stops at the first, however many there are."""
    if not isinstance(root, Path):
        days = (f"{name}/{day}" for day in root.names(name) if day.startswith(f"{key}="))
        return any(file.endswith(".parquet") for day in days for file in root.names(day))
    folder = root / name
    try:
        with os.scandir(folder) as found:
            return any(
                any(Path(day.path).glob("*.parquet"))
                for day in found
                if day.name.startswith(f"{key}=") and day.is_dir()
            )
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise WarehouseError(f"The folder {folder} cannot be read ({error.strerror}); allow reading it.") from error


def _empty(columns: Mapping[str, str]) -> str:
    return "(SELECT " + ", ".join(f"NULL::{kind} AS {name}" for name, kind in columns.items()) + " WHERE false)"


def _widened(relation: str, columns: Mapping[str, str]) -> str:
    """A relation with nulls for the columns it lacks: the file may have been written before there was more to know."""
    return f"(FROM {_empty(columns)} UNION ALL BY NAME FROM {relation})"


def _signals_columns() -> dict[str, str]:
    from dimo_etl.schema import SIGNALS

    kinds = {"timestamp[us, tz=UTC]": "TIMESTAMPTZ", "double": "DOUBLE", "bool": "BOOLEAN"}
    return {field.name: kinds.get(str(field.type), "VARCHAR") for field in SIGNALS} | {"date": "DATE"}


def _describe(name: str, text: str) -> View:
    lines = []
    for line in text.splitlines():
        if not line.startswith("--"):
            break
        lines.append(line.removeprefix("--").removeprefix(" "))
    header = "\n".join(lines)
    summary, *paragraphs = re.split(r"\n\s*\n", header)
    sections = {title: body for title, _, body in (part.partition("\n") for part in paragraphs)}
    return View(
        name=name,
        description=" ".join(summary.split(": ", 1)[1].split()),
        columns=tuple(_columns(sections.get("Columns", ""))),
        example=sections.get("Example", f"FROM {name}").strip(),
        remarks=tuple(part for part in paragraphs if part.partition("\n")[0] not in ("Columns", "Example")),
        header=header,
    )


def _columns(section: str) -> Iterator[Column]:
    """The columns a section names: each has a line of its own, and further lines are indented below its description."""
    lines = [line for line in section.splitlines() if line.strip()]
    while lines:
        match = _COLUMN.fullmatch(lines.pop(0))
        if match:
            described = [match[2]]
            while lines and not _COLUMN.fullmatch(lines[0]):
                described.append(lines.pop(0).strip())
            yield Column(match[1], " ".join(described))
