"""The asset checks: green on what is right, red on what is not."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import dagster as dg
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.build import build_defs
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


def test_the_checks_pass_on_days_that_are_complete(household: Household) -> None:
    found = evaluations(household.run(MONDAY, WEDNESDAY))
    assert found["complete"].passed
    assert found["unique"].passed


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
    assert evaluations(result)["unique"].description == f"{TUESDAY}: vehicle {HONDA} has 1 events twice"
    assert not result.success, "the check blocks what comes after"


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
