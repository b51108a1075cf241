"""The asset checks: green on what is right, red on what is not."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import dagster as dg
import pyarrow as pa
import pyarrow.parquet as pq

from dimo_etl.lake.audit import audit_times
from dimo_etl.lake.store import Store
from pipelines.build import build_defs
from pipelines.checks import broken_promises
from tests.pipelines.conftest import HONDA, LEXUS, Household

MONDAY, TUESDAY, WEDNESDAY = date(2025, 6, 9), date(2025, 6, 10), date(2025, 6, 11)


def evaluations(result: dg.ExecuteInProcessResult) -> dict[str, dg.AssetCheckEvaluation]:
    return {found.check_name: found for found in result.get_asset_check_evaluations()}


def rewrite(file: Path, change) -> None:
    """Change the rows of a day's file by hand, and leave its proof as it is."""
    with pq.ParquetFile(file) as before:
        table, proof = before.read(), before.metadata.metadata
    with pq.ParquetWriter(file, table.schema) as after:
        after.write_table(change(table))
        after.add_key_value_metadata({key: value for key, value in proof.items() if key.startswith(b"dimo_etl.")})


def with_odometers(change):
    """Rows in which each odometer's number is what `change` gives of the numbers."""

    def changed(table: pa.Table) -> pa.Table:
        numbers = table.column("value_number")
        is_odometer = pa.compute.equal(table.column("name").cast(pa.string()), "odometer")
        numbers = pa.compute.if_else(is_odometer, change(numbers), numbers)
        return table.set_column(table.schema.get_field_index("value_number"), "value_number", numbers)

    return changed


def test_the_checks_pass_on_days_that_are_complete(household: Household) -> None:
    found = evaluations(household.run(MONDAY, WEDNESDAY))
    wanted = ("complete", "unique", "columns", "in_their_day", "odometers", "none_left_failed")
    assert {name: found[name].passed for name in wanted} == dict.fromkeys(wanted, True)


def test_a_day_the_service_does_not_give_whole_is_shown_red_with_both_numbers(household: Household) -> None:
    household.sandbox.faults.drop_hits(1_000_000, times=1000)
    result = household.run(TUESDAY, vehicles=[str(LEXUS)])
    found = evaluations(result)["complete"]
    exist = len(household.events_that_exist(TUESDAY, TUESDAY)[LEXUS, TUESDAY])
    assert not found.passed
    assert found.severity is dg.AssetCheckSeverity.ERROR
    assert f"| {LEXUS} | {TUESDAY} | {exist} |" in found.metadata["incomplete"].value
    assert result.success, "what could be had is there, and the check tells the rest"


def test_an_event_that_is_in_a_day_twice_is_found(household: Household) -> None:
    household.run(MONDAY, WEDNESDAY)
    file = household.root / f"signals/date={TUESDAY}/signals.parquet"

    def doubled(table: pa.Table) -> pa.Table:
        event = table.column("event_id")[0]
        return pa.concat_tables([table, table.filter(pa.compute.equal(table.column("event_id"), event))])

    rewrite(file, doubled)
    result = household.run(MONDAY, WEDNESDAY)
    assert not evaluations(result)["unique"].passed
    assert (evaluations(result)["unique"].description or "").startswith(
        f"{TUESDAY}: vehicle {HONDA} has 1 events twice; remove the file"
    )
    assert not result.success
    assert broken_promises(household.instance) == ["unique"], "the views wait for it"


def test_an_event_that_is_lost_from_a_day_is_found(household: Household) -> None:
    household.run(MONDAY)

    def without_one(table: pa.Table) -> pa.Table:
        event = table.column("event_id")[0]
        return table.filter(pa.compute.not_equal(table.column("event_id"), event))

    rewrite(household.root / f"signals/date={MONDAY}/signals.parquet", without_one)
    assert not evaluations(household.run(MONDAY))["unique"].passed


def test_a_check_started_by_itself_looks_at_every_day_that_is_held(household: Household) -> None:
    household.run(MONDAY, WEDNESDAY)
    only_checks = dg.define_asset_job("only_checks", selection=dg.AssetSelection.all_asset_checks())
    defs = dg.Definitions.merge(build_defs(household.dimo), dg.Definitions(jobs=[only_checks]))
    result = defs.resolve_job_def("only_checks").execute_in_process(instance=household.instance)
    found = evaluations(result)
    assert [found[name].metadata["days"].value for name in ("complete", "unique")] == [3, 3]


def test_a_column_of_another_type_is_found(household: Household) -> None:
    household.run(MONDAY)

    def with_text_times(table: pa.Table) -> pa.Table:
        column = table.column("timestamp").cast(pa.string())
        return table.set_column(table.schema.get_field_index("timestamp"), "timestamp", column)

    file = household.root / f"signals/date={MONDAY}/signals.parquet"
    with pq.ParquetFile(file) as before:
        table, proof = before.read(), before.metadata.metadata
    changed = with_text_times(table)
    with pq.ParquetWriter(file, changed.schema) as after:
        after.write_table(changed)
        after.add_key_value_metadata({key: value for key, value in proof.items() if key.startswith(b"dimo_etl.")})
    result = household.run(MONDAY)
    found = evaluations(result)["columns"]
    assert not found.passed
    assert f"{MONDAY}: the column timestamp is string instead of timestamp[us, tz=UTC]" in (found.description or "")


def test_a_file_that_lies_in_the_folder_of_another_day_is_found(household: Household) -> None:
    household.run(MONDAY, TUESDAY)
    ours, others = (household.root / f"signals/date={day}/signals.parquet" for day in (MONDAY, TUESDAY))
    ours.write_bytes(others.read_bytes())
    with Store(str(household.root)) as store:
        assert audit_times(store, TUESDAY) == []
        assert len(audit_times(store, MONDAY)) == 2


def test_an_odometer_nobody_can_believe_warns_and_stops_nothing(household: Household) -> None:
    household.run(MONDAY)
    rewrite(household.root / f"signals/date={MONDAY}/signals.parquet", with_odometers(lambda _: 65538.0))
    result = household.run(MONDAY)
    found = evaluations(result)["odometers"]
    assert not found.passed
    assert found.severity is dg.AssetCheckSeverity.WARN
    assert "| sentinel |" in found.metadata["odd"].value
    assert result.success


def test_an_odometer_that_was_swapped_warns_on_the_day_it_was(household: Household) -> None:
    household.run(MONDAY, WEDNESDAY)
    halved = with_odometers(lambda numbers: pa.compute.divide(numbers, 2.0))
    for day in (TUESDAY, WEDNESDAY):
        rewrite(household.root / f"signals/date={day}/signals.parquet", halved)
    odd = evaluations(household.run(MONDAY, WEDNESDAY))["odometers"].metadata["odd"].value
    rows = [[cell.strip() for cell in row.split("|")[1:-1]] for row in odd.splitlines()[2:]]
    # The Honda was read once that day.
    assert [(vehicle, day, resets, reasons) for vehicle, day, _, _, resets, reasons in rows] == [
        (str(LEXUS), str(TUESDAY), "1", ""),
        (str(HONDA), str(TUESDAY), "0", "step_back"),
    ]


def test_a_vehicle_that_shares_no_history_warns_and_one_that_lacks_events_is_an_error(household: Household) -> None:
    granted = household.sandbox.fleet.vehicle(HONDA).granted
    try:
        household.sandbox.fleet.share(HONDA, frozenset())
        not_shared = evaluations(household.run(MONDAY))["complete"]
        household.sandbox.faults.drop_hits(1_000_000, times=1000)
        lacking = evaluations(household.run(TUESDAY))["complete"]
    finally:
        household.sandbox.fleet.share(HONDA, granted)
    assert not not_shared.passed
    assert not_shared.severity is dg.AssetCheckSeverity.WARN
    assert "ask the owners" in (not_shared.description or "")
    assert lacking.severity is dg.AssetCheckSeverity.ERROR
