"""What history answers, and what it leaves out."""

from collections import Counter
from datetime import date, timedelta

import httpx
import pytest

from dimo_etl.model import day_window, rfc3339_ms
from tests.sandbox.conftest import AUTOPI, BUSY_DAY, MACARON, NON_LOCATION, SMARTCAR, TESLA, TODAY, V2

INVALID = (65538, 65539, 983040)


def hits(answer):
    return answer.json()["hits"]["hits"]


def total(answer):
    return answer.json()["hits"]["total"]


def documents(sandbox, token_id, day=BUSY_DAY):
    return [document for document in sandbox.fleet.documents(token_id, day) if document.matches]


def as_shown(event):
    """An event as history shows it to somebody who may see everything."""
    odometer = event["data"].get("odometer")
    if odometer is not None and (odometer <= 100 or odometer in INVALID):
        return event | {"data": {name: value for name, value in event["data"].items() if name != "odometer"}}
    return event


@pytest.mark.parametrize("token_id", [SMARTCAR, V2, MACARON, TESLA])
def test_a_day_below_the_cap_comes_whole(caller, sandbox, token_id):
    answer = caller.history(token_id, BUSY_DAY, BUSY_DAY)
    truth = {event["id"]: as_shown(event) for event in sandbox.fleet.reachable(token_id, BUSY_DAY)}

    assert {hit["_id"]: hit["_source"] for hit in hits(answer)} == truth
    assert total(answer) == {"value": len(truth), "relation": "eq"}


def test_a_day_above_the_cap_gives_a_thousand_and_the_exact_total(caller, sandbox):
    answer = caller.history(AUTOPI, BUSY_DAY, BUSY_DAY)

    assert len({hit["_id"] for hit in hits(answer)}) == 1000
    assert total(answer) == {"value": len(sandbox.fleet.reachable(AUTOPI, BUSY_DAY)), "relation": "eq"}
    assert total(answer)["value"] > 1000


def test_windows_that_tile_a_day_hold_every_event(caller, sandbox):
    first = day_window(BUSY_DAY).start_ms
    held = {}
    for minute in range(0, 1440, 30):
        start = first + minute * 60_000
        answer = caller.history(AUTOPI, rfc3339_ms(start), rfc3339_ms(start + 30 * 60_000 - 1))
        assert total(answer)["value"] == len(hits(answer))
        held |= {hit["_id"]: hit["_source"] for hit in hits(answer)}

    assert held == {event["id"]: as_shown(event) for event in sandbox.fleet.reachable(AUTOPI, BUSY_DAY)}


def test_a_total_above_ten_thousand_is_only_a_lower_bound(caller):
    answer = caller.history(AUTOPI, TODAY - timedelta(days=9), TODAY)

    assert total(answer) == {"value": 10_000, "relation": "gte"}


def test_documents_with_neither_odometer_nor_position_are_not_reachable(caller, sandbox):
    found = {hit["_id"] for hit in hits(caller.history(SMARTCAR, TODAY - timedelta(days=6), TODAY))}
    hidden = {
        document.doc_id
        for back in range(7)
        for document in sandbox.fleet.documents(SMARTCAR, TODAY - timedelta(days=back))
        if not document.matches
    }

    assert hidden
    assert not found & hidden


def test_hits_come_by_descending_score_and_not_by_time(caller):
    found = hits(caller.history(V2, BUSY_DAY, BUSY_DAY))
    scores = [hit["_score"] for hit in found]
    times = [hit["_source"]["data"]["timestamp"] for hit in found]

    assert scores == sorted(scores, reverse=True)
    assert times != sorted(times)


def test_the_best_score_stands_at_the_top(caller):
    body = caller.history(V2, BUSY_DAY, BUSY_DAY).json()

    assert body["hits"]["max_score"] == body["hits"]["hits"][0]["_score"]


def test_each_request_draws_anew(caller):
    first, second = (caller.history(AUTOPI, BUSY_DAY, BUSY_DAY) for _ in range(2))

    assert {hit["_id"] for hit in hits(first)} != {hit["_id"] for hit in hits(second)}


def test_documents_with_odometer_and_position_push_out_those_with_one(caller, sandbox):
    matches = {document.doc_id: document.matches for document in documents(sandbox, AUTOPI)}
    held = Counter(matches.values())
    drawn = Counter(matches[hit["_id"]] for _ in range(3) for hit in hits(caller.history(AUTOPI, BUSY_DAY, BUSY_DAY)))

    # A two-field document is drawn more than twice as often as a one-field document.
    assert drawn[2] / held[2] > 2 * drawn[1] / held[1]


def test_only_documents_with_both_score_above_one(caller, sandbox):
    matches = {document.doc_id: document.matches for document in documents(sandbox, AUTOPI)}
    found = hits(caller.history(AUTOPI, BUSY_DAY, BUSY_DAY))

    assert all(matches[hit["_id"]] == 2 for hit in found if hit["_score"] > 1)
    assert max(hit["_score"] for hit in found) > 1.9


def test_both_ends_are_included(caller, sandbox):
    held = documents(sandbox, V2)
    start, end = held[3].measured_ms, held[8].measured_ms
    answer = caller.history(V2, rfc3339_ms(start), rfc3339_ms(end))

    assert {hit["_id"] for hit in hits(answer)} == {document.doc_id for document in held[3:9]}


def test_a_window_of_one_millisecond_holds_its_event(caller, sandbox):
    document = documents(sandbox, SMARTCAR)[5]
    at = rfc3339_ms(document.measured_ms)

    assert [hit["_id"] for hit in hits(caller.history(SMARTCAR, at, at))] == [document.doc_id]


def test_the_second_of_the_end_is_included_to_its_last_millisecond(caller, sandbox):
    document = next(d for d in documents(sandbox, SMARTCAR) if d.measured_ms % 1000)
    second = rfc3339_ms(document.measured_ms)[:19] + "Z"

    assert [hit["_id"] for hit in hits(caller.history(SMARTCAR, second, second))] == [document.doc_id]


def test_nanoseconds_are_kept_in_the_document(caller):
    stamps = [hit["_source"]["data"]["timestamp"] for hit in hits(caller.history(SMARTCAR, BUSY_DAY, BUSY_DAY))]

    assert any(len(stamp) > len("2026-01-14T00:00:00.000000Z") for stamp in stamps)


def test_the_index_is_named_for_the_day(caller):
    assert hits(caller.history(V2, BUSY_DAY, BUSY_DAY))[0]["_index"] == "device-status-prod-2026-01-14"


def test_invalid_odometers_are_deleted_and_the_rest_of_the_document_stays(caller, sandbox):
    days = [TODAY - timedelta(days=back) for back in range(12)]
    spoilt = {
        event["id"]: event for day in days for event in sandbox.fleet.reachable(TESLA, day) if as_shown(event) != event
    }
    shown = {hit["_id"]: hit["_source"] for day in days for hit in hits(caller.history(TESLA, day, day))}

    assert spoilt
    for doc_id, event in spoilt.items():
        assert shown[doc_id] == as_shown(event)


def test_an_empty_answer_has_the_same_shape(caller):
    body = caller.history(V2, "2020-01-01", "2020-01-02").json()

    assert body["hits"] == {"total": {"value": 0, "relation": "eq"}, "max_score": None, "hits": []}
    assert body["_shards"]["failed"] == 0
    assert body["timed_out"] is False


def test_a_start_after_the_end_is_empty(caller):
    assert total(caller.history(V2, BUSY_DAY, BUSY_DAY - timedelta(days=1)))["value"] == 0


def test_a_range_may_reach_far_beyond_what_exists(caller, sandbox):
    first = sandbox.fleet.first_day

    assert total(caller.history(TESLA, "0001-01-01", first))["value"] == len(sandbox.fleet.reachable(TESLA, first))
    assert total(caller.history(TESLA, TODAY, "9999-12-31"))["value"] == len(sandbox.fleet.reachable(TESLA, TODAY))


@pytest.mark.parametrize(
    ("start", "end", "message"),
    [("soon", "2026-01-01", "Invalid start date format"), ("2026-01-01", "2026-02-31", "Invalid end date format")],
)
def test_a_bound_that_is_no_time_is_refused(caller, start, end, message):
    answer = caller.history(V2, start, end)

    assert (answer.status_code, answer.json()) == (400, {"code": 400, "message": message})


def test_a_plus_must_be_encoded(caller):
    token = caller.vehicle_token(V2, 1, 4)
    url = f"{caller.settings.device_data_url}/v1/vehicle/{V2}/history?startDate=2026-01-14T00:00:00{{}}02:00"
    headers = {"Authorization": f"Bearer {token}"}

    assert caller.http.get(httpx.URL(url.format("%2B")), headers=headers).status_code == 200
    assert caller.http.get(httpx.URL(url.format("+")), headers=headers).status_code == 400


def test_the_last_fourteen_days_are_the_default(caller, sandbox):
    answer = caller.get(f"/v1/vehicle/{TESLA}/history", caller.vehicle_token(TESLA, 1, 4))
    now_ms = day_window(TODAY).end_ms
    truth = [
        document
        for back in range(15)
        for document in documents(sandbox, TESLA, TODAY - timedelta(days=back))
        if document.measured_ms >= (now_ms - 14 * 86_400_000) // 1000 * 1000
    ]

    assert total(answer)["value"] == len(truth)


def test_without_location_history_positions_are_left_out(caller):
    for hit in hits(caller.history(NON_LOCATION, BUSY_DAY, BUSY_DAY, privileges=(1,))):
        assert not {"latitude", "longitude", "cell"} & set(hit["_source"]["data"])
        assert "location" not in hit["_source"]
        assert {"id", "source", "subject", "time"} <= set(hit["_source"])


def test_without_location_history_the_cell_is_left_out_and_the_altitude_stays(caller):
    data = [hit["_source"]["data"] for hit in hits(caller.history(AUTOPI, BUSY_DAY, BUSY_DAY, privileges=(1,)))]

    assert not any("cell" in values for values in data)
    assert any("altitude" in values for values in data)


def test_without_location_history_positions_inside_v2_signals_stay(caller):
    data = [hit["_source"]["data"] for hit in hits(caller.history(V2, BUSY_DAY, BUSY_DAY, privileges=(1,)))]
    names = {signal["name"] for values in data for signal in values["vehicle"]["signals"]}

    assert not any("latitude" in values for values in data)
    assert "latitude" in names


def test_with_location_history_alone_only_positions_are_left(caller):
    sources = [hit["_source"] for hit in hits(caller.history(AUTOPI, BUSY_DAY, BUSY_DAY, privileges=(4,)))]

    assert {name for source in sources for name in source} == {"data", "location"}
    assert {name for source in sources for name in source["data"]} == {"timestamp", "latitude", "longitude", "cell"}


def test_the_owner_asks_by_device_and_whole_days(caller, sandbox):
    device = sandbox.fleet.vehicle(SMARTCAR).user_device_id
    answer = caller.get(
        f"/v1/user/device-data/{device}/historical",
        caller.developer_token(),
        {"startDate": "2026-01-13", "endDate": "2026-01-14"},
    )
    truth = documents(sandbox, SMARTCAR) + documents(sandbox, SMARTCAR, date(2026, 1, 13))

    assert {hit["_id"] for hit in hits(answer)} == {document.doc_id for document in truth}


def test_the_owners_route_takes_no_time_of_day(caller, sandbox):
    device = sandbox.fleet.vehicle(SMARTCAR).user_device_id
    answer = caller.get(
        f"/v1/user/device-data/{device}/historical", caller.developer_token(), {"startDate": "2026-01-13T00:00:00Z"}
    )

    assert answer.status_code == 400
    assert answer.json()["message"].endswith('extra text: "T00:00:00Z"')


def test_somebody_elses_device_is_not_found(caller, sandbox):
    device = sandbox.fleet.vehicle(V2).user_device_id
    answer = caller.get(f"/v1/user/device-data/{device}/historical", caller.developer_token())

    assert (answer.status_code, answer.json()["message"]) == (404, "Device not found.")


def test_a_token_of_another_vehicle_is_refused(caller):
    answer = caller.get(f"/v1/vehicle/{V2}/history", caller.vehicle_token(AUTOPI, 1, 4))

    assert (answer.status_code, answer.json()["message"]) == (401, "Unauthorized! Wrong device token provided")


def test_a_token_without_a_history_privilege_is_refused(caller):
    answer = caller.get(f"/v1/vehicle/{AUTOPI}/history", caller.vehicle_token(AUTOPI, 3))

    assert answer.status_code == 401
    assert answer.json()["message"] == "Unauthorized! Token does not contain required privileges"


def test_a_developer_token_opens_no_vehicle(caller):
    answer = caller.get(f"/v1/vehicle/{AUTOPI}/history", caller.developer_token())

    assert answer.json() == {"code": 401, "message": "Invalid privilege token."}


def test_a_vehicle_token_is_over_after_ten_minutes(own_caller, clock):
    own_caller.vehicle_token(V2, 1, 4)
    clock.pass_by(599)
    assert own_caller.history(V2, BUSY_DAY, BUSY_DAY).status_code == 200
    clock.pass_by(2)

    assert own_caller.history(V2, BUSY_DAY, BUSY_DAY).status_code == 401
