"""What can be looked at without asking anybody: the configuration, the credentials' form, and versions."""

from __future__ import annotations

import platform
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from dimo_etl.api.auth import signer_address
from dimo_etl.api.tokens import read_token
from dimo_etl.config import Settings
from dimo_etl.errors import AuthError, ConfigError

_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
_PACKAGES = ("dimo_etl", "dagster", "duckdb", "pyarrow", "httpx")


def configuration(environ: Mapping[str, str], merged: Mapping[str, str], folder: Path) -> str:
    """Where each variable comes from; all of them can be used.

    Args:
        environ: the environment.
        merged: the same with `.env` merged in.
        folder: where `.env` is looked for.

    Raises:
        ConfigError: variables cannot be used; each is told.
    """
    where = {key: merged[key] for key in ("DIMO_ENVIRONMENT",) if key in merged}
    Settings.from_environment(where)
    wrong = []
    names = sorted(name for name in merged if name.startswith("DIMO_"))
    for name in names:
        try:
            Settings.from_environment({**where, name: merged[name]})
        except ConfigError as error:
            wrong.append(str(error))
    if wrong:
        raise ConfigError(" ".join(wrong))
    settings = Settings.from_environment(merged)
    file = folder / ".env"
    from_file = [name for name in names if name not in environ]
    given = [name for name in names if name in environ]
    parts = [settings.environment]
    parts.append(f"{', '.join(from_file) or 'nothing'} from {file}" if file.is_file() else f"no {file}")
    parts.append(f"{', '.join(given) or 'nothing'} from the environment")
    return "; ".join(parts)


def credentials(settings: Settings, now: float) -> str:
    """Whose licence this is, and with what it is proved.

    Args:
        settings: the credentials.
        now: seconds since the epoch.

    Raises:
        AuthError: they are missing, or cannot be what they should be.
    """
    licence = settings.client_id
    if licence is not None and not _ADDRESS.fullmatch(licence):
        raise AuthError("DIMO_CLIENT_ID is not an address; give the licence's address, 0x and 40 hexadecimal digits.")
    if settings.access_token is not None:
        expires = read_token(settings.access_token.reveal(), now).expires_at
        if expires is not None and expires <= now:
            raise AuthError(f"DIMO_ACCESS_TOKEN expired {moment(expires)}; set a new one.")
        until = "does not tell its end" if expires is None else f"is good until {moment(expires)}"
        return f"licence {licence or 'not named'}, DIMO_ACCESS_TOKEN {until}"
    given = {"DIMO_CLIENT_ID": licence, "DIMO_DOMAIN": settings.domain, "DIMO_API_KEY": settings.api_key}
    missing = [name for name, value in given.items() if value is None]
    if settings.api_key is None or missing:
        raise AuthError(f"No credentials: set {' and '.join(missing)}, or a DIMO_ACCESS_TOKEN.")
    signer = signer_address(settings.api_key)
    if licence is not None and signer.lower() == licence.lower():
        return f"licence {licence}, signed for by its own key"
    return f"licence {licence}, signed for by the key of {signer}, which must be enabled on it"


def versions() -> str:
    """Python and the packages that matter.

    Raises:
        ConfigError: a package is not there.
    """
    try:
        packages = ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    except PackageNotFoundError as error:
        raise ConfigError(f"The package {error.name} is not installed; run `pip install -e .` again.") from error
    return f"Python {platform.python_version()} on {platform.system()}, {packages}"


def moment(seconds: float) -> str:
    """A time as findings show it, to the minute in UTC."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%MZ}"
