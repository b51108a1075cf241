"""The GraphQL of identity."""

import base64

import pytest

from tests.sandbox.conftest import AUTOPI, NON_LOCATION, TESLA, UNSHARED

PAGE = """query ($first: Int, $after: String, $last: Int, $before: String, $who: Address) {
  vehicles(first: $first, after: $after, last: $last, before: $before, filterBy: {privileged: $who}) {
    totalCount nodes { tokenId } pageInfo { startCursor endCursor hasNextPage hasPreviousPage }
  }
}"""


def ids(page):
    return [node["tokenId"] for node in page["nodes"]]


def page_of(caller, **variables):
    wanted = {"who": caller.settings.client_id} | variables
    return caller.query(PAGE, wanted).json()["data"]["vehicles"]


def test_the_shared_vehicles_come_in_descending_order(caller, sandbox):
    page = page_of(caller, first=100)

    assert ids(page) == [vehicle.token_id for vehicle in reversed(sandbox.fleet.vehicles)]
    assert page["totalCount"] == len(page["nodes"])


def test_pages_by_cursor_give_each_vehicle_once(caller, sandbox):
    seen, after, more = [], None, True
    while more:
        page = page_of(caller, first=4, after=after)
        seen += ids(page)
        after, more = page["pageInfo"]["endCursor"], page["pageInfo"]["hasNextPage"]

    assert sorted(seen) == [vehicle.token_id for vehicle in sandbox.fleet.vehicles]


def test_a_cursor_is_the_token_id_in_base64(caller):
    assert base64.b64decode(page_of(caller, first=1)["pageInfo"]["startCursor"]) == b"8816"


def test_the_last_vehicles_before_a_cursor_come_in_the_same_order(caller):
    before = base64.b64encode(b"4711").decode()

    assert ids(page_of(caller, last=2, before=before)) == [6120, 5023]


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({}, "provide `first` or `last`"),
        ({"first": 1, "last": 1}, "pass `first` or `last`, but not both"),
        ({"first": 101}, "the value 101 for `first` exceeds the limit 100"),
    ],
)
def test_a_wrong_page_size_is_an_error_under_status_200(caller, variables, message):
    answer = caller.query(PAGE, variables)

    assert answer.status_code == 200
    assert answer.json()["data"] is None
    assert answer.json()["errors"][0]["message"] == message


@pytest.mark.parametrize(("token_id", "bits"), [(AUTOPI, "0x3ffc"), (5023, "0x3fcc"), (NON_LOCATION, "0xc")])
def test_grants_are_two_bits_a_privilege(caller, token_id, bits):
    query = "query ($id: Int) { vehicle(tokenId: $id) { sacds(first: 10) { nodes { grantee permissions } } } }"
    nodes = caller.query(query, {"id": token_id}).json()["data"]["vehicle"]["sacds"]["nodes"]

    assert {"grantee": caller.settings.client_id, "permissions": bits} in nodes


def test_another_app_was_granted_more_than_the_licence(caller):
    query = "{ vehicle(tokenId: 8816) { sacds(first: 10) { nodes { grantee permissions } } } }"
    nodes = caller.query(query).json()["data"]["vehicle"]["sacds"]["nodes"]

    assert [node["permissions"] for node in nodes if node["grantee"] != caller.settings.client_id] == ["0x3fffc"]


def test_a_vehicle_that_is_not_shared_is_still_public(caller):
    answer = caller.query("{ vehicle(tokenId: 9001) { tokenId definition { make } } }")

    assert answer.json()["data"]["vehicle"] == {"tokenId": UNSHARED, "definition": {"make": "Mazda"}}


def test_the_owner_filter_gives_the_vehicles_of_the_licence(caller):
    query = "query ($who: Address) { vehicles(first: 9, filterBy: {owner: $who}) { nodes { tokenId } } }"
    answer = caller.query(query, {"who": caller.settings.client_id})

    assert ids(answer.json()["data"]["vehicles"]) == [TESLA, 5023, AUTOPI]


def test_devices_are_null_where_there_is_none(caller):
    query = "{ vehicle(tokenId: 4711) { syntheticDevice { tokenId } aftermarketDevice { manufacturer { name } } } }"
    vehicle = caller.query(query).json()["data"]["vehicle"]

    assert vehicle == {"syntheticDevice": None, "aftermarketDevice": {"manufacturer": {"name": "AutoPi"}}}


def test_an_unknown_vehicle_has_the_code_not_found(caller):
    error = caller.query("{ vehicle(tokenId: 1) { tokenId } }").json()["errors"][0]

    assert error["message"] == "No vehicle with token id 1."
    assert error["extensions"]["code"] == "NOT_FOUND"


@pytest.mark.parametrize(
    ("query", "code"),
    [("{ vehicle(", "GRAPHQL_PARSE_FAILED"), ("{ wheels }", "GRAPHQL_VALIDATION_FAILED")],
)
def test_a_query_outside_the_schema_is_refused(caller, query, code):
    answer = caller.query(query)

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["extensions"]["code"] == code


def test_a_body_that_is_not_json_is_refused(caller):
    assert caller.http.post(f"{caller.settings.identity_url}/query", content=b"{").status_code == 400


def test_a_query_in_the_address_works(caller):
    answer = caller.http.get(
        f"{caller.settings.identity_url}/query", params={"query": "{ vehicle(tokenId: 4711) { tokenId } }"}
    )

    assert answer.json()["data"]["vehicle"]["tokenId"] == AUTOPI
