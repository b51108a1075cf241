"""Which vehicles are shared, what they are, and what they grant."""

from __future__ import annotations

import base64
import json
import re

import pytest

from dimo_etl.api.identity import granted_privileges, shared_vehicles
from dimo_etl.config import SANDBOX_LICENCE
from dimo_etl.errors import ConfigError, RequestRefusedError, ServiceError
from tests.api.server import Reply, ok

LICENCE = SANDBOX_LICENCE["DIMO_CLIENT_ID"]


def node(token_id: int, *, definition: object = None, sacds: object = None) -> dict:
    return {"tokenId": token_id, "definition": definition, "sacds": sacds}


def grants(*sacds: dict) -> dict:
    return {"nodes": list(sacds)}


def sacd(permissions: str, grantee: str = LICENCE, expires: str | None = "2126-01-01T00:00:00Z") -> dict:
    return {"grantee": grantee, "permissions": permissions, "expiresAt": expires}


def page(*nodes: dict, more: bool = False, cursor: str | None = None) -> Reply:
    info = {"hasNextPage": more, "endCursor": cursor}
    return ok({"data": {"vehicles": {"pageInfo": info, "nodes": list(nodes)}}})


def failure(message: str, code: str | None = None) -> Reply:
    return ok({"errors": [{"message": message, "extensions": {"code": code} if code else None}], "data": None})


def test_the_query_asks_for_vehicles_privileged_to_the_licence(server, transport, settings):
    server.replies(page())
    assert shared_vehicles(transport, settings) == []
    (request,) = server.received
    assert (request.method, request.path) == ("POST", "/query")
    asked = f'vehicles(first: 100, after: null, filterBy: {{privileged: "{LICENCE}"}})'
    assert asked in request.json["query"]
    assert "authorization" not in request.headers


def test_every_page_is_read_and_vehicles_come_by_token_id(server, transport, settings):
    fleet = list(range(250, 0, -1))

    def answer(request):
        after = json.loads(re.search(r"after: (\S+),", request.json["query"])[1])
        rest = [n for n in fleet if after is None or n < int(base64.b64decode(after))]
        cursor = base64.b64encode(str(rest[:100][-1]).encode()).decode()
        return page(*map(node, rest[:100]), more=len(rest) > 100, cursor=cursor)

    server.answer = answer
    found = shared_vehicles(transport, settings)
    assert [shared.vehicle.token_id for shared in found] == list(range(1, 251))
    assert len(server.received) == 3


@pytest.mark.parametrize("cursor", ["MTI5", None])
def test_pages_that_do_not_move_on_end_in_a_sentence(server, transport, settings, cursor):
    server.replies(page(node(129), more=True, cursor=cursor))
    with pytest.raises(ServiceError, match="same page again"):
        shared_vehicles(transport, settings)


def test_a_vehicle_has_its_names_and_its_id_in_decimal(server, transport, settings):
    server.replies(page(node(4711, definition={"make": "Ford", "model": "Focus", "year": 2018})))
    (shared,) = shared_vehicles(transport, settings)
    named = shared.vehicle
    assert (named.vehicle_id, named.token_id) == ("4711", 4711)
    assert (named.make, named.model, named.year) == ("Ford", "Focus", 2018)


@pytest.mark.parametrize("definition", [None, {}, {"make": None, "model": None, "year": None}, {"make": "", "year": 0}])
def test_what_identity_does_not_know_is_none(server, transport, settings, definition):
    server.replies(page(node(1, definition=definition)))
    named = shared_vehicles(transport, settings)[0].vehicle
    assert (named.make, named.model, named.year) == (None, None, None)


@pytest.mark.parametrize(
    ("permissions", "granted"),
    [
        ("0x3ffc", {1, 2, 3, 4, 5, 6}),
        ("0x3fcc", {1, 3, 4, 5, 6}),
        ("0xc", {1}),
        ("0x4", set()),
        ("0x8", set()),
        ("0x0", set()),
        ("none", set()),
    ],
)
def test_permissions_are_two_bits_each(permissions, granted):
    assert granted_privileges(permissions) == granted


@pytest.mark.parametrize(
    ("sacds", "granted"),
    [
        (grants(sacd("0x3fcc")), {1, 3, 4, 5, 6}),
        (grants(sacd("0xc", LICENCE.lower()), sacd("0x300", LICENCE.upper())), {1, 4}),
        (grants(sacd("0x3ffc", "0x" + "1" * 40)), set()),
        (grants(sacd("0x3ffc", expires="2020-01-01T00:00:00Z")), set()),
        (grants(sacd("0x3ffc", expires=None)), {1, 2, 3, 4, 5, 6}),
        (grants(sacd("0x3ffc", expires="one day")), set()),
        (grants(), set()),
        (None, set()),
    ],
)
def test_only_unexpired_grants_to_the_licence_count(server, transport, settings, sacds, granted):
    server.replies(page(node(1, sacds=sacds)))
    assert shared_vehicles(transport, settings)[0].granted == granted


def test_errors_under_a_200_are_failures_and_retried(server, transport, settings):
    server.replies(failure("internal system error", "INTERNAL_SERVER_ERROR"), page(node(1)))
    assert len(shared_vehicles(transport, settings)) == 1
    server.replies(failure("database away"))
    with pytest.raises(ServiceError, match=r"no usable answer \(database away\) after 6 tries"):
        shared_vehicles(transport, settings)


def test_partial_data_beside_an_error_is_not_taken(server, transport, settings):
    partial = {"errors": [{"message": "sacds failed"}], "data": {"vehicles": None}}
    server.replies(ok(partial), page(node(1)))
    assert len(shared_vehicles(transport, settings)) == 1


def test_a_query_called_wrong_is_not_retried(server, transport, settings):
    server.replies(failure("not an address", "BAD_USER_INPUT"))
    with pytest.raises(RequestRefusedError, match=r"not an address.*DIMO_CLIENT_ID"):
        shared_vehicles(transport, settings)
    server.replies(Reply(422, b'{"message":"unknown field"}'))
    with pytest.raises(RequestRefusedError, match="unknown field"):
        shared_vehicles(transport, settings)
    assert len(server.received) == 2


def test_without_a_licence_the_variable_to_set_is_named(server, transport, settings, change):
    with pytest.raises(ConfigError, match="set DIMO_CLIENT_ID, or name vehicles in DIMO_VEHICLES"):
        shared_vehicles(transport, change(settings, client_id=None))
    assert server.received == []
