"""Whatever a vehicle or a service says, on the pages of Dagster it stays a text."""

from __future__ import annotations

import json
import re
from datetime import UTC, date, datetime

import dagster as dg

from dimo_etl.importing.load import import_file
from dimo_etl.lake.store import Store
from tests.hostile import HOSTILE
from tests.payloads import cloud_event
from tests.pipelines.conftest import Household

DAY = date(2025, 6, 9)


def test_no_text_is_markup_a_link_a_picture_or_a_control_character(household: Household, tmp_path) -> None:
    stamp = f"{DAY}T10:00:00Z"
    texts = [text for text in HOSTILE.values() if text]
    events = [
        cloud_event({"timestamp": stamp, text: text, "odometer": n}, id=f"{n} {text}", source=text, subject=text)
        for n, text in enumerate(texts)
    ]
    file = tmp_path / "events.ndjson"
    file.write_text("\n".join(map(json.dumps, events)))
    with Store(str(household.root)) as store:
        now = datetime.now(UTC)
        import_file(store, file, called="x", vehicle_id=None, known_as=str, now=now, progress=lambda _: None)
    done = household.run(DAY, only=["signals"])
    assert done.success
    [event] = done.get_asset_materialization_events()
    pages = {
        name: value.value
        for name, value in event.materialization.metadata.items()
        if isinstance(value, dg.MarkdownMetadataValue)
    }
    assert {"preview", "picture"} <= set(pages)
    for name, page in pages.items():
        shown = page if name != "picture" else page.partition("(")[0]
        assert {char for char in shown if not char.isprintable()} <= {"\n"}
        assert not re.search(r"(?<!\\)<|(?<!\\)\]\(|(?<!\\)`", shown), name
    rows = pages["preview"].splitlines()[2:]
    assert all(len(re.findall(r"(?<!\\)\|", row)) == 6 for row in rows)
