"""The response cache of the Device Data API."""

from dimo_etl.sandbox.server import SandboxServer
from tests.sandbox.conftest import AUTOPI, BUSY_DAY, TODAY, Caller

ROUTE = f"/v1/vehicle/{AUTOPI}/history"
DAY = {"startDate": str(BUSY_DAY), "endDate": str(BUSY_DAY)}


def ask(caller, params=DAY, **headers):
    return caller.get(ROUTE, caller.vehicle_token(AUTOPI, 1, 4), params, headers)


def test_the_same_request_gets_the_same_draw_for_two_minutes(own_caller):
    first, second = ask(own_caller), ask(own_caller)

    assert (first.headers["x-cache"], second.headers["x-cache"]) == ("miss", "hit")
    assert first.content == second.content
    assert second.headers["cache-control"].startswith("public, max-age=1")


def test_after_two_minutes_the_answer_is_new(own_caller, clock):
    first = ask(own_caller)
    clock.pass_by(121)
    second = ask(own_caller)

    assert second.headers["x-cache"] == "miss"
    assert first.content != second.content


def test_a_refresh_neither_reads_nor_writes_the_cache(own_caller):
    cached = ask(own_caller)
    first, second = (ask(own_caller, DAY | {"refresh": "true"}) for _ in range(2))

    assert first.headers["x-cache"] == second.headers["x-cache"] == "unreachable"
    assert len({cached.content, first.content, second.content}) == 3
    assert ask(own_caller).content == cached.content


def test_the_order_of_parameters_makes_another_request(own_caller):
    ask(own_caller)

    assert ask(own_caller, dict(reversed(DAY.items()))).headers["x-cache"] == "miss"


def test_another_token_makes_another_request(own_caller):
    ask(own_caller)
    other = own_caller.get(ROUTE, own_caller.vehicle_token(AUTOPI, 4), DAY)

    assert other.headers["x-cache"] == "miss"


def test_no_cache_fetches_again_and_stores(own_caller):
    ask(own_caller)
    fetched = ask(own_caller, **{"Cache-Control": "no-cache"})

    assert fetched.headers["x-cache"] == "miss"
    assert ask(own_caller).content == fetched.content


def test_no_store_passes_the_cache_by(own_caller):
    ask(own_caller)
    passed = ask(own_caller, **{"Cache-Control": "no-store"})

    assert "x-cache" not in passed.headers


def test_errors_are_not_cached(own_caller, own_sandbox):
    own_sandbox.faults.break_day(AUTOPI, BUSY_DAY)
    assert ask(own_caller).status_code == 500
    own_sandbox.faults.heal_day(AUTOPI, BUSY_DAY)

    assert ask(own_caller).status_code == 200


def test_a_wrong_answer_of_status_200_is_cached_like_a_right_one(own_caller, own_sandbox):
    own_sandbox.faults.time_out_search()

    assert [ask(own_caller).json()["timed_out"] for _ in range(2)] == [True, True]
    assert ask(own_caller, DAY | {"refresh": "true"}).json()["timed_out"] is False


def test_an_expired_token_gets_nothing_from_the_cache(clock):
    with SandboxServer(port=0, today=TODAY, clock=clock, vehicle_token_lifetime_s=30) as sandbox:
        caller = Caller(sandbox)
        ask(caller)
        clock.pass_by(31)

        assert ask(caller).status_code == 401
        caller.close()
