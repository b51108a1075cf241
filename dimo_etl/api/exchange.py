"""Vehicle tokens: a developer token exchanged, for each vehicle, with the privileges it shares that show the most.

Which those are depends on what the token is for. The exchange is all or nothing, so one set after the other is asked
for; the set that worked is remembered.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from dimo_etl.api.decode import decoded
from dimo_etl.api.messages import TOKEN_EXCHANGE, HttpRefusedError, Request, Response
from dimo_etl.api.tokens import Token, read_token
from dimo_etl.errors import AuthError, NothingSharedError, RequestRefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dimo_etl.api.auth import AccessTokens
    from dimo_etl.api.transport import Transport
    from dimo_etl.config import Secret, Settings


@dataclass(frozen=True, slots=True)
class Purpose:
    """What a token is for.

    Attributes:
        what: as a refusal names it.
        sets: the privileges to ask for, those that show the most first.
        wanted: the privileges of which one is needed, in words.
    """

    what: str
    sets: tuple[tuple[int, ...], ...]
    wanted: str


# 1 non-location data, 3 current location (deprecated), 4 location history: what the history endpoint looks at.
HISTORY = Purpose("history", ((1, 3, 4), (1, 4), (1,), (4,)), "non-location or location history")
# A raw status hides the position from every token but one with 3 and without 4.
STATUS = Purpose(
    "status", ((1, 3), (1, 4), (1,), (3,), (4,)), "non-location history, current location or location history"
)
# 8 shows about where a vehicle was, of use where 4 is not granted.
SIGNALS = Purpose("signals", ((1, 4), (1, 8), (1,), (4,), (8,)), "non-location or location history")
# Either is enough for raw events, and both show everything.
RAW_EVENTS = Purpose(
    "raw events",
    ((1, 4), (7,)),
    "its raw data, or its location and non-location history; --source telemetry brings what it does share",
)
DISTANCES = Purpose("distances", ((1,),), "non-location history")


@dataclass(frozen=True, slots=True)
class VehicleToken:
    """A vehicle token and the privileges it was issued with."""

    text: Secret
    privileges: tuple[int, ...]


class _Exchanged(msgspec.Struct, frozen=True):
    token: str


@dataclass(slots=True)
class _Vehicle:
    lock: threading.Lock = field(default_factory=threading.Lock)
    token: Token | None = None
    privileges: tuple[int, ...] = ()
    refusal: str | None = None


class VehicleTokens:
    """The tokens of all vehicles; one exchange at a time for each vehicle.

    Args:
        transport: sends the requests.
        access_tokens: where developer tokens come from.
        settings: the service's address and the vehicle contract.
        purpose: what the tokens are for.
        granted: privileges known to be granted, by token id; they choose the set that is asked for first.
        clock: seconds since the epoch.
    """

    def __init__(
        self,
        transport: Transport,
        access_tokens: AccessTokens,
        settings: Settings,
        *,
        purpose: Purpose = HISTORY,
        granted: Mapping[int, frozenset[int]] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._transport = transport
        self._access_tokens = access_tokens
        self._settings = settings
        self._purpose = purpose
        self._granted = granted or {}
        self._clock = clock
        self._lock = threading.Lock()
        self._vehicles: dict[int, _Vehicle] = {}

    def get(self, token_id: int) -> VehicleToken:
        """The vehicle's token, exchanged or renewed first where that is due.

        Raises:
            NothingSharedError: the vehicle shares nothing of use with this licence; the service is asked once.
            AuthError: the developer token is refused.
            RequestRefusedError: the exchange itself is refused.
            ServiceError: the exchange does not answer.
        """
        return self._token(token_id, refused=None)

    def renew(self, token_id: int, refused: Secret) -> VehicleToken:
        """Another token than the one that was refused.

        Raises:
            the errors of `get`.
        """
        return self._token(token_id, refused=refused)

    def _token(self, token_id: int, *, refused: Secret | None) -> VehicleToken:
        with self._lock:
            vehicle = self._vehicles.setdefault(token_id, _Vehicle())
        with vehicle.lock:
            token = vehicle.token
            if token is None or token.is_due(self._clock()) or (refused and token.text.reveal() == refused.reveal()):
                token = self._exchanged(token_id, vehicle)
            return VehicleToken(token.text, vehicle.privileges)

    def _exchanged(self, token_id: int, vehicle: _Vehicle) -> Token:
        if vehicle.refusal:
            raise NothingSharedError(vehicle.refusal)
        words = ""
        for privileges in self._sets(token_id, vehicle):
            try:
                vehicle.token = self._asked(token_id, privileges)
            except _LacksPermissionError as lacking:
                words = str(lacking)
                continue
            vehicle.privileges = privileges
            return vehicle.token
        vehicle.refusal = (
            f"Vehicle {token_id} does not share its {self._purpose.what} with this licence "
            f"({words or 'no reason given'}); ask its owner to grant {self._purpose.wanted}."
        )
        raise NothingSharedError(vehicle.refusal)

    def _sets(self, token_id: int, vehicle: _Vehicle) -> list[tuple[int, ...]]:
        """The sets to ask for: the one that worked, or the largest known to be granted, then the others."""
        granted = self._granted.get(token_id, frozenset())
        hinted = [wanted for wanted in self._purpose.sets if granted.issuperset(wanted)][:1]
        worked = [vehicle.privileges] if vehicle.privileges else []
        return list(dict.fromkeys([*worked, *hinted, *self._purpose.sets]))

    def _asked(self, token_id: int, privileges: tuple[int, ...]) -> Token:
        access = self._access_tokens.current()
        try:
            return self._post(token_id, privileges, access)
        except HttpRefusedError as refused:
            if not _is_about_the_developer_token(refused):
                raise _refusal(refused) from refused
        try:
            return self._post(token_id, privileges, self._access_tokens.renew(access))
        except HttpRefusedError as refused:
            raise _refusal(refused) from refused

    def _post(self, token_id: int, privileges: tuple[int, ...], access: Secret) -> Token:
        body = {
            "nftContractAddress": self._settings.contract,
            "privileges": privileges,
            "tokenId": token_id,
        }
        request = Request(
            service=TOKEN_EXCHANGE,
            about=f"a token for vehicle {token_id}",
            method="POST",
            url=f"{self._settings.token_exchange_url}/v1/tokens/exchange",
            bearer=access,
            content=msgspec.json.encode(body),
            content_type="application/json",
        )
        return self._transport.call(request, self._read).value

    def _read(self, response: Response) -> Token:
        return read_token(decoded(response.body, _Exchanged).token, self._clock())


class _LacksPermissionError(Exception):
    """The vehicle does not share all of the privileges that were asked for; the text is the service's words."""


def _is_about_the_developer_token(refused: HttpRefusedError) -> bool:
    # A malformed token is a 400 in plain text: "missing or malformed JWT".
    return refused.status == 401 or (refused.status == 400 and "jwt" in refused.message.lower())


def _refusal(refused: HttpRefusedError) -> Exception:
    if _is_about_the_developer_token(refused):
        return AuthError(f"{refused}; check the licence, its key and DIMO_ENVIRONMENT.")
    if refused.status == 403 and "not a dev license" in refused.message:
        return AuthError(f"{refused}; give in DIMO_CLIENT_ID the address of a developer licence.")
    if refused.status == 403:
        return _LacksPermissionError(refused.message)
    return RequestRefusedError(f"{refused}; check DIMO_TOKEN_EXCHANGE_URL and DIMO_ENVIRONMENT.")
