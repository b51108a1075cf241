"""One running sandbox for all tests, and somebody who calls it as an app would."""

from __future__ import annotations

import time
from datetime import date

import httpx
import pytest
from eth_account import Account
from eth_account.messages import encode_defunct

from dimo_etl.config import Settings
from dimo_etl.sandbox.server import SandboxServer

TODAY = date(2026, 1, 15)
BUSY_DAY = date(2026, 1, 14)
AUTOPI, SMARTCAR, V2, MACARON, TESLA, NON_LOCATION, UNSHARED = 4711, 5023, 6120, 7345, 8102, 8816, 9001


class Clock:
    """The wall clock, but a test may let time pass."""

    def __init__(self) -> None:
        self._passed_s = 0.0

    def __call__(self) -> float:
        return time.time() + self._passed_s

    def pass_by(self, seconds: float) -> None:
        self._passed_s += seconds


class Caller:
    """An app with the sandbox licence, on one HTTP connection."""

    def __init__(self, sandbox: SandboxServer) -> None:
        self.settings = Settings.from_environment(sandbox.environ)
        self.http = httpx.Client(timeout=10)
        self._developer_token: str | None = None
        self._vehicle_tokens: dict[tuple[int, tuple[int, ...]], str] = {}

    def ask_challenge(self, **changes: str) -> httpx.Response:
        licence = self.settings.client_id or ""
        form = {
            "client_id": licence,
            "domain": self.settings.domain or "",
            "scope": "openid email",
            "response_type": "code",
            "address": licence,
        }
        return self.http.post(f"{self.settings.auth_url}/auth/web3/generate_challenge", data=form | changes)

    def sign(self, text: str, key: str | None = None) -> str:
        signed = Account.sign_message(encode_defunct(text=text), key or self.settings.api_key.reveal())
        return "0x" + bytes(signed.signature).hex()

    def submit(self, state: str, signature: str, **changes: str) -> httpx.Response:
        form = {
            "client_id": self.settings.client_id or "",
            "domain": self.settings.domain or "",
            "state": state,
            "signature": signature,
            "grant_type": "authorization_code",
        }
        return self.http.post(f"{self.settings.auth_url}/auth/web3/submit_challenge", data=form | changes)

    def developer_token(self) -> str:
        if self._developer_token is None:
            challenge = self.ask_challenge().json()
            answer = self.submit(challenge["state"], self.sign(challenge["challenge"]))
            self._developer_token = answer.json()["access_token"]
        return self._developer_token

    def exchange(self, body: object, token: str | None = None) -> httpx.Response:
        return self.http.post(
            f"{self.settings.token_exchange_url}/v1/tokens/exchange",
            json=body,
            headers={"Authorization": f"Bearer {token or self.developer_token()}"},
        )

    def legacy_wish(self, token_id: int, *privileges: int) -> dict[str, object]:
        return {
            "nftContractAddress": self.settings.contract,
            "privileges": list(privileges),
            "tokenId": token_id,
        }

    def forget_tokens(self) -> None:
        self._developer_token = None
        self._vehicle_tokens.clear()

    def vehicle_token(self, token_id: int, *privileges: int) -> str:
        key = (token_id, privileges)
        if key not in self._vehicle_tokens:
            answer = self.exchange(self.legacy_wish(token_id, *privileges))
            self._vehicle_tokens[key] = answer.json()["token"]
        return self._vehicle_tokens[key]

    def get(
        self,
        path: str,
        token: str,
        params: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
    ) -> httpx.Response:
        return self.http.get(
            f"{self.settings.device_data_url}{path}",
            params=params,
            headers={"Authorization": f"Bearer {token}"} | (headers or {}),
        )

    def history(
        self, token_id: int, start: object, end: object, privileges: tuple[int, ...] = (1, 4), *, refresh: bool = True
    ) -> httpx.Response:
        params = {"startDate": str(start), "endDate": str(end)} | ({"refresh": "true"} if refresh else {})
        token = self.vehicle_token(token_id, *privileges)
        return self.get(f"/v1/vehicle/{token_id}/history", token, params)

    def query(self, query: str, variables: dict[str, object] | None = None) -> httpx.Response:
        return self.http.post(
            f"{self.settings.identity_url}/query", json={"query": query, "variables": variables or {}}
        )

    def close(self) -> None:
        self.http.close()


@pytest.fixture(scope="session")
def _running():
    with SandboxServer(port=0, seed=1, today=TODAY) as sandbox:
        caller = Caller(sandbox)
        yield sandbox, caller
        caller.close()


@pytest.fixture
def sandbox(_running):
    sandbox, _ = _running
    yield sandbox
    sandbox.faults.clear()


@pytest.fixture
def caller(_running, sandbox):
    return _running[1]


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def own_sandbox(clock):
    """A sandbox of the test's own, whose clock is `clock`."""
    with SandboxServer(port=0, seed=1, today=TODAY, clock=clock) as sandbox:
        yield sandbox


@pytest.fixture
def own_caller(own_sandbox):
    caller = Caller(own_sandbox)
    yield caller
    caller.close()
