"""Every source of history there is, by its name: the one place to add one.

Each has a module, whose `open_source` makes it. It is named here and imported where it is used, so that the settings
can look at the names and load nothing.
"""

from __future__ import annotations

SOURCES = {
    "device-data": "dimo_etl.history.device_data",
    "fetch": "dimo_etl.history.cloud_events",
    "telemetry": "dimo_etl.history.telemetry",
}
