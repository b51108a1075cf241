"""Each payload generation leaf by leaf: names, types, times and sources."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tests import payloads
from tests.flatten.rows import flattened, rows_of, values_of
from tests.payloads import AUTOPI, GENERATIONS, cloud_event


def typed(rows):
    """Rows that differ where only the type of a value does (True is not 1.0)."""
    return sorted((row.name, type(row.value).__name__, str(row.value), row.timestamp, str(row.source)) for row in rows)


@pytest.mark.parametrize("generation", GENERATIONS)
def test_every_leaf_comes_out_with_its_type_time_and_source(generation):
    document, rows = GENERATIONS[generation]
    assert typed(rows_of(flattened(document))) == typed(rows)


def test_documents_of_all_generations_go_through_together():
    documents = [document | {"id": name} if name != "E" else document for name, (document, _) in GENERATIONS.items()]
    found = flattened(*documents)
    assert not found.quarantined
    assert typed(rows_of(found)) == typed(row for _, rows in GENERATIONS.values() for row in rows)


def test_every_row_knows_its_vehicle_its_event_and_when_it_was_received():
    table = flattened(payloads.A).tables["latitude"]
    (row,) = table.to_pylist()
    assert row["vehicle_id"] == payloads.VEHICLE
    assert row["event_id"] == payloads.A["id"]
    assert row["received_at"] == datetime(2026, 1, 5, 10, 0, 2, 250_000, tzinfo=UTC)


def test_a_document_that_was_never_received_has_no_time_of_receipt():
    (row,) = flattened(payloads.E).tables["odometer"].to_pylist()
    assert row["received_at"] is None


def test_a_name_with_values_of_several_types_keeps_each_in_its_column():
    values = [1, "1", True, None, [1], 2**53 + 1]
    found = flattened(*(cloud_event({"x": value}, id=str(n)) for n, value in enumerate(values)))
    assert [row.value for row in rows_of(found)] == [1.0, "1", True, b"null", b"[1]", b"9007199254740993"]


@pytest.mark.parametrize("values", [[1, True], [False, 0], [None, 1.5], ["1", 1], [True, None], [[], 1]])
def test_a_name_with_values_of_two_types_keeps_both(values):
    found = flattened(*(cloud_event({"x": value}, id=str(n)) for n, value in enumerate(values)))
    wanted = [b"null" if value is None else b"[]" if value == [] else value for value in values]
    assert [(type(row.value) is bool, row.value) for row in rows_of(found)] == [(type(x) is bool, x) for x in wanted]


def test_a_signal_without_a_time_takes_that_of_its_document():
    signals = [{"name": "speed", "value": 7}]
    (row,) = rows_of(flattened(cloud_event({"signals": signals})))
    assert row == ("speed", 7.0, "2026-01-05T10:00:02.250000Z", AUTOPI)


def test_what_else_a_signal_says_is_kept_below_its_name():
    signals = [{"name": "speed", "value": 7, "timestamp": 1767607199010, "unit": "km/h"}]
    rows = rows_of(flattened(cloud_event({"signals": signals})))
    assert ("speed.unit", "km/h", "2026-01-05T09:59:59.010000Z", AUTOPI) in rows


def test_what_is_no_signal_stays_in_its_list_beside_the_signals():
    strange = [5, {"name": 5, "value": 1}, {"name": "x"}, {"name": "y", "value": 1, "timestamp": "soon"}]
    data = {"vehicle": {"signals": [{"name": "speed", "value": 7}, *strange], "battery": 12}}
    assert values_of(cloud_event(data)) == {
        "speed": 7.0,
        "vehicle.signals": b'[5,{"name":5,"value":1},{"name":"x"},{"name":"y","value":1,"timestamp":"soon"}]',
        "vehicle.battery": 12.0,
    }


def test_a_list_without_signals_is_a_leaf():
    assert values_of(cloud_event({"signals": []})) == {"signals": b"[]"}
    assert values_of(cloud_event({"vehicle": {"signals": []}})) == {"vehicle.signals": b"[]"}


def test_signals_that_are_null_are_a_leaf():
    assert values_of(cloud_event({"vehicle": {"signals": None}})) == {"vehicle.signals": b"null"}


def test_a_signal_named_like_a_plain_leaf_stands_beside_it():
    data = {"speed": 1, "signals": [{"name": "speed", "value": 2, "timestamp": 1767607199010}]}
    assert [row.value for row in rows_of(flattened(cloud_event(data)))] == [1.0, 2.0]


def test_a_nested_value_keeps_what_is_not_its_value_time_or_source():
    odometer = {"value": 1, "source": "x", "timestamp": "2026-01-05T08:00:00Z", "unit": "km"}
    strange = {"value": 2, "source": 7, "timestamp": "2026-01-05T08:00:00Z"}
    assert values_of({"odometer": odometer, "speed": strange}) == {
        "odometer": 1.0,
        "odometer.unit": "km",
        "speed": 2.0,
        "speed.source": 7.0,
    }


def test_values_nested_in_part_are_plain_objects():
    data = {"odometer": {"value": 1, "timestamp": "2026-01-05T08:00:00Z"}, "speed": 7}
    assert values_of(cloud_event(data)) == {
        "odometer.value": 1.0,
        "odometer.timestamp": "2026-01-05T08:00:00Z",
        "speed": 7.0,
    }
