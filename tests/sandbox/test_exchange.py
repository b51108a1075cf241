"""The exchange of a developer token for a vehicle token."""

import jwt
import pytest

from dimo_etl.sandbox.exchange import CONTRACT
from tests.sandbox.conftest import AUTOPI, NON_LOCATION, UNSHARED


def claims_of(token):
    return jwt.decode(token, options={"verify_signature": False})


def test_the_contract_is_the_one_the_settings_ask_about(caller):
    assert caller.settings.contract == CONTRACT


def test_the_legacy_body_gives_a_token_for_ten_minutes(caller):
    claims = claims_of(caller.exchange(caller.legacy_wish(AUTOPI, 1, 3, 4)).json()["token"])

    assert claims["exp"] - claims["iat"] == 600
    assert claims["token_id"] == "4711"
    assert claims["privilege_ids"] == [1, 3, 4]
    assert claims["contract_address"] == CONTRACT.lower()
    assert claims["aud"] == ["dimo.zone"]


def test_the_new_body_names_an_asset_and_permissions(caller):
    wish = {"asset": f"did:erc721:137:{CONTRACT}:4711", "permissions": ["privilege:GetNonLocationHistory"]}
    claims = claims_of(caller.exchange(wish).json()["token"])

    assert claims["privilege_ids"] == [1]
    assert claims["asset"] == f"did:erc721:137:{CONTRACT}:4711"


def test_an_asset_beats_the_legacy_pair(caller):
    wish = caller.legacy_wish(UNSHARED, 1) | {"asset": f"did:erc721:137:{CONTRACT}:4711"}

    assert claims_of(caller.exchange(wish).json()["token"])["token_id"] == "4711"


def test_one_missing_privilege_refuses_them_all(caller):
    answer = caller.exchange(caller.legacy_wish(NON_LOCATION, 1, 4))

    assert answer.status_code == 403
    assert "lacks permissions [privilege:GetLocationHistory]" in answer.json()["message"]


def test_the_privileges_that_are_granted_are_given(caller):
    assert caller.exchange(caller.legacy_wish(NON_LOCATION, 1)).status_code == 200


@pytest.mark.parametrize("token_id", [UNSHARED, 123_456])
def test_a_vehicle_that_is_not_shared_is_refused(caller, token_id):
    assert caller.exchange(caller.legacy_wish(token_id, 1)).status_code == 403


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"privileges": [1, 9]}, "unknown privileges [9]"),
        ({"privileges": []}, "Please provide at least one privilege or cloudevent"),
        ({"nftContractAddress": "0x1"}, 'Invalid NFT contract address "0x1".'),
        ({"asset": "4711"}, "Invalid asset DID 4711."),
        ({"tokenId": "4711"}, "Couldn't parse request body."),
    ],
)
def test_a_wrong_wish_is_refused_with_its_reason(caller, changes, message):
    answer = caller.exchange(caller.legacy_wish(AUTOPI, 1) | changes)

    assert (answer.status_code, answer.json()) == (400, {"code": 400, "message": message})


def test_a_missing_token_is_plain_text(caller):
    answer = caller.http.post(f"{caller.settings.token_exchange_url}/v1/tokens/exchange", json={})

    assert (answer.status_code, answer.text) == (400, "missing or malformed JWT")
    assert answer.headers["content-type"].startswith("text/plain")


def test_a_forged_token_is_plain_text(caller):
    answer = caller.exchange(caller.legacy_wish(AUTOPI, 1), token=caller.developer_token()[:-8] + "AAAAAAAA")

    assert (answer.status_code, answer.text) == (401, "Invalid or expired JWT")


def test_a_vehicle_token_is_no_developer_token(caller):
    assert caller.exchange({}, token=caller.vehicle_token(AUTOPI, 1)).status_code == 401


def test_a_developer_token_is_over_after_fourteen_days(own_caller, clock):
    own_caller.developer_token()
    clock.pass_by(14 * 86_400)

    assert own_caller.exchange(own_caller.legacy_wish(AUTOPI, 1)).status_code == 401
