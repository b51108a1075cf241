"""Settings: every variable, its default, what is refused, and secrets that never show."""

from __future__ import annotations

import logging
import pickle
import traceback
from datetime import date
from pathlib import Path

import pytest

from dimo_etl.config import SANDBOX_LICENCE, Secret, Settings, is_loopback, load_environment
from dimo_etl.errors import ConfigError

CANARY = "0x" + "c0ffee" * 10 + "beef"
SERVICES = {
    "DIMO_AUTH_URL": ("auth_url", "auth"),
    "DIMO_TOKEN_EXCHANGE_URL": ("token_exchange_url", "token-exchange-api"),
    "DIMO_DEVICE_DATA_URL": ("device_data_url", "device-data-api"),
    "DIMO_IDENTITY_URL": ("identity_url", "identity-api"),
    "DIMO_FETCH_URL": ("fetch_url", "fetch-api"),
    "DIMO_TELEMETRY_URL": ("telemetry_url", "telemetry-api"),
}


def read(**environ):
    return Settings.from_environment(environ)


def test_without_any_variable_it_is_production_with_every_shared_vehicle():
    settings = read()
    assert settings.environment == "production"
    assert settings.warehouse == str(Path("warehouse/data").absolute())
    assert (settings.start_date, settings.vehicles, settings.concurrency) == (date(2020, 1, 1), (), 4)
    assert (settings.client_id, settings.domain, settings.api_key, settings.access_token) == (None, None, None, None)
    assert settings.max_rps == 8.0
    assert settings.contract == "0xbA5738a18d83D41847dfFbDC6101d37C69c9B0cF"


@pytest.mark.parametrize("name", SERVICES)
def test_each_service_has_an_address_in_each_environment_and_can_be_given_another(name):
    attribute, service = SERVICES[name]
    assert getattr(read(), attribute) == f"https://{service}.dimo.zone"
    assert getattr(read(DIMO_ENVIRONMENT="dev"), attribute) == f"https://{service}.dev.dimo.zone"
    assert getattr(read(DIMO_ENVIRONMENT="sandbox"), attribute) == f"http://127.0.0.1:8711/{service}"
    assert getattr(read(**{name: "https://example.org:8443/base/"}), attribute) == "https://example.org:8443/base"


def test_every_other_variable_is_read():
    settings = read(
        DIMO_ENVIRONMENT=" dev ",
        DIMO_CLIENT_ID="0xabc",
        DIMO_DOMAIN="https://app.example.org",
        DIMO_API_KEY=CANARY,
        DIMO_ACCESS_TOKEN="token",
        DIMO_VEHICLES="4711, 0005023,,2testUserDevice000000000001,4711",
        DIMO_WAREHOUSE="/tmp/lake",
        DIMO_START_DATE="2024-02-29",
        DIMO_CONCURRENCY="16",
        DIMO_LOOKBACK_DAYS="10",
        DIMO_MAX_RPS="0.5",
    )
    assert settings.environment == "dev"
    assert settings.contract == "0x45fbCD3ef7361d156e8b16F5538AE36DEdf61Da8"
    assert (settings.client_id, settings.domain) == ("0xabc", "https://app.example.org")
    assert (settings.api_key.reveal(), settings.access_token.reveal()) == (CANARY, "token")
    assert settings.vehicles == ("4711", "5023", "2testUserDevice000000000001")
    assert (settings.warehouse, settings.start_date) == ("/tmp/lake", date(2024, 2, 29))
    assert (settings.concurrency, settings.max_rps, settings.lookback_days) == (16, 0.5, 10)


def test_history_comes_from_a_source_that_there_is():
    assert (read().source, read(DIMO_ENVIRONMENT="dev").source) == ("fetch", "fetch")
    assert read(DIMO_ENVIRONMENT="sandbox").source == "device-data"
    assert read(DIMO_SOURCE="device-data").source == "device-data"
    with pytest.raises(ConfigError, match=r"DIMO_SOURCE is 'divination'; give one of .*device-data"):
        read(DIMO_SOURCE="divination")


def test_the_types_of_raw_events_are_names_by_comma():
    assert read().event_types == ("dimo.status",)
    assert read(DIMO_EVENT_TYPES="dimo.status, dimo.events,").event_types == ("dimo.status", "dimo.events")
    for wrong in (",", 'dimo.status"', "dimo status"):
        with pytest.raises(ConfigError, match="DIMO_EVENT_TYPES"):
            read(DIMO_EVENT_TYPES=wrong)


def test_an_empty_variable_is_one_that_is_not_set():
    assert read(DIMO_ENVIRONMENT="", DIMO_CONCURRENCY=" ", DIMO_API_KEY="", DIMO_MAX_RPS="") == read()


def test_the_sandbox_needs_no_account_and_takes_another_licence():
    assert read(DIMO_ENVIRONMENT="sandbox").client_id == SANDBOX_LICENCE["DIMO_CLIENT_ID"]
    assert read(DIMO_ENVIRONMENT="sandbox", DIMO_CLIENT_ID="0xabc").client_id == "0xabc"


def test_the_limit_of_requests_is_the_environments_and_none_on_this_machine():
    assert read(DIMO_ENVIRONMENT="dev").max_rps == 2.5
    assert read(DIMO_ENVIRONMENT="sandbox").max_rps is None
    assert read(DIMO_DEVICE_DATA_URL="http://localhost:1").max_rps is None
    assert read(DIMO_ENVIRONMENT="sandbox", DIMO_MAX_RPS="3").max_rps == 3.0


def test_a_warehouse_is_an_absolute_folder_or_an_address_in_an_object_store():
    assert read(DIMO_WAREHOUSE="lake").warehouse == str(Path("lake").absolute())
    assert read(DIMO_WAREHOUSE="~/lake").warehouse == str(Path.home() / "lake")
    address = "s3://bucket/lake?endpoint_override=localhost:9000&scheme=http"
    assert read(DIMO_WAREHOUSE=address).warehouse == address


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("s3://key:hush@bucket/lake", "holds a user or a key"),
        ("gs://hush/lake", "of no object store"),
        ("s3://", "of no object store"),
        ("s3://bucket/hush*", "of no object store"),
    ],
)
def test_an_address_that_cannot_be_used_is_refused_without_repeating_it(address, why):
    with pytest.raises(ConfigError, match=why) as refused:
        read(DIMO_WAREHOUSE=address)
    assert "hush" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DIMO_ENVIRONMENT", "prod"),
        ("DIMO_START_DATE", "yesterday"),
        ("DIMO_START_DATE", "2023-02-29"),
        ("DIMO_CONCURRENCY", "0"),
        ("DIMO_CONCURRENCY", "65"),
        ("DIMO_CONCURRENCY", "many"),
        ("DIMO_CONCURRENCY", "2.5"),
        ("DIMO_CONCURRENCY", "nan"),
        ("DIMO_MAX_RPS", "0"),
        ("DIMO_MAX_RPS", "-1"),
        ("DIMO_MAX_RPS", "inf"),
        ("DIMO_VEHICLES", "4711,../x"),
        *((name, value) for name in SERVICES for value in ("example.org", "ftp://example.org", "http://example.org")),
        ("DIMO_AUTH_URL", "https://example.org:port"),
        ("DIMO_AUTH_URL", "https://example.org:0"),
        ("DIMO_AUTH_URL", "https://[::1"),
        ("DIMO_AUTH_URL", "https://exa mple.org"),
        ("DIMO_AUTH_URL", "https://"),
        ("DIMO_AUTH_URL", "https://user:pass@example.org"),
        ("DIMO_AUTH_URL", "https://example.org?key=1"),
        ("DIMO_AUTH_URL", "http://127.example.org"),
        ("DIMO_AUTH_URL", "http://127.0.0.1.example.org"),
    ],
)
def test_a_value_that_cannot_be_used_is_told_by_the_name_of_its_variable(name, value):
    with pytest.raises(ConfigError, match=rf"^{name}:? .*\.$"):
        read(**{name: value})


def test_a_password_in_an_address_is_not_repeated():
    with pytest.raises(ConfigError) as told:
        read(DIMO_AUTH_URL=f"https://user:{CANARY}@example.org")
    assert CANARY not in str(told.value)


@pytest.mark.parametrize("url", ["http://localhost:1/x", "http://127.0.0.1", "http://127.9.9.9:1", "http://[::1]:1"])
def test_this_machine_is_known_by_its_addresses(url):
    assert is_loopback(url)


def test_a_file_named_env_is_honoured_and_overridden_by_what_is_set(tmp_path):
    (tmp_path / ".env").write_text("DIMO_CLIENT_ID=from-file\nexport DIMO_DOMAIN='from file'\nDIMO_VEHICLES\n# no\n")
    environ = load_environment({"DIMO_CLIENT_ID": "set"}, tmp_path)
    assert environ == {"DIMO_CLIENT_ID": "set", "DIMO_DOMAIN": "from file"}
    assert load_environment({"A": "b"}, tmp_path / "elsewhere") == {"A": "b"}


def test_an_env_file_that_is_no_text_is_told(tmp_path):
    (tmp_path / ".env").write_bytes(b"DIMO_API_KEY=\xff\xfe")
    with pytest.raises(ConfigError, match=r"\.env cannot be read"):
        load_environment({}, tmp_path)


def shown(settings):
    """All the ways in which settings may come to be seen."""
    secret = settings.api_key
    yield from (repr(secret), str(secret), f"{secret}", f"{secret!r}", repr([secret]))
    yield from (repr(settings), str(settings), f"{settings}", repr({"a": (settings, secret)}))
    yield logging.LogRecord("x", logging.INFO, "p", 1, "%s %r", (secret, settings), None).getMessage()
    with pytest.raises(TypeError) as told:
        pickle.dumps(settings)
    yield "".join(traceback.TracebackException.from_exception(told.value, capture_locals=True).format())


def test_a_secret_never_shows():
    for text in shown(read(DIMO_API_KEY=CANARY, DIMO_ACCESS_TOKEN=CANARY)):
        assert CANARY[2:] not in text


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_secret_is_not_pickled(protocol):
    with pytest.raises(TypeError, match="a secret is not pickled"):
        pickle.dumps(Secret(CANARY), protocol)
    with pytest.raises(TypeError):
        pickle.dumps(read(DIMO_API_KEY=CANARY), protocol)


@pytest.mark.parametrize("name", ["UTC", "Europe/Berlin", "Asia/Kathmandu"])
def test_a_zone_is_taken_by_its_iana_name(name: str) -> None:
    assert Settings.from_environment({"DIMO_TIME_ZONE": name}).time_zone == name


@pytest.mark.parametrize("name", ["Berlin", "+02:00", "../etc/passwd", "/etc/localtime", "Europe"])
def test_what_is_no_zone_is_refused_with_an_example(name: str) -> None:
    with pytest.raises(ConfigError, match=r"DIMO_TIME_ZONE .* such as Europe/Berlin\.$"):
        Settings.from_environment({"DIMO_TIME_ZONE": name})
