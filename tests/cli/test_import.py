"""`dimo-etl import`, and `sql` and `status` over what it brought."""

from __future__ import annotations

import json

from tests import payloads
from tests.payloads import cloud_event, encoded


def test_saved_files_are_there_to_query_at_once(offline):
    documents = [
        cloud_event({"timestamp": f"2026-01-05T10:00:0{n}Z", "odometer": 1000 + n}, id=str(n)) for n in range(3)
    ]
    folder = offline.folder / "exports"
    folder.mkdir()
    (folder / "lines.ndjson").write_bytes(b"\n".join(map(encoded, documents)))
    (folder / "export.json").write_bytes(encoded({"userDeviceId": "x", "data": documents[:2]}))
    told = offline.run("import", folder)
    assert (told.returncode, told.stderr) == (0, "")
    export, lines = told.stdout.splitlines()
    assert "2 documents, 2 new events, 0 repeated" in export
    assert "3 documents, 1 new event, 2 repeated; 1 vehicle, 1 day changed" in lines
    assert offline.answer("SELECT count(*), max(value_number) FROM signals WHERE name = 'odometer'") == ["3,1002.0"]
    status = offline.run("status")
    assert status.stdout.splitlines()[1].split()[:6] == ["4711", "1", "0", "0", "1", "3"]


def test_what_cannot_be_placed_is_told_with_its_reason_and_lies_in_quarantine(offline):
    (offline.folder / "status.json").write_bytes(encoded(payloads.E))
    told = offline.run("import", "status.json")
    assert told.returncode == 0
    assert told.stderr == "status.json: 1 in quarantine: names no vehicle; say which with --vehicle\n"
    assert offline.answer("SELECT reason FROM quarantine") == ["names no vehicle; say which with --vehicle"]


def test_a_status_raw_is_imported_for_the_vehicle_that_is_named(offline):
    (offline.folder / "status.json").write_bytes(encoded(payloads.E))
    assert offline.run("import", "status.json", "--vehicle", "0815").returncode == 0
    rows = offline.answer("SELECT vehicle_id, name, source FROM signals ORDER BY name LIMIT 1")
    assert rows == [f"815,charging,{payloads.AUTOPI}"]


def test_a_partial_response_shows_as_an_incomplete_day_with_both_numbers(offline):
    hits = [{"_id": str(n), "_source": cloud_event({"n": n}, id=str(n))} for n in range(7)]
    response = {"hits": {"total": {"value": 1070, "relation": "eq"}, "hits": hits}, "timed_out": False}
    (offline.folder / "history.json").write_text(json.dumps(response))
    assert offline.run("import", "history.json").returncode == 0
    line = offline.run("status").stdout.splitlines()[-1]
    assert line.split(maxsplit=4) == [
        "2026-01-05",
        "4711",
        "7",
        "1,070",
        "the imported response holds 7 of 1070 events",
    ]
