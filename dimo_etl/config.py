"""The one place that reads configuration: environment variables, with `.env` honoured."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from dimo_etl.errors import ConfigError, InputError
from dimo_etl.history.sources import SOURCES
from dimo_etl.model import parse_vehicle_id

ENVIRONMENTS = ("production", "dev", "sandbox")
SANDBOX_PORT = 8711
WAREHOUSE, DEMO_WAREHOUSE = "warehouse/data", "warehouse/demo"
# The published limit of the Device Data API is 9 requests a second (3 in dev); the default stays below it.
_DEFAULT_RPS = {"production": 8.0, "dev": 2.5}
_SERVICES = {
    "DIMO_AUTH_URL": "auth",
    "DIMO_TOKEN_EXCHANGE_URL": "token-exchange-api",
    "DIMO_DEVICE_DATA_URL": "device-data-api",
    "DIMO_DEVICES_URL": "devices-api",
    "DIMO_IDENTITY_URL": "identity-api",
    "DIMO_FETCH_URL": "fetch-api",
    "DIMO_TELEMETRY_URL": "telemetry-api",
}
STATUS_EVENTS = "dimo.status"
# Plain names only: they stand in SQL and in patterns of files.
_BUCKET = re.compile(r"s3://[A-Za-z0-9._-]+(/[A-Za-z0-9._=-]+)*/?(\?[^?#]*)?")
_EVENT_TYPE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
# The Device Data API is closed to most licences; the sandbox serves it, and its draws are the hardest to complete.
_DEFAULT_SOURCES = {"production": "fetch", "dev": "fetch", "sandbox": "device-data"}
# The vehicle NFT contracts, by environment.
_CONTRACTS = {
    "production": "0xbA5738a18d83D41847dfFbDC6101d37C69c9B0cF",
    "dev": "0x45fbCD3ef7361d156e8b16F5538AE36DEdf61Da8",
    "sandbox": "0xbA5738a18d83D41847dfFbDC6101d37C69c9B0cF",
}
_CHAINS = {"production": 137, "dev": 80002, "sandbox": 137}
# The licence of the local sandbox. Its key opens nothing but the sandbox, which ships with this package.
SANDBOX_LICENCE = {
    "DIMO_CLIENT_ID": "0xd09Ad14080d4b257a819a4f579b8485Be88f086c",
    "DIMO_DOMAIN": "http://127.0.0.1/sandbox",
    "DIMO_API_KEY": "0x" + "05" * 32,
}


class Secret:
    """A text that never shows itself: not in logs, tracebacks, reprs or formatted strings."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The text itself, for the one call that needs it."""
        return self._value

    def __repr__(self) -> str:
        return "Secret('***')"

    __str__ = __repr__

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("a secret is not pickled")


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything a run is told from outside.

    Attributes:
        environment: `production`, `dev` or `sandbox`.
        auth_url, token_exchange_url, device_data_url, devices_url, identity_url: bases of the REST services and of
            identity, no trailing slash.
        fetch_url, telemetry_url: bases of the GraphQL services, to which `/query` is added.
        contract: the vehicle NFT contract the token exchange is asked about.
        chain_id: the chain it is on, as DIDs name it.
        warehouse: absolute folder, or address in an object store.
        source: where history comes from, a name of `history.sources.SOURCES`.
        event_types: the types of CloudEvents that are brought of raw events.
        max_rps: requests a second over all processes of this machine; None for no limit.
        time_zone: the IANA zone whose days DIMO is asked for distances of.
        lookback_days: how many days an unattended run asks for, the newest included, as events arrive late.
        retry_after_s: how long an unattended run waits before it tries once more what may pass by itself.
        webhook_url: where failures are posted.
        smtp_url, mail_from, mail_to: the mail server, and from and to whom failures are mailed; all three or none.
    """

    environment: str
    auth_url: str
    token_exchange_url: str
    device_data_url: str
    devices_url: str
    identity_url: str
    fetch_url: str
    telemetry_url: str
    contract: str
    warehouse: str
    start_date: date
    source: str
    event_types: tuple[str, ...] = (STATUS_EVENTS,)
    client_id: str | None = None
    domain: str | None = None
    api_key: Secret | None = field(default=None, repr=False)
    access_token: Secret | None = field(default=None, repr=False)
    vehicles: tuple[str, ...] = ()
    concurrency: int = 4
    max_rps: float | None = None
    time_zone: str = "UTC"
    lookback_days: int = 3
    retry_after_s: float = 60.0
    webhook_url: Secret | None = field(default=None, repr=False)
    smtp_url: Secret | None = field(default=None, repr=False)
    mail_from: str | None = None
    mail_to: tuple[str, ...] = ()

    @property
    def chain_id(self) -> int:
        """See the attributes."""
        return _CHAINS[self.environment]

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Settings:
        """Read the settings from environment variables.

        Args:
            environ: the variables, `.env` already merged in (`load_environment` does that).

        Raises:
            ConfigError: a variable has a value that cannot be used; the message names it.
        """
        given = {key: value.strip() for key, value in environ.items() if value.strip()}
        environment = given.get("DIMO_ENVIRONMENT", "production")
        if environment not in ENVIRONMENTS:
            raise ConfigError(f"DIMO_ENVIRONMENT is {environment!r}; give one of {', '.join(ENVIRONMENTS)}.")
        if environment == "sandbox":
            given = SANDBOX_LICENCE | given
        urls = {name: _service_url(name, given, environment) for name in _SERVICES}
        key, token = given.get("DIMO_API_KEY"), given.get("DIMO_ACCESS_TOKEN")
        smtp_url, mail_from, mail_to = _mail(given)
        return cls(
            environment=environment,
            auth_url=urls["DIMO_AUTH_URL"],
            token_exchange_url=urls["DIMO_TOKEN_EXCHANGE_URL"],
            device_data_url=urls["DIMO_DEVICE_DATA_URL"],
            devices_url=urls["DIMO_DEVICES_URL"],
            identity_url=urls["DIMO_IDENTITY_URL"],
            fetch_url=urls["DIMO_FETCH_URL"],
            telemetry_url=urls["DIMO_TELEMETRY_URL"],
            contract=_CONTRACTS[environment],
            warehouse=_warehouse(given.get("DIMO_WAREHOUSE", WAREHOUSE)),
            start_date=_date("DIMO_START_DATE", given.get("DIMO_START_DATE", "2020-01-01")),
            source=source_named(given.get("DIMO_SOURCE", _DEFAULT_SOURCES[environment]), "DIMO_SOURCE"),
            event_types=_event_types(given.get("DIMO_EVENT_TYPES", STATUS_EVENTS)),
            client_id=given.get("DIMO_CLIENT_ID"),
            domain=given.get("DIMO_DOMAIN"),
            api_key=Secret(key) if key else None,
            access_token=Secret(token) if token else None,
            vehicles=_vehicles(given.get("DIMO_VEHICLES", "")),
            concurrency=_whole("DIMO_CONCURRENCY", given.get("DIMO_CONCURRENCY", "4"), 1, 64),
            max_rps=_max_rps(given, environment, urls["DIMO_DEVICE_DATA_URL"]),
            lookback_days=_whole("DIMO_LOOKBACK_DAYS", given.get("DIMO_LOOKBACK_DAYS", "3"), 1, 31),
            time_zone=_time_zone(given.get("DIMO_TIME_ZONE", "UTC")),
            retry_after_s=_number("DIMO_RETRY_AFTER", given.get("DIMO_RETRY_AFTER", "60"), 0, 3600),
            webhook_url=_webhook(given.get("DIMO_WEBHOOK_URL")),
            smtp_url=smtp_url,
            mail_from=mail_from,
            mail_to=mail_to,
        )


def source_named(text: str, where: str) -> str:
    """A source of history by its name.

    Args:
        text: the name.
        where: the variable or option it was given in.

    Raises:
        ConfigError: there is none of that name.
    """
    if text not in SOURCES:
        raise ConfigError(f"{where} is {text!r}; give one of {', '.join(SOURCES)}.")
    return text


def load_environment(environ: Mapping[str, str], folder: Path) -> dict[str, str]:
    """The variables of `folder/.env`, where there is one, overridden by those already set."""
    from dotenv import dotenv_values

    path = folder / ".env"
    if not path.is_file():
        return dict(environ)
    try:
        from_file = dotenv_values(path, encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"The file {path} cannot be read: {error}.") from error
    return {key: value for key, value in from_file.items() if value is not None} | dict(environ)


def _service_url(name: str, given: Mapping[str, str], environment: str) -> str:
    service = _SERVICES[name]
    if environment == "sandbox":
        default = f"http://127.0.0.1:{SANDBOX_PORT}/{service}"
    else:
        default = f"https://{service}{'.dev' if environment == 'dev' else ''}.dimo.zone"
    url = given.get(name, default).rstrip("/")
    try:
        parts = urlsplit(url)
        is_sound = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_sound = False
    if not is_sound or re.search(r"\s", url):
        raise ConfigError(f"{name} is not an http(s) address; give one such as {default}.")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ConfigError(f"{name} must be a plain base address without user, password, query or fragment.")
    if parts.scheme == "http" and not is_loopback(url):
        raise ConfigError(f"{name} is {url!r}; only https may carry credentials off this machine.")
    return url


def is_loopback(url: str) -> bool:
    """Whether an address is on this machine."""
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _warehouse(text: str) -> str:
    if "://" in text:
        # The address is not repeated: it may hold a key.
        if "@" in text:
            raise ConfigError(
                "DIMO_WAREHOUSE holds a user or a key; give these as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
            )
        if _BUCKET.fullmatch(text) is None:
            raise ConfigError("DIMO_WAREHOUSE is an address of no object store; give a folder, or s3://bucket/folder.")
        return text
    return str(Path(text).expanduser().absolute())


def _date(name: str, text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ConfigError(f"{name} is {text!r}; give a day such as 2026-01-31.") from None


def _number(name: str, text: str, low: float, high: float) -> float:
    try:
        number = float(text)
    except ValueError:
        number = float("nan")
    if not low <= number <= high:
        raise ConfigError(f"{name} is {text!r}; give a number from {low:g} to {high:g}.")
    return number


def _whole(name: str, text: str, low: int, high: int) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 10 and low <= int(text) <= high):
        raise ConfigError(f"{name} is {text!r}; give a whole number from {low} to {high}.")
    return int(text)


def _webhook(text: str | None) -> Secret | None:
    """An address to post to. It is often all that it takes to post there, so it is kept like a key."""
    if text is None:
        return None
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError("DIMO_WEBHOOK_URL is not an http(s) address.")
    if parts.scheme == "http" and not is_loopback(text):
        raise ConfigError("DIMO_WEBHOOK_URL is not https, which alone may carry it off this machine.")
    return Secret(text)


def _mail(given: Mapping[str, str]) -> tuple[Secret | None, str | None, tuple[str, ...]]:
    """The mail server, the sender and the receivers: all of them, or none."""
    names = ("DIMO_SMTP_URL", "DIMO_MAIL_FROM", "DIMO_MAIL_TO")
    missing = [name for name in names if name not in given]
    if len(missing) == len(names):
        return None, None, ()
    if missing:
        raise ConfigError(f"{' and '.join(missing)} must be set too, for failures to be mailed.")
    url, sender, receivers = (given[name] for name in names)
    parts = urlsplit(url)
    if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
        raise ConfigError("DIMO_SMTP_URL is not an address such as smtp://user:password@mail.example.org:587.")
    return Secret(url), sender, tuple(part.strip() for part in receivers.split(",") if part.strip())


def _time_zone(text: str) -> str:
    # The base zone needs no file, which slim systems lack.
    try:
        return text if text == "UTC" else ZoneInfo(text).key
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ConfigError(
            f"DIMO_TIME_ZONE is {text!r}, which this system knows no clock of; give an IANA zone such as Europe/Berlin."
        ) from None


def _vehicles(text: str) -> tuple[str, ...]:
    try:
        return tuple(dict.fromkeys(parse_vehicle_id(part) for part in text.split(",") if part.strip()))
    except InputError as error:
        raise ConfigError(f"DIMO_VEHICLES: {error}") from error


def _event_types(text: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    wrong = next((name for name in names if _EVENT_TYPE.fullmatch(name) is None), None)
    if wrong is not None or not names:
        raise ConfigError(f"DIMO_EVENT_TYPES is {text!r}; give types of CloudEvents such as dimo.status,dimo.events.")
    return names


def _max_rps(given: Mapping[str, str], environment: str, device_data_url: str) -> float | None:
    text = given.get("DIMO_MAX_RPS")
    if text is not None:
        return _number("DIMO_MAX_RPS", text, 0.01, 10_000)
    return None if is_loopback(device_data_url) else _DEFAULT_RPS.get(environment, 8.0)
