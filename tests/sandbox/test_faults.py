"""What goes wrong on purpose."""

import time

import httpx
import pytest

from tests.sandbox.conftest import BUSY_DAY, SMARTCAR, TODAY, V2


def day(caller, token_id=V2, of=BUSY_DAY):
    return caller.history(token_id, of, of)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_the_next_requests_are_answered_with_an_error(caller, sandbox, status):
    caller.vehicle_token(V2, 1, 4)
    sandbox.faults.answer(status, times=2)

    assert [day(caller).status_code for _ in range(3)] == [status, status, 200]


def test_an_error_says_when_to_come_back(caller, sandbox):
    caller.vehicle_token(V2, 1, 4)
    sandbox.faults.answer(429, retry_after="7")
    sandbox.faults.answer(429)

    assert day(caller).headers["retry-after"] == "7"
    assert "retry-after" not in day(caller).headers


def test_a_fault_meets_only_the_path_it_is_meant_for(caller, sandbox):
    caller.vehicle_token(V2, 1, 4)
    sandbox.faults.answer(503, at="/token-exchange-api")

    assert day(caller).status_code == 200
    assert caller.exchange({}).status_code == 503


def test_faults_happen_in_the_order_they_were_set(caller, sandbox):
    caller.vehicle_token(V2, 1, 4)
    sandbox.faults.answer(500)
    sandbox.faults.answer(503)

    assert [day(caller).status_code, day(caller).status_code] == [500, 503]
    assert sandbox.faults.pending == 0


def test_a_connection_is_reset(caller, sandbox):
    caller.vehicle_token(V2, 1, 4)
    sandbox.faults.reset()

    with pytest.raises(httpx.ReadError):
        day(caller)
    assert day(caller).status_code == 200


def test_a_body_is_cut_short(caller, sandbox):
    caller.vehicle_token(V2, 1, 4)
    sandbox.faults.cut()

    with pytest.raises(httpx.RemoteProtocolError, match="without sending complete message body"):
        day(caller)
    assert day(caller).status_code == 200


def test_an_answer_is_slow(caller, sandbox):
    caller.vehicle_token(V2, 1, 4)
    sandbox.faults.slow(0.3)
    begun = time.monotonic()
    day(caller)

    assert time.monotonic() - begun >= 0.3


def test_a_search_that_timed_out_finds_and_counts_half(caller, sandbox):
    whole = day(caller).json()
    sandbox.faults.time_out_search()
    half = day(caller).json()

    assert half["timed_out"] is True
    assert half["hits"]["total"]["value"] == whole["hits"]["total"]["value"] // 2 == len(half["hits"]["hits"])


def test_failed_shards_take_their_documents_with_them(caller, sandbox):
    whole = day(caller).json()
    sandbox.faults.fail_shards()
    part = day(caller).json()

    assert part["_shards"]["failed"] == 3
    assert part["_shards"]["successful"] == part["_shards"]["total"] - 3
    assert part["hits"]["total"]["value"] < whole["hits"]["total"]["value"]


def test_missing_hits_are_still_counted(caller, sandbox):
    sandbox.faults.drop_hits(5)
    body = day(caller).json()

    assert len(body["hits"]["hits"]) == body["hits"]["total"]["value"] - 5


def test_a_broken_day_answers_500_until_it_is_healed(caller, sandbox):
    sandbox.faults.break_day(V2, BUSY_DAY)

    assert [day(caller).status_code for _ in range(2)] == [500, 500]
    assert day(caller).json() == {"code": 500, "message": "Internal error."}
    assert caller.history(V2, BUSY_DAY, TODAY).status_code == 500
    assert day(caller, of=TODAY).status_code == 200
    assert day(caller, SMARTCAR).status_code == 200

    sandbox.faults.heal_day(V2, BUSY_DAY)
    assert day(caller).status_code == 200


def test_all_tokens_end_at_once(own_caller, own_sandbox):
    own_caller.vehicle_token(V2, 1, 4)
    own_sandbox.faults.expire_tokens()

    assert day(own_caller).status_code == 401
    assert own_caller.exchange(own_caller.legacy_wish(V2, 1)).status_code == 401


def test_a_new_login_works_after_all_tokens_ended(own_caller, own_sandbox):
    own_caller.developer_token()
    own_sandbox.faults.expire_tokens()
    own_caller.forget_tokens()

    assert day(own_caller).status_code == 200


def test_every_request_is_noted_with_its_status(caller, sandbox):
    caller.vehicle_token(V2, 1, 4)
    before = len(sandbox.requests)
    day(caller)
    sandbox.faults.answer(429)
    day(caller)
    noted = sandbox.requests[before:]

    assert [request.status for request in noted] == [200, 429]
    assert noted[0].path == f"/device-data-api/v1/vehicle/{V2}/history"
    assert "startDate=2026-01-14" in noted[0].query
    assert sandbox.requests.below("/device-data-api")[-2:] == noted


def test_a_reset_is_noted_without_a_status(caller, sandbox):
    caller.vehicle_token(V2, 1, 4)
    sandbox.faults.reset()
    with pytest.raises(httpx.ReadError):
        day(caller)

    assert sandbox.requests[-1].status is None
