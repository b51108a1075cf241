"""The challenge and its answer."""

import base64

import httpx
import jwt

SOMEBODY_ELSES_KEY = "0x" + "07" * 32


def test_the_challenge_is_json_under_a_plain_text_content_type(caller):
    answer = caller.ask_challenge()

    assert answer.headers["content-type"].startswith("text/plain")
    assert set(answer.json()) == {"state", "challenge"}


def test_the_challenge_names_the_address_the_domain_and_a_nonce(caller):
    lines = caller.ask_challenge().json()["challenge"].split("\n")

    assert lines[1] == caller.settings.client_id
    assert lines[3] == f"{caller.settings.domain} is asking you sign in."
    assert len(lines[8].removeprefix("Nonce: ")) == 30


def test_fields_in_the_query_string_work_like_fields_in_the_form(caller):
    form = httpx.QueryParams(
        client_id=caller.settings.client_id,
        domain=caller.settings.domain,
        scope="openid email",
        response_type="code",
        address=caller.settings.client_id,
    )
    answer = caller.http.post(f"{caller.settings.auth_url}/auth/web3/generate_challenge", params=form)

    assert answer.status_code == 200


def test_a_signed_challenge_gives_a_developer_token_for_fourteen_days(caller):
    challenge = caller.ask_challenge().json()
    answer = caller.submit(challenge["state"], caller.sign(challenge["challenge"]))
    claims = jwt.decode(answer.json()["access_token"], options={"verify_signature": False})

    assert answer.headers["cache-control"] == "no-store"
    assert claims["exp"] - claims["iat"] == 14 * 86_400
    assert claims["ethereum_address"] == caller.settings.client_id
    assert claims["aud"] == caller.settings.client_id


def test_the_subject_is_the_protobuf_of_the_user_and_the_connector(caller):
    subject = jwt.decode(caller.developer_token(), options={"verify_signature": False})["sub"]
    raw = base64.urlsafe_b64decode(subject + "=" * (-len(subject) % 4))

    assert raw == b"\x0a\x2a" + caller.settings.client_id.encode() + b"\x12\x04web3"


def test_the_published_keys_verify_the_developer_token(caller):
    token = caller.developer_token()
    keys = jwt.PyJWKSet.from_dict(caller.http.get(f"{caller.settings.auth_url}/keys").json())
    key = keys[jwt.get_unverified_header(token)["kid"]]

    assert jwt.decode(token, key, algorithms=["RS256"], audience=caller.settings.client_id)


def test_a_state_works_once(caller):
    challenge = caller.ask_challenge().json()
    signature = caller.sign(challenge["challenge"])
    caller.submit(challenge["state"], signature)
    again = caller.submit(challenge["state"], signature)

    assert (again.status_code, again.json()["message"]) == (400, "Requested resource does not exist.")


def test_a_signature_of_another_key_is_refused(caller):
    challenge = caller.ask_challenge().json()
    answer = caller.submit(challenge["state"], caller.sign(challenge["challenge"], SOMEBODY_ELSES_KEY))

    assert (answer.status_code, answer.json()["message"]) == (400, "Could not verify signature.")


def test_a_signature_of_another_text_is_refused(caller):
    challenge = caller.ask_challenge().json()
    answer = caller.submit(challenge["state"], caller.sign(challenge["challenge"] + "\n"))

    assert answer.json()["message"] == "Could not verify signature."


def test_a_signature_without_its_prefix_is_refused(caller):
    challenge = caller.ask_challenge().json()
    answer = caller.submit(challenge["state"], caller.sign(challenge["challenge"]).removeprefix("0x"))

    assert answer.status_code == 400


def test_a_text_that_is_no_signature_is_refused(caller):
    answer = caller.submit(caller.ask_challenge().json()["state"], "0xnonsense")

    assert answer.json()["message"] == "Could not verify signature."


def test_a_challenge_is_over_after_a_day(own_caller, clock):
    challenge = own_caller.ask_challenge().json()
    clock.pass_by(86_401)
    answer = own_caller.submit(challenge["state"], own_caller.sign(challenge["challenge"]))

    assert answer.json()["message"] == "User session has expired."


def test_an_unknown_client_is_a_html_page(caller):
    answer = caller.ask_challenge(client_id="0x" + "1" * 40)

    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("text/html")
    assert "Invalid client_id" in answer.text


def test_an_unregistered_domain_is_a_html_page(caller):
    answer = caller.ask_challenge(domain=f"{caller.settings.domain}/")

    assert answer.status_code == 400
    assert answer.headers["content-type"].startswith("text/html")
    assert "Unregistered redirect_uri" in answer.text


def test_a_missing_openid_scope_is_a_redirect_to_the_domain(caller):
    answer = caller.ask_challenge(scope="email")

    assert answer.status_code == 303
    assert answer.headers["location"].startswith(f"{caller.settings.domain}?error=invalid_scope")


def test_a_wrong_response_type_is_a_redirect_to_the_domain(caller):
    answer = caller.ask_challenge(response_type="token")

    assert answer.status_code == 303
    assert "error=unsupported_response_type" in answer.headers["location"]


def test_an_address_that_is_none_is_refused(caller):
    answer = caller.ask_challenge(address="0x123")

    assert answer.json() == {"status": 400, "message": "Invalid Ethereum address."}


def test_another_grant_type_is_an_oauth_error(caller):
    answer = caller.submit("any", "0x00", grant_type="client_credentials")

    assert (answer.status_code, answer.json()["error"]) == (400, "unsupported_grant_type")
