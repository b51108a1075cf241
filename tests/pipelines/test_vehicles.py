"""The asset `vehicles`: what it shows of each vehicle, those no longer shared included."""

from __future__ import annotations

import dagster as dg

from tests.pipelines.conftest import HONDA, LEXUS, START, Household


def shown(household: Household) -> tuple[int, list[list[str]]]:
    """How many vehicles are no longer shared, and the cells of the table."""
    result = household.run(START, only=["vehicles"])
    assert result.success
    (made,) = result.asset_materializations_for_node("vehicles")
    gone, table = made.metadata["no_longer_shared"], made.metadata["vehicles"]
    assert isinstance(gone, dg.IntMetadataValue)
    assert isinstance(table, dg.MarkdownMetadataValue)
    lines = (table.md_str or "").splitlines()[2:]
    return gone.value or 0, [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_it_shows_what_each_vehicle_is_and_grants(household: Household) -> None:
    assert shown(household) == (
        0,
        [
            [str(LEXUS), "Lexus", "NX", "2021", "1, 3, 4, 5, 6", "yes"],
            [str(HONDA), "Honda", "Civic", "2012", "1, 4", "yes"],
        ],
    )


def test_a_vehicle_that_is_no_longer_shared_is_shown_as_such(household: Household) -> None:
    granted = household.sandbox.fleet.vehicle(HONDA).granted
    shown(household)
    try:
        household.sandbox.fleet.share(HONDA, frozenset())
        gone, rows = shown(household)
    finally:
        household.sandbox.fleet.share(HONDA, granted)
    assert gone == 1
    assert rows[1] == [str(HONDA), "Honda", "Civic", "2012", "1, 4", "no longer"]
