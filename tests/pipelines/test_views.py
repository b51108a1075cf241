"""The asset `vehicles` and the view assets."""

from __future__ import annotations

from datetime import date

import dagster as dg
import pytest

from dimo_etl.warehouse import Warehouse
from pipelines.assets.views import VIEWS, answers
from tests.pipelines.conftest import HONDA, LEXUS, Household

DAY = date(2025, 6, 9)


def test_every_view_asset_is_a_view_that_answers(household: Household) -> None:
    household.run(DAY)
    household.answer()
    with Warehouse.open(household.root) as warehouse:
        for view in VIEWS:
            assert household.instance.get_latest_materialization_event(dg.AssetKey(view.name)) is not None
            warehouse.execute(view.example).fetchall()


def test_views_can_be_published_one_by_one(household: Household) -> None:
    result = household.answer(only=["odometer"])
    assert [found.asset_key.to_user_string() for found in result.asset_materializations_for_node("views")] == [
        "odometer"
    ]


def test_views_are_replaced_only_when_they_changed(household: Household) -> None:
    household.run(DAY)
    household.answer(only=["odometer"])
    database = household.root / "dimo.duckdb"
    before = database.stat()
    household.run(DAY, refresh=True)
    household.answer(only=["odometer"])
    assert (database.stat().st_ino, database.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_day_that_fails_turns_no_view_red(household: Household) -> None:
    household.sandbox.faults.break_day(LEXUS, DAY)
    failed = household.run(DAY)
    assert not failed.success
    planned = household.instance.all_logs(failed.run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED)
    assert {one.dagster_event.asset_key.to_user_string() for one in planned} == {"vehicles", "raw_history", "signals"}
    assert household.answer(only=["odometer"]).success


def test_vehicles_are_remembered_with_what_identity_tells(household: Household) -> None:
    household.run(DAY, only=["vehicles"])
    with Warehouse.open(household.root) as warehouse:
        found = warehouse.execute("SELECT token_id, make FROM vehicles ORDER BY ALL").fetchall()
    assert found == [(LEXUS, "Lexus"), (HONDA, "Honda")]


@pytest.mark.parametrize(
    ("name", "types"),
    [
        ("odometer", {"vehicle_id": "varchar", "odometer_km": "double", "is_valid": "boolean"}),
        ("distance_daily_in", {"date": "date", "distance_km": "double"}),  # a table macro
    ],
)
def test_the_columns_of_a_view_have_their_types_and_the_text_of_its_header(
    household: Household, name: str, types: dict[str, str]
) -> None:
    household.answer(only=[name])
    record = household.instance.get_latest_materialization_event(dg.AssetKey(name))
    columns = record.asset_materialization.metadata["dagster/column_schema"].schema.columns
    assert types.items() <= {(column.name, column.type) for column in columns}
    (view,) = [view for view in VIEWS if view.name == name]
    assert [(column.name, column.description) for column in columns] == [
        (column.name, column.description) for column in view.columns
    ]
    description = answers.specs_by_key[dg.AssetKey(name)].description
    assert view.description in description and view.example in description
    assert all(remark in description for remark in view.remarks)
