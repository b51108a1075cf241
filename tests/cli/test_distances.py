"""`dimo-etl distances`: brought beside ours, told where they are not to be had."""

from __future__ import annotations

import pytest

LEXUS, HONDA = "5023", "7345"
ANALYTICS = "/device-data-api/v2"


@pytest.fixture
def household(user):
    user.environ["DIMO_VEHICLES"] = f"{LEXUS},{HONDA}"
    return user


def test_distances_are_brought_once_an_hour_and_there_to_reconcile(household):
    told = household.run("distances")
    assert (told.returncode, told.stderr) == (0, "")
    assert told.stdout.startswith("2 vehicles asked about, 0 within the hour, 0 not shared, ")
    assert household.answer("SELECT vehicle_id FROM reconciliation WHERE date IS NULL ORDER BY 1") == [LEXUS, HONDA]
    assert household.run("distances").stdout.startswith(
        "0 vehicles asked about, 2 within the hour, 0 not shared, 0 requests"
    )


@pytest.mark.parametrize(("refused", "code"), [((LEXUS,), 3), ((LEXUS, HONDA), 1)])
def test_a_vehicle_whose_distances_are_refused_is_named(household, sandbox, refused, code):
    for vehicle in refused:
        sandbox.faults.answer(403, at=f"{ANALYTICS}/vehicle/{vehicle}")
    told = household.run("distances")
    assert told.returncode == code
    assert [line.split(":")[0] for line in told.stderr.splitlines()] == [f"Vehicle {vehicle}" for vehicle in refused]
