"""What is kept of the views' columns is what DuckDB says of them."""

from __future__ import annotations

from dimo_etl.warehouse import views
from dimo_etl.warehouse.columns import FILE, Source, column_sources, column_types
from tests.warehouse import asked_columns


def test_what_is_kept_is_what_duckdb_says_now() -> None:
    assert FILE.read_text(encoding="utf-8") == asked_columns.written(), "`make columns` asks anew"


def test_a_column_is_made_from_the_columns_it_is_computed_from() -> None:
    found = column_sources()
    assert found["odometer_daily"]["first_km"] == (Source("odometer", "odometer_km"),)
    assert found["latest"]["value_string"] == (Source("signals", "value_string"),)
    assert Source("signals", "value_string") in found["errors"]["error_code"]


def test_every_column_of_every_view_has_an_entry_and_every_source_is_a_column_that_is_described() -> None:
    described = {view.name: [column.name for column in view.columns] for view in views()}
    assert {name: list(columns) for name, columns in column_types().items()} == described
    for columns in column_sources().values():
        for sources in columns.values():
            assert all(source.column in described[source.view] for source in sources)
