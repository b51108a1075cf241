"""The auth service: a challenge to sign with the licence's key, and a developer JWT for the signature.

Rules: dex with DIMO's web3 connector. The challenge is JSON under `text/plain`, its state is good for one try,
an unknown client or domain is an HTML page, and a wrong scope is a redirect.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from dimo_etl.config import SANDBOX_LICENCE
from dimo_etl.sandbox.tokens import Issuer
from dimo_etl.sandbox.vehicles import LICENCE

ISSUER = "https://auth.dimo.zone"
_CHALLENGE_LIFETIME_S = 86_400
_NONCE = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


@dataclass(frozen=True, slots=True)
class _Challenge:
    text: str
    address: str
    domain: str
    expires_s: float


class Auth:
    """The routes of the auth service."""

    def __init__(self, issuer: Issuer, clock: Callable[[], float]) -> None:
        """Serve auth.

        Args:
            issuer: signs developer tokens.
            clock: seconds since the epoch.
        """
        self._issuer = issuer
        self._clock = clock
        self._challenges: dict[str, _Challenge] = {}

    def routes(self) -> list[Route]:
        """Where the service answers, below its base."""
        return [
            Route("/auth/web3/generate_challenge", self._generate, methods=["POST"]),
            Route("/auth/web3/submit_challenge", self._submit, methods=["POST"]),
            Route("/keys", self._keys),
        ]

    async def _generate(self, request: Request) -> Response:
        given = await _parameters(request)
        client_id, domain, address = given.get("client_id", ""), given.get("domain", ""), given.get("address", "")
        if (refusal := _refuse_client(client_id, domain)) is not None:
            return refusal
        if "openid" not in given.get("scope", "").split():
            return _redirect(domain, "invalid_scope", 'Missing required scope(s) ["openid"].')
        if given.get("response_type") != "code":
            return _redirect(domain, "unsupported_response_type", "Unsupported response type.")
        if not _is_address(address):
            return _failure("Invalid Ethereum address.")
        now = self._clock()
        self._challenges = {k: c for k, c in self._challenges.items() if c.expires_s > now}
        state = secrets.token_hex(13)
        text = _challenge_text(address, domain, now)
        self._challenges[state] = _Challenge(text, address, domain, now + _CHALLENGE_LIFETIME_S)
        # The service writes its status before its content type, so the header is a guess: plain text.
        body = JSONResponse({"state": state, "challenge": text}).body
        return Response(body, media_type="text/plain")

    async def _submit(self, request: Request) -> Response:
        given = await _parameters(request)
        if (refusal := _refuse_client(given.get("client_id", ""), given.get("domain", ""))) is not None:
            return refusal
        if given.get("grant_type") != "authorization_code":
            return JSONResponse({"error": "unsupported_grant_type"}, 400)
        challenge = self._challenges.pop(given.get("state", ""), None)
        if challenge is None:
            return _failure("Requested resource does not exist.")
        if challenge.expires_s <= self._clock():
            return _failure("User session has expired.")
        if challenge.domain != given["domain"]:
            return _failure("Couldn't parse parameters.")
        if not _signed_by(challenge.address, challenge.text, given.get("signature", "")):
            return _failure("Could not verify signature.")
        return self._grant(challenge.address, given["client_id"])

    def _grant(self, address: str, client_id: str) -> Response:
        # dex names a user by a protobuf of {1: user id, 2: connector}.
        user = address.encode()
        subject = b"\x0a" + bytes([len(user)]) + user + b"\x12\x04web3"
        claims = {
            "provider_id": "web3",
            "sub": _base64url(subject),
            "aud": client_id,
            "at_hash": secrets.token_urlsafe(16),
            "email_verified": False,
            "ethereum_address": address,
        }
        access = self._issuer.issue(claims)
        at_hash = _base64url(hashlib.sha256(access.encode()).digest()[:16])
        return JSONResponse(
            {
                "access_token": access,
                "token_type": "bearer",
                "expires_in": self._issuer.lifetime_s - 1,
                "id_token": self._issuer.issue(claims | {"at_hash": at_hash}),
            },
            headers={"Cache-Control": "no-store", "Pragma": "no-cache"},
        )

    async def _keys(self, request: Request) -> Response:  # noqa: ARG002 (Starlette passes it)
        return Response(self._issuer.jwks(), media_type="application/json")


async def _parameters(request: Request) -> Mapping[str, str]:
    # Go's form parsing: the body's fields and the query's, the body's first.
    form = await request.form()
    return dict(request.query_params) | {name: value for name, value in form.items() if isinstance(value, str)}


def _refuse_client(client_id: str, domain: str) -> Response | None:
    if client_id.lower() != LICENCE.lower():
        return HTMLResponse(_page(f"Invalid client_id (&#34;{_escaped(client_id)}&#34;)."), 404)
    if domain != SANDBOX_LICENCE["DIMO_DOMAIN"]:
        return HTMLResponse(_page(f"Unregistered redirect_uri (&#34;{_escaped(domain)}&#34;)."), 400)
    return None


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&#34;")


def _page(message: str) -> str:
    return f"<!DOCTYPE html><html><head><title>dex</title></head><body><p>{message}</p></body></html>"


def _redirect(domain: str, error: str, description: str) -> Response:
    return RedirectResponse(f"{domain}?{urlencode({'error': error, 'error_description': description})}", 303)


def _failure(message: str) -> Response:
    return JSONResponse({"status": 400, "message": message}, 400)


def _is_address(text: str) -> bool:
    digits = text.removeprefix("0x")
    return len(text) == 42 and len(digits) == 40 and all(c in "0123456789abcdefABCDEF" for c in digits)


def _challenge_text(address: str, domain: str, now: float) -> str:
    nonce = "".join(secrets.choice(_NONCE) for _ in range(30))
    issued = datetime.fromtimestamp(now, UTC)
    return (
        f"auth.dimo.zone wants you to sign in with your Ethereum account:\n{address}\n\n"
        f"{domain} is asking you sign in.\n\n"
        f"URI: {ISSUER}\nVersion: 1\nChain ID: 1\nNonce: {nonce}\nIssued At: {issued:%Y-%m-%dT%H:%M:%SZ}"
    )


def _signed_by(address: str, text: str, signature: str) -> bool:
    from eth_account import Account  # half a second to import, and only a login needs it
    from eth_account.messages import encode_defunct

    try:
        raw = bytes.fromhex(signature.removeprefix("0x"))
        signer: str = Account.recover_message(encode_defunct(text=text), signature=raw)
    except Exception:
        return False
    return signature.startswith("0x") and signer.lower() == address.lower()


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
