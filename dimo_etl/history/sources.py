"""Every source of history there is, by its name: the one place to add one.

Each has a module, whose `open_source` makes it. It is imported when it is used, so that the settings can look at the
names and load nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from dimo_etl.api.transport import Transport
    from dimo_etl.config import Settings
    from dimo_etl.history.source import Source

SOURCES = {
    "device-data": "dimo_etl.history.device_data",
    "fetch": "dimo_etl.history.cloud_events",
    "telemetry": "dimo_etl.history.telemetry",
}


def open_source(transport: Transport, settings: Settings, granted: Mapping[int, frozenset[int]]) -> Source:
    """The source that the settings name.

    Args:
        transport: sends the requests.
        settings: the addresses and the licence.
        granted: privileges known to be granted, by token id; they choose which token is asked for first.
    """
    module = import_module(SOURCES[settings.source])
    return cast("Source", module.open_source(transport, settings, granted))
