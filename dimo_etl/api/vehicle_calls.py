"""Requests about one vehicle, with a token of its own that is renewed whenever the service no longer takes it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Generic, TypeVar

from dimo_etl.api.messages import HttpRefusedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from dimo_etl.api.exchange import VehicleTokens
    from dimo_etl.api.messages import Request, Response
    from dimo_etl.api.transport import Transport

T = TypeVar("T")
# A token refused right after its renewal is not refused for its age.
_RENEWALS = 3


@dataclass(frozen=True, slots=True)
class VehicleAnswer(Generic[T]):
    """What a call gave, the requests it took, and the privileges of the token, which decide what the answer shows."""

    value: T
    requests: int
    privileges: tuple[int, ...]


class VehicleCalls:
    """Sends requests with vehicle tokens, for any number of threads."""

    def __init__(self, transport: Transport, tokens: VehicleTokens) -> None:
        self._transport = transport
        self._tokens = tokens

    def call(self, token_id: int, request: Request, parse: Callable[[Response], T]) -> VehicleAnswer[T]:
        """Send a request until it is answered.

        Args:
            token_id: the vehicle.
            request: what to send; the token is added here.
            parse: as for `Transport.call`.

        Raises:
            HttpRefusedError: the service refused it for good; its `requests` counts those with older tokens too.
            VehicleRefusedError, AuthError, RequestRefusedError: there is no token to be had.
            ServiceError: no usable answer after every retry.
        """
        token = self._tokens.get(token_id)
        spent = renewals = 0
        while True:
            try:
                answer = self._transport.call(replace(request, bearer=token.text), parse)
            except HttpRefusedError as refused:
                spent += refused.requests
                if refused.status != 401 or renewals == _RENEWALS:
                    refused.requests = spent
                    raise
                renewals += 1
                token = self._tokens.renew(token_id, token.text)
                continue
            return VehicleAnswer(answer.value, spent + answer.requests, token.privileges)
