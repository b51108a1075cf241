"""Vehicle tokens: which privileges are asked for, and when tokens are renewed."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import jwt
import pytest

from dimo_etl.api.exchange import STATUS, VehicleTokens
from dimo_etl.errors import AuthError, RequestRefusedError, VehicleRefusedError
from tests.api.routes import Developer
from tests.api.server import Reply, ok, refusal

VEHICLE = 4711


class Exchange:
    """Exchanges all or nothing, with tokens that tell their number."""

    def __init__(self, server, grants: set[int]) -> None:
        self.grants = grants
        self.life = 600
        self.asked: list[tuple[int, ...]] = []
        self.lock = threading.Lock()
        server.answer = self

    def __call__(self, request) -> Reply:
        with self.lock:
            wanted = tuple(request.json["privileges"])
            self.asked.append(wanted)
            if not self.grants.issuperset(wanted):
                return refusal(403, "Address 0x1 lacks permissions [x] for asset did:erc721:137:0xb:4711.")
            claims = {"iat": 0, "exp": self.life, "n": len(self.asked)}
            return ok({"token": jwt.encode(claims, "k" * 32)})


@pytest.fixture
def developer() -> Developer:
    return Developer()


@pytest.fixture
def now() -> list[float]:
    return [1000.0]


@pytest.fixture
def make(transport, developer, settings, now):
    def tokens(**options) -> VehicleTokens:
        return VehicleTokens(transport, developer, settings, clock=lambda: now[0], **options)

    return tokens


def test_an_exchange_names_the_contract_the_vehicle_and_the_privileges(server, make, settings):
    Exchange(server, {1, 3, 4})
    token = make().get(VEHICLE)
    (request,) = server.received
    assert (request.method, request.path, request.bearer) == ("POST", "/v1/tokens/exchange", "dev0")
    assert request.json == {
        "nftContractAddress": settings.contract,
        "privileges": [1, 3, 4],
        "tokenId": VEHICLE,
    }
    assert token.privileges == (1, 3, 4)


@pytest.mark.parametrize(
    ("grants", "asked"),
    [
        ({1, 3, 4}, [(1, 3, 4)]),
        ({1, 4, 5}, [(1, 3, 4), (1, 4)]),
        ({1, 3}, [(1, 3, 4), (1, 4), (1,)]),
        ({4}, [(1, 3, 4), (1, 4), (1,), (4,)]),
    ],
)
def test_smaller_sets_are_asked_for_until_one_is_granted(server, make, grants, asked):
    exchange = Exchange(server, grants)
    assert make().get(VEHICLE).privileges == asked[-1]
    assert exchange.asked == asked


def test_a_vehicle_that_shares_nothing_of_use_is_refused_by_name_and_asked_once(server, make):
    exchange = Exchange(server, {2, 3})
    tokens = make()
    for _ in range(2):
        with pytest.raises(VehicleRefusedError, match=r"^Vehicle 4711 does not share its history .*lacks perm"):
            tokens.get(VEHICLE)
    assert len(exchange.asked) == 4


@pytest.mark.parametrize(
    ("granted", "asked"),
    [
        ({1, 2, 3, 4, 5}, (1, 3, 4)),
        ({1, 4}, (1, 4)),
        ({1, 6}, (1,)),
        ({3, 4}, (4,)),
    ],
)
def test_privileges_known_to_be_granted_choose_the_set(server, make, granted, asked):
    exchange = Exchange(server, granted)
    make(granted={VEHICLE: frozenset(granted)}).get(VEHICLE)
    assert exchange.asked == [asked]


@pytest.mark.parametrize(
    ("grants", "privileges"),
    [({1, 3, 4}, (1, 3)), ({1, 4}, (1, 4)), ({1}, (1,)), ({3, 4}, (3,)), ({3}, (3,)), ({4}, (4,))],
)
def test_a_token_for_the_status_has_the_privileges_that_show_the_most_of_it(server, make, grants, privileges):
    Exchange(server, grants)
    assert make(purpose=STATUS).get(VEHICLE).privileges == privileges


def test_a_wrong_hint_only_costs_a_request(server, make):
    exchange = Exchange(server, {1})
    assert make(granted={VEHICLE: frozenset({4})}).get(VEHICLE).privileges == (1,)
    assert exchange.asked == [(4,), (1, 3, 4), (1, 4), (1,)]


def test_an_empty_hint_is_no_proof_that_nothing_is_shared(server, make):
    Exchange(server, {1, 3, 4})
    assert make(granted={VEHICLE: frozenset()}).get(VEHICLE).privileges == (1, 3, 4)


def test_a_token_serves_until_four_fifths_of_its_life(server, make, now):
    exchange = Exchange(server, {1, 3, 4})
    tokens = make()
    first = tokens.get(VEHICLE)
    now[0] += 479
    assert tokens.get(VEHICLE).text.reveal() == first.text.reveal()
    now[0] += 1
    assert tokens.get(VEHICLE).text.reveal() != first.text.reveal()
    assert len(exchange.asked) == 2


def test_a_renewal_asks_only_for_the_set_that_worked(server, make):
    exchange = Exchange(server, {4})
    tokens = make()
    tokens.renew(VEHICLE, tokens.get(VEHICLE).text)
    assert exchange.asked[4:] == [(4,)]


def test_a_renewal_finds_the_smaller_set_that_is_left(server, make):
    exchange = Exchange(server, {1, 3, 4})
    tokens = make()
    first = tokens.get(VEHICLE)
    exchange.grants = {1}
    assert tokens.renew(VEHICLE, first.text).privileges == (1,)


def test_threads_share_one_exchange_and_one_renewal(server, make):
    exchange = Exchange(server, {1, 3, 4})
    tokens = make()
    with ThreadPoolExecutor(8) as pool:
        first, *_ = pool.map(lambda _: tokens.get(VEHICLE), range(16))
        list(pool.map(lambda _: tokens.renew(VEHICLE, first.text), range(16)))
    assert len(exchange.asked) == 2


def test_each_vehicle_has_its_own_token(server, make):
    Exchange(server, {1, 3, 4})
    tokens = make()
    assert tokens.get(1).text.reveal() != tokens.get(2).text.reveal()


@pytest.mark.parametrize("reply", [Reply(401, b"Invalid or expired JWT"), Reply(400, b"missing or malformed JWT")])
def test_a_refused_developer_token_is_renewed_once(server, make, reply):
    server.replies(reply, ok({"token": "opaque"}))
    assert make().get(VEHICLE).text.reveal() == "opaque"
    assert [request.bearer for request in server.received] == ["dev0", "dev1"]


def test_developer_tokens_that_are_all_refused_end_in_a_sentence(server, make):
    server.replies(Reply(401, b"Invalid or expired JWT"))
    with pytest.raises(AuthError, match=r"Invalid or expired JWT.*check the licence"):
        make().get(VEHICLE)
    assert len(server.received) == 2


def test_an_address_that_is_no_licence_is_not_the_vehicles_fault(server, make):
    server.replies(refusal(403, "not a dev license: 0x1"))
    with pytest.raises(AuthError, match="DIMO_CLIENT_ID"):
        make().get(VEHICLE)
    assert len(server.received) == 1


def test_a_wrong_contract_is_a_refused_request(server, make):
    server.replies(refusal(400, 'Invalid NFT contract address "0x1".'))
    with pytest.raises(RequestRefusedError, match="Invalid NFT contract address"):
        make().get(VEHICLE)


@pytest.mark.parametrize("body", [{}, {"token": 5}, {"token": "two\nlines"}, []])
def test_an_answer_without_a_token_is_tried_again(server, make, body):
    server.replies(ok(body), ok({"token": "opaque"}))
    assert make().get(VEHICLE).text.reveal() == "opaque"


def test_a_token_does_not_show_itself(server, make):
    server.replies(ok({"token": "canary"}))
    assert "canary" not in repr(make().get(VEHICLE))
