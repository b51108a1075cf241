"""A bearer token, and when to renew it: read from the token itself, never assumed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dimo_etl.api.messages import UnusableResponseError
from dimo_etl.config import Secret

if TYPE_CHECKING:
    from collections.abc import Mapping

# Renewed at this part of its life, so that no request starts with a token about to expire.
_RENEW_AT = 0.8
_HEADER_SAFE = re.compile(r"[\x21-\x7e]{1,16000}")


@dataclass(frozen=True, slots=True)
class Token:
    """A token, with times in seconds since the epoch; None where the token is opaque and does not tell."""

    text: Secret
    renew_at: float | None
    expires_at: float | None

    def is_due(self, now: float) -> bool:
        """Whether to renew it rather than use it."""
        return self.renew_at is not None and now >= self.renew_at


def read_token(text: str, now: float) -> Token:
    """A token just received.

    Its life is `exp - iat` from now on, so that a clock that differs from the issuer's does no harm.

    Raises:
        UnusableResponseError: the text cannot stand in a header.
    """
    if not _HEADER_SAFE.fullmatch(text):
        raise UnusableResponseError("its token cannot be sent in a header")
    claims = _claims(text)
    expires, issued = _seconds(claims, "exp"), _seconds(claims, "iat")
    if expires is None:
        return Token(Secret(text), None, None)
    life = expires - (now if issued is None else issued)
    return Token(Secret(text), now + _RENEW_AT * life, expires)


def _claims(text: str) -> Mapping[str, object]:
    # Here and not at the top: it brings in cryptography, which takes time to load.
    import jwt

    try:
        # The services check the signature; here only the times matter.
        claims: Mapping[str, object] = jwt.decode(text, options={"verify_signature": False})
    except jwt.PyJWTError:
        return {}
    return claims


def _seconds(claims: Mapping[str, object], name: str) -> float | None:
    value = claims.get(name)
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 2**40:
        return float(value)
    return None
