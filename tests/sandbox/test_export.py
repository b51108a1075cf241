"""The export file: everything of a device, as Go writes it, behind a link that is good for a day."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from dimo_etl.model import days_between
from dimo_etl.sandbox.document import Document
from dimo_etl.sandbox.export import as_go_writes, as_written
from dimo_etl.sandbox.server import SandboxServer
from tests.sandbox.conftest import SMARTCAR, TODAY, Caller


@pytest.fixture
def short(clock):
    """A sandbox with three days of documents, and the link of an export of its Smartcar."""
    with SandboxServer(port=0, today=TODAY, clock=clock, history_days=3) as sandbox:
        caller = Caller(sandbox)
        device = sandbox.fleet.vehicle(SMARTCAR).user_device_id
        path = f"{caller.settings.device_data_url}/v1/user/device-data/{device}/export/json/email"
        caller.http.post(path, headers={"Authorization": f"Bearer {caller.developer_token()}"})
        yield sandbox, caller
        caller.close()


def everything(sandbox):
    days = days_between(TODAY - timedelta(days=3), TODAY)
    return [event for day in days for event in sandbox.fleet.events(SMARTCAR, day)]


def test_the_file_holds_every_document_ascending_also_those_history_skips(short):
    sandbox, caller = short
    answer = caller.http.get(sandbox.exports.mailed[0])
    export = answer.json()
    assert list(export) == ["userDeviceId", "requestTimestamp", "data"]
    assert export["userDeviceId"] == sandbox.fleet.vehicle(SMARTCAR).user_device_id
    assert export["data"] == everything(sandbox)


@pytest.mark.parametrize("change", [-1, 1])
def test_a_full_last_page_leaves_a_comma_too_many(short, change):
    sandbox, caller = short
    sandbox.exports.page_size = len(everything(sandbox))
    text = caller.http.get(sandbox.exports.mailed[0]).text
    assert text.endswith("},]}")
    sandbox.exports.page_size += change
    assert len(caller.http.get(sandbox.exports.mailed[0]).json()["data"]) == len(everything(sandbox))


def test_a_link_is_good_for_a_day_and_only_with_its_signature(short, clock):
    sandbox, caller = short
    (link,) = sandbox.exports.mailed
    assert caller.http.get(link.partition("?")[0]).status_code == 403
    assert caller.http.get(link[:-1]).status_code == 403
    clock.pass_by(86_390)
    assert caller.http.get(link).status_code == 200
    clock.pass_by(20)
    assert caller.http.get(link).status_code == 403


def test_documents_that_share_the_time_of_a_page_end_are_lost():
    documents = [Document(str(n), ms, ms, 1, 0.0, b'{"id":%d}' % n) for n, ms in enumerate([1, 2, 2, 2, 3])]
    assert b"".join(as_written(documents, 2)) == b'{"id":0},{"id":1},{"id":4}'
    assert b"".join(as_written(documents, 3)) == b'{"id":0},{"id":1},{"id":2},{"id":4}'


def test_go_sorts_keys_escapes_markup_and_rounds_to_float64():
    written = as_go_writes('{"b":"<é&>","a":9007199254740993,"c":1.5}'.encode())
    assert written == '{"a":9007199254740992,"b":"\\u003cé\\u0026\\u003e","c":1.5}'.encode()
    assert json.loads(written)["b"] == "<é&>"
