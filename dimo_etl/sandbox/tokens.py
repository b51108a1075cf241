"""Issues and verifies the two kinds of RS256 JWT: the developer's from auth, the vehicle's from the exchange."""

from __future__ import annotations

import json
import secrets
from typing import TYPE_CHECKING, TypeAlias, cast

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Claims: TypeAlias = "Mapping[str, object]"
DEVELOPER_LIFETIME_S = 14 * 86_400
VEHICLE_LIFETIME_S = 600


class InvalidTokenError(Exception):
    """A token is not one this issuer gave, or its time is over."""


class Issuer:
    """One signing key, the tokens it signs, and the day they all end."""

    def __init__(self, issuer: str, lifetime_s: int, clock: Callable[[], float]) -> None:
        """Make a key.

        Args:
            issuer: the `iss` claim.
            lifetime_s: seconds a token is good for.
            clock: seconds since the epoch.
        """
        self.lifetime_s = lifetime_s
        self._issuer = issuer
        self._clock = clock
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self._generation = 1

    def issue(self, claims: Claims) -> str:
        """A token with the claims, `iss`, `iat` and `exp`."""
        now = int(self._clock())
        # A token of its own each time, also within a second: the answers cached for another are not for this one.
        own = {"iat": now, "exp": now + self.lifetime_s, "jti": secrets.token_hex(8)}
        payload = {"iss": self._issuer, **claims, **own}
        return jwt.encode(payload, self._key, algorithm="RS256", headers={"kid": self._kid})

    def verify(self, token: str) -> Claims:
        """The claims of a token.

        Raises:
            InvalidTokenError: it is not ours, not whole, or expired.
        """
        try:
            if jwt.get_unverified_header(token).get("kid") != self._kid:
                raise InvalidTokenError
            claims = cast(
                "dict[str, object]",
                jwt.decode(
                    token,
                    self._key.public_key(),
                    algorithms=["RS256"],
                    issuer=self._issuer,
                    options={"verify_aud": False, "verify_exp": False, "verify_iat": False},
                ),
            )
        except jwt.InvalidTokenError as error:
            raise InvalidTokenError from error
        expires = claims.get("exp")
        if not isinstance(expires, int) or expires <= self._clock():
            raise InvalidTokenError
        return claims

    def expire_all(self) -> None:
        """End every token given so far, as a rotation of the key does."""
        self._generation += 1

    def jwks(self) -> bytes:
        """The public key as a JSON Web Key Set."""
        key = cast("dict[str, object]", jwt.algorithms.RSAAlgorithm.to_jwk(self._key.public_key(), as_dict=True))
        return json.dumps({"keys": [key | {"kid": self._kid, "alg": "RS256", "use": "sig"}]}).encode()

    @property
    def _kid(self) -> str:
        return f"sandbox-{self._generation}"


def bearer(header: str | None) -> str | None:
    """The token in an `Authorization` header; None where there is none."""
    scheme, _, token = (header or "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None
