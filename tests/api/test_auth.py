"""The developer token: the web3 login, its refusals in words, and the ready-made token."""

from __future__ import annotations

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import jwt
import pytest
from eth_account import Account
from eth_account.messages import encode_defunct

from dimo_etl.api.auth import ReadyMadeToken, Web3Login, access_tokens, sign
from dimo_etl.config import SANDBOX_LICENCE, Secret
from dimo_etl.errors import AuthError, ServiceError
from tests.api.server import Reply, ok, refusal

CHALLENGE = "auth.dimo.zone wants you to sign in:\n0xAbC\n\nNonce: é1\n"
GENERATE, SUBMIT = "/auth/web3/generate_challenge", "/auth/web3/submit_challenge"


class Auth:
    """Answers logins with tokens one after the other; a state can be submitted once."""

    def __init__(self, server, life: float = 1_209_600) -> None:
        self.server = server
        self.life = life
        self.tokens: list[str] = []
        self.states: set[str] = set()
        self.lock = threading.Lock()
        server.answer = self

    def __call__(self, request) -> Reply:
        with self.lock:
            if request.path == GENERATE:
                state = f"state{len(self.states)}"
                self.states.add(state)
                body = json.dumps({"state": state, "challenge": CHALLENGE})
                return Reply(200, body.encode(), {"Content-Type": "text/plain; charset=utf-8"})
            if request.form["state"] not in self.states:
                return refusal(400, "Requested resource does not exist.")
            self.states.discard(request.form["state"])
            claims = {"iat": 1000, "exp": 1000 + self.life, "n": len(self.tokens)}
            self.tokens.append(jwt.encode(claims, "k" * 32, algorithm="HS256"))
            return ok({"access_token": self.tokens[-1], "token_type": "bearer", "expires_in": 1, "id_token": "x"})


@pytest.fixture
def auth(server) -> Auth:
    return Auth(server)


@pytest.fixture
def login(transport, settings) -> Web3Login:
    return Web3Login(transport, settings)


def test_a_login_signs_the_exact_challenge_and_gives_the_token(server, auth, login):
    assert login.current().reveal() == auth.tokens[0]
    generate, submit = server.received
    client_id, domain = SANDBOX_LICENCE["DIMO_CLIENT_ID"], SANDBOX_LICENCE["DIMO_DOMAIN"]
    assert (generate.path, generate.form) == (
        GENERATE,
        {
            "client_id": client_id,
            "domain": domain,
            "scope": "openid email",
            "response_type": "code",
            "address": client_id,
        },
    )
    signature = submit.form.pop("signature")
    assert submit.path == SUBMIT
    assert {key: value for key, value in submit.form.items() if key != "signature"} == {
        "client_id": client_id,
        "domain": domain,
        "state": "state0",
        "grant_type": "authorization_code",
    }
    assert signature.startswith("0x")
    assert len(signature) == 132
    signer = Account.recover_message(encode_defunct(text=CHALLENGE), signature=signature)
    assert signer == Account.from_key(SANDBOX_LICENCE["DIMO_API_KEY"]).address


def test_a_token_serves_many_calls(auth, login):
    assert login.current().reveal() == login.current().reveal()
    assert len(auth.tokens) == 1


def test_a_token_is_renewed_ahead_of_its_end(server, auth, transport, settings):
    auth.life = 100
    now = [5000.0]
    login = Web3Login(transport, settings, clock=lambda: now[0])
    login.current()
    now[0] += 79
    assert login.current().reveal() == auth.tokens[0]
    now[0] += 1
    assert login.current().reveal() == auth.tokens[1]


def test_threads_share_one_login(auth, login):
    with ThreadPoolExecutor(8) as pool:
        held = {secret.reveal() for secret in pool.map(lambda _: login.current(), range(16))}
    assert held == {auth.tokens[0]}


def test_threads_whose_token_was_refused_share_one_renewal(auth, login):
    refused = login.current()
    with ThreadPoolExecutor(8) as pool:
        held = {secret.reveal() for secret in pool.map(lambda _: login.renew(refused), range(16))}
    assert held == {auth.tokens[1]}


def test_a_login_whose_answer_was_lost_begins_again(server, auth, login):
    lost = []

    def answer(request):
        reply = auth(request)
        if request.path == SUBMIT and not lost:
            lost.append(request)
            return Reply(200, reply.body[:10], length=len(reply.body))
        return reply

    server.answer = answer
    assert login.current().reveal() == auth.tokens[1]


def test_a_login_whose_answers_are_always_lost_ends(server, auth, login):
    def answer(request):
        reply = auth(request)
        return Reply(200, b"", length=9) if request.path == SUBMIT and reply.status == 200 else reply

    server.answer = answer
    with pytest.raises(AuthError, match="Requested resource does not exist"):
        login.current()
    assert [received.path for received in server.received].count(GENERATE) == 3


HTML = {"Content-Type": "text/html"}


@pytest.mark.parametrize(
    ("reply", "sentence"),
    [
        (
            Reply(404, b"<html><body>Invalid client_id (&#34;0x1&#34;).</body></html>", HTML),
            f"DIMO_CLIENT_ID is '{SANDBOX_LICENCE['DIMO_CLIENT_ID']}'",
        ),
        (refusal(400, "Invalid Ethereum address."), "DIMO_CLIENT_ID is"),
        (Reply(400, b"<p>Unregistered redirect_uri (x).</p>", HTML), "DIMO_DOMAIN is 'http://127.0.0.1/sandbox'"),
        (refusal(400, "Could not verify signature."), "DIMO_API_KEY"),
        (Reply(400, b'{"error":"invalid_client"}'), "invalid_client.*check DIMO_CLIENT_ID, DIMO_DOMAIN"),
        (Reply(303, headers={"Location": "http://x/?error=bad"}), "a redirect.*DIMO_AUTH_URL"),
        (Reply(404, b"404 page not found"), "page not found.*DIMO_AUTH_URL"),
    ],
)
def test_a_refusal_says_which_setting_to_mend(server, login, reply, sentence):
    server.replies(reply)
    with pytest.raises(AuthError, match=sentence):
        login.current()


def test_refused_credentials_are_not_tried_again(server, login):
    server.replies(refusal(400, "Could not verify signature."))
    for _ in range(3):
        with pytest.raises(AuthError, match="DIMO_API_KEY"):
            login.current()
    assert len(server.received) == 1


def test_a_service_that_failed_is_asked_again(server, auth, login):
    server.answer = None
    server.replies(Reply(500, b'{"error":"server_error","error_description":"Database."}'))
    with pytest.raises(ServiceError, match="Database"):
        login.current()
    server.answer = auth
    assert login.current().reveal() == auth.tokens[0]


@pytest.mark.parametrize(
    ("missing", "named"),
    [
        (["client_id"], "set DIMO_CLIENT_ID,"),
        (["domain"], "set DIMO_DOMAIN,"),
        (["client_id", "domain", "api_key"], "set DIMO_CLIENT_ID and DIMO_DOMAIN and DIMO_API_KEY,"),
    ],
)
def test_missing_credentials_are_named(transport, settings, change, missing, named):
    login = Web3Login(transport, change(settings, **dict.fromkeys(missing)))
    with pytest.raises(AuthError, match=f"{named} or a DIMO_ACCESS_TOKEN"):
        login.current()


@pytest.mark.parametrize("key", ["canary", "0x" + "g" * 64, "ab" * 31, "0x" + "0" * 64, "f" * 64])
def test_a_bad_key_is_told_without_showing_it(key):
    with pytest.raises(AuthError, match="DIMO_API_KEY is not a private key") as caught:
        sign("challenge", Secret(key))
    assert key not in str(caught.value)
    assert caught.value.__context__ is None


def test_a_key_may_lack_its_prefix():
    key = SANDBOX_LICENCE["DIMO_API_KEY"]
    assert sign("text", Secret(key)) == sign("text", Secret(key.removeprefix("0x")))


def test_a_ready_made_token_is_used_as_it_is(server, transport, settings, change):
    tokens = access_tokens(transport, change(settings, access_token=Secret("opaque")))
    assert tokens.current().reveal() == "opaque"
    assert server.received == []


def test_a_ready_made_token_that_is_refused_says_what_to_set():
    token = ReadyMadeToken(Secret(jwt.encode({"exp": time.time() - 1}, "k" * 32)))
    with pytest.raises(AuthError, match="DIMO_ACCESS_TOKEN was refused or has expired; set a new one"):
        token.renew(token.current())


def test_a_ready_made_token_that_no_header_can_carry_is_told_without_showing_it():
    with pytest.raises(AuthError, match="DIMO_ACCESS_TOKEN") as caught:
        ReadyMadeToken(Secret("canary\ntoken"))
    assert "canary" not in str(caught.value)


def test_without_a_ready_made_token_the_licence_logs_in(transport, settings):
    assert isinstance(access_tokens(transport, settings), Web3Login)
