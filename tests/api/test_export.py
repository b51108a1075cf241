"""Exports are asked for as the account, and every refusal says what to do."""

from __future__ import annotations

import pytest

from dimo_etl.api.export import Exports
from dimo_etl.errors import AuthError, RequestRefusedError, ServiceError, VehicleRefusedError
from tests.api.routes import Developer
from tests.api.server import Reply, refusal

DEVICE = "2ULfuC8U9dOqRshZBAi0lMM1Rrx"


@pytest.fixture
def exports(transport, settings) -> Exports:
    return Exports(transport, Developer(), settings)


def test_a_job_is_posted_without_a_body_with_the_developer_token(server, exports, as_json):
    asked = []

    def answer(request):
        asked.append(request)
        return Reply(body=as_json({"status": "success", "message": "your request\x1b has been received"}))

    server.answer = answer
    assert exports.request(DEVICE) == "your request has been received"
    (request,) = asked
    assert (request.method, request.path) == ("POST", f"/v1/user/device-data/{DEVICE}/export/json/email")
    assert (request.headers["authorization"], request.body) == ("Bearer dev0", b"")


@pytest.mark.parametrize(
    ("status", "message", "kind", "sentence"),
    [
        (
            409,
            "Your account has no verified email address.",
            RequestRefusedError,
            "verify the account's address",
        ),
        (404, "Device not found.", VehicleRefusedError, "only its owner's account can ask for it"),
        (404, "Cannot POST /v1/user", RequestRefusedError, "check DIMO_DEVICE_DATA_URL"),
        (401, "Invalid JWT.", AuthError, "check the licence, its key and DIMO_ENVIRONMENT"),
        (503, "busy", ServiceError, "try again later"),
    ],
)
def test_a_refusal_says_what_to_do(server, exports, status, message, kind, sentence):
    server.answer = lambda _: refusal(status, message)
    with pytest.raises(kind, match=sentence) as raised:
        exports.request(DEVICE)
    assert DEVICE in str(raised.value)
