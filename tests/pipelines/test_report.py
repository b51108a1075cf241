"""The asset `report`: a page in the warehouse, linked from its metadata, made from the views it shows."""

from __future__ import annotations

from datetime import date

import dagster as dg

from pipelines.assets.report import REPORT, report
from tests.pipelines.conftest import Household


def test_the_page_lies_in_the_warehouse_and_the_metadata_lead_to_it(household: Household) -> None:
    page = household.root / "report.html"
    household.run(date(2025, 6, 9))
    assert not page.exists()  # a run of days does not wait for a report
    result = dg.materialize([report], resources={"dimo": household.dimo}, instance=household.instance)
    ((event,),) = [result.asset_materializations_for_node("report")]
    told = {name: value.value for name, value in event.metadata.items()}
    assert told["file"] == str(page)
    assert told["page"] == page.as_uri()
    assert told["bytes"] == page.stat().st_size
    assert (told["vehicles"], told["first_day"], told["last_day"]) == (2, "2025-06-09", "2025-06-09")
    assert "2025-06-09 to 2025-06-09" in page.read_text(encoding="utf-8")
    assert page.stat().st_mode & 0o777 == 0o600


def test_the_report_is_made_from_the_views_it_shows() -> None:
    upstream = {key.to_user_string() for key in report.asset_deps[REPORT]}
    assert upstream >= {"vehicles", "odometer", "distance_daily", "coverage", "trips", "errors_daily", "freshness"}
