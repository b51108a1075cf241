"""`dimo-etl snapshot`, as a program against the sandbox."""

from __future__ import annotations

LEXUS, HONDA, NOT_SHARED = "5023", "7345", "9001"


def test_the_newest_values_are_there_to_query_and_again_nothing_new(user):
    first, again = (user.run("snapshot", "--vehicle", LEXUS, DIMO_VEHICLES="") for _ in range(2))
    assert (first.returncode, first.stderr) == (0, "")
    assert first.stdout.startswith("1 of 1 vehicles seen, ")
    assert ", 0 new, " in again.stdout
    odometer = "SELECT count(*) FROM latest WHERE name = 'odometer'"
    assert user.answer(odometer) == ["1"]
    assert user.answer("SELECT count(*) FROM snapshots") == ["6"]


def test_a_vehicle_that_shares_no_status_ends_with_3_and_is_named_while_the_others_are_there(user):
    told = user.run("snapshot", DIMO_VEHICLES=f"{HONDA},{NOT_SHARED}")
    assert told.returncode == 3
    assert told.stdout.startswith("1 of 2 vehicles seen, ")
    assert told.stderr.startswith(f"Vehicle {NOT_SHARED}, refused: Vehicle {NOT_SHARED} does not share its status")
    assert told.stderr.count("\n") == 1


def test_where_nothing_is_shared_it_ends_with_1(user):
    assert user.run("snapshot", DIMO_VEHICLES=NOT_SHARED).returncode == 1
