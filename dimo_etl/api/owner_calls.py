"""Requests about a device of the account itself, with the developer token, renewed when the service refuses it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from dimo_etl.api.messages import Answer, HttpRefusedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from dimo_etl.api.auth import AccessTokens
    from dimo_etl.api.messages import Request, Response
    from dimo_etl.api.transport import Transport

T = TypeVar("T")


class OwnerCalls:
    """Sends requests with the developer token, for any number of threads."""

    def __init__(self, transport: Transport, access_tokens: AccessTokens) -> None:
        self._transport = transport
        self._access_tokens = access_tokens

    def call(self, request: Request, parse: Callable[[Response], T]) -> Answer[T]:
        """Send a request until it is answered.

        Args:
            request: what to send; the token is added here.
            parse: as for `Transport.call`.

        Raises:
            HttpRefusedError: the service refused it for good; its `requests` counts the one with the older token too.
            AuthError: there is no token to be had.
            ServiceError: no usable answer after every retry.
        """
        token = self._access_tokens.current()
        try:
            return self._transport.call(replace(request, bearer=token), parse)
        except HttpRefusedError as refused:
            if refused.status != 401:
                raise
            spent = refused.requests
        try:
            answer = self._transport.call(replace(request, bearer=self._access_tokens.renew(token)), parse)
        except HttpRefusedError as refused:
            refused.requests += spent
            raise
        return Answer(answer.value, spent + answer.requests)
