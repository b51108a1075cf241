"""The developer token: made by the web3 challenge, or ready-made; renewed ahead of its end and when refused.

The challenge (dex) is to be replaced upstream, so the rest of the package knows only `AccessTokens`.
"""

from __future__ import annotations

import re
import threading
import time
from typing import TYPE_CHECKING, Protocol, TypeVar
from urllib.parse import urlencode

import msgspec

from dimo_etl.api.decode import decoded
from dimo_etl.api.messages import AUTH, HttpRefusedError, Request, Response, UnusableResponseError
from dimo_etl.api.tokens import Token, read_token
from dimo_etl.errors import AuthError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dimo_etl.api.transport import Transport
    from dimo_etl.config import Secret, Settings

T = TypeVar("T")
_PRIVATE_KEY = re.compile(r"(0x)?([0-9a-fA-F]{64})")
# The order of secp256k1: a private key is a number from 1 to this, exclusive.
_CURVE_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
# A submitted state is used up even where its answer was lost on the way.
_LOGINS = 3


class AccessTokens(Protocol):
    """Where developer tokens come from."""

    def current(self) -> Secret:
        """A token that should be accepted."""
        ...

    def renew(self, refused: Secret) -> Secret:
        """Another token than the one that was refused.

        Raises:
            AuthError: there is no other.
        """
        ...


class _Challenge(msgspec.Struct, frozen=True):
    state: str
    challenge: str


class _Submitted(msgspec.Struct, frozen=True):
    access_token: str


def access_tokens(transport: Transport, settings: Settings) -> AccessTokens:
    """The ready-made token where one is set, else the login."""
    if settings.access_token:
        return ReadyMadeToken(settings.access_token)
    return Web3Login(transport, settings)


class ReadyMadeToken:
    """The token of DIMO_ACCESS_TOKEN, used until it is refused.

    Raises:
        AuthError: the token cannot stand in a header.
    """

    def __init__(self, text: Secret) -> None:
        try:
            self._token = read_token(text.reveal(), time.time())
        except UnusableResponseError:
            raise AuthError(
                "DIMO_ACCESS_TOKEN holds characters no token has; copy the token again, without quotes or spaces."
            ) from None

    def current(self) -> Secret:
        """The token."""
        return self._token.text

    def renew(self, refused: Secret) -> Secret:  # noqa: ARG002 (the protocol gives it)
        """Raise, since there is no other token."""
        raise AuthError(
            "DIMO_ACCESS_TOKEN was refused or has expired; set a new one, or set DIMO_CLIENT_ID, DIMO_DOMAIN and "
            "DIMO_API_KEY to have tokens made."
        )


class Web3Login:
    """Logs in with the licence's key: challenge, EIP-191 signature, token. One login at a time."""

    def __init__(self, transport: Transport, settings: Settings, *, clock: Callable[[], float] = time.time) -> None:
        self._transport = transport
        self._settings = settings
        self._clock = clock
        self._lock = threading.Lock()
        self._token: Token | None = None
        self._refusal: str | None = None

    def current(self) -> Secret:
        """The token, made or renewed first where that is due.

        Raises:
            AuthError: credentials are missing or were refused; refused once, the service is not asked again.
        """
        return (self._usable() or self._login(refused=None)).text

    def renew(self, refused: Secret) -> Secret:
        """Another token than the one that was refused; one login serves every thread that had it refused.

        Raises:
            AuthError: the credentials are refused now.
        """
        return self._login(refused=refused).text

    def _usable(self) -> Token | None:
        token = self._token
        return None if token is None or token.is_due(self._clock()) else token

    def _login(self, *, refused: Secret | None) -> Token:
        with self._lock:
            # Another thread may have logged in while this one waited.
            token = self._usable()
            if token and (refused is None or token.text.reveal() != refused.reveal()):
                return token
            if self._refusal:
                raise AuthError(self._refusal)
            try:
                self._token = self._logged_in()
            except AuthError as error:
                self._refusal = str(error)
                raise
            return self._token

    def _logged_in(self, logins: int = _LOGINS) -> Token:
        client_id, domain, key = self._settings.client_id, self._settings.domain, self._settings.api_key
        given = {"DIMO_CLIENT_ID": client_id, "DIMO_DOMAIN": domain, "DIMO_API_KEY": key}
        missing = [name for name, value in given.items() if value is None]
        if client_id is None or domain is None or key is None:
            raise AuthError(f"No credentials: set {' and '.join(missing)}, or a DIMO_ACCESS_TOKEN.")
        challenge = self._post(
            "generate_challenge",
            {
                "client_id": client_id,
                "domain": domain,
                # Without `email` the token lacks ethereum_address, and the token exchange refuses it.
                "scope": "openid email",
                "response_type": "code",
                "address": client_id,
            },
            lambda response: decoded(response.body, _Challenge),
        )
        fields = {
            "client_id": client_id,
            "domain": domain,
            "state": challenge.state,
            "signature": sign(challenge.challenge, key),
            "grant_type": "authorization_code",
        }
        try:
            return self._post("submit_challenge", fields, self._read)
        except _StateUsedUpError as used_up:
            if logins > 1:
                return self._logged_in(logins - 1)
            raise AuthError(str(used_up)) from used_up

    def _read(self, response: Response) -> Token:
        return read_token(decoded(response.body, _Submitted).access_token, self._clock())

    def _post(self, step: str, fields: Mapping[str, str], parse: Callable[[Response], T]) -> T:
        request = Request(
            service=AUTH,
            about="a developer token",
            method="POST",
            url=f"{self._settings.auth_url}/auth/web3/{step}",
            content=urlencode(fields).encode(),
            content_type="application/x-www-form-urlencoded",
        )
        try:
            return self._transport.call(request, parse).value
        except HttpRefusedError as refused:
            if step == "submit_challenge" and refused.requests > 1:
                raise _StateUsedUpError(_refusal(refused, self._settings)) from refused
            raise AuthError(_refusal(refused, self._settings)) from refused


class _StateUsedUpError(Exception):
    """A repeated submission was refused; the first may have gone through with its answer lost."""


def sign(challenge: str, key: Secret) -> str:
    """The EIP-191 signature of a text: `0x` and 130 hexadecimal digits.

    Raises:
        AuthError: the key is not a private key.
    """
    # Here and not at the top: it takes a second to load and only a login needs it.
    from eth_account import Account
    from eth_account.messages import encode_defunct

    _check_private_key(key)
    signed = Account.sign_message(encode_defunct(text=challenge), private_key=key.reveal())
    return "0x" + bytes(signed.signature).hex()


def signer_address(key: Secret) -> str:
    """The address whose signatures a private key makes.

    Raises:
        AuthError: the key is not a private key.
    """
    from eth_account import Account

    _check_private_key(key)
    return str(Account.from_key(key.reveal()).address)


def _check_private_key(key: Secret) -> None:
    if not _is_private_key(key.reveal()):
        raise AuthError("DIMO_API_KEY is not a private key; give the 64 hexadecimal digits of the licence's key.")


def _is_private_key(text: str) -> bool:
    digits = _PRIVATE_KEY.fullmatch(text)
    return digits is not None and 0 < int(digits[2], 16) < _CURVE_ORDER


def _refusal(refused: HttpRefusedError, settings: Settings) -> str:
    """What to do about a refusal (the service's replies: dex, `web3` connector)."""
    words = refused.message.lower()
    if "client_id" in words or "invalid ethereum address" in words:
        return f"{refused}; DIMO_CLIENT_ID is {settings.client_id!r}, give the address of your developer licence."
    if "redirect_uri" in words:
        return (
            f"{refused}; DIMO_DOMAIN is {settings.domain!r}, give a redirect URI of the licence, character for "
            "character."
        )
    if "signature" in words:
        return f"{refused}; give in DIMO_API_KEY the private key of an API key enabled on the licence."
    return f"{refused}; check DIMO_CLIENT_ID, DIMO_DOMAIN, DIMO_API_KEY and DIMO_AUTH_URL."
