"""Where things lie in the warehouse: the one place that knows the names of its files."""

from __future__ import annotations

from datetime import date
from urllib.parse import quote, unquote

VEHICLES = "vehicles.parquet"
DISTANCES = "distances"
REPORT = "report.html"


def raw_folder(day: date) -> str:
    """The folder of a day's raw units, one file a vehicle."""
    return f"raw/date={day.isoformat()}"


def raw_file(vehicle_id: str, day: date) -> str:
    """The raw unit of a vehicle-day; the id is quoted so that no id can leave the folder."""
    return f"{raw_folder(day)}/{vehicle_file_name(vehicle_id)}"


def vehicle_file_name(vehicle_id: str) -> str:
    """The name of a vehicle's files in their folders; none is hidden, as names that begin with a dot are."""
    name = quote(vehicle_id, safe="")
    return f"{'%2E' + name[1:] if name.startswith('.') else name}.parquet"


def vehicle_of_raw_file(base_name: str) -> str:
    """The vehicle a raw unit's file name stands for."""
    return unquote(base_name.removesuffix(".parquet"))


def signals_file(day: date) -> str:
    """The signals of a day, all vehicles in one file."""
    return f"signals/date={day.isoformat()}/signals.parquet"


def quarantine_file(day: date) -> str:
    """What could not be understood of a day's events."""
    return f"quarantine/date={day.isoformat()}/quarantine.parquet"


def undated_quarantine_file(digest: str) -> str:
    """Imported documents that belong to no day or vehicle, named by their content."""
    return f"quarantine/date=__HIVE_DEFAULT_PARTITION__/{digest}.parquet"


def snapshots_file(vehicle_id: str, day: date) -> str:
    """What the status routes showed of a vehicle on the UTC day they were asked."""
    return f"snapshots/date={day.isoformat()}/{vehicle_file_name(vehicle_id)}"


def day_of_folder(base_name: str) -> date | None:
    """The day a `date=…` folder stands for; None for any other folder."""
    key, _, text = base_name.partition("=")
    try:
        return date.fromisoformat(text) if key == "date" else None
    except ValueError:
        return None


def distances_file(asked: date) -> str:
    """What DIMO said of distances on a UTC day, of all vehicles."""
    return f"{DISTANCES}/asked={asked.isoformat()}/distances.parquet"
