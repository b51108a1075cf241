"""Which links may be followed: whole https addresses without credentials.

No message shows a link: its query is signed, and so is a key to the data.
"""

from __future__ import annotations

import re
from urllib.parse import SplitResult, urlsplit

from dimo_etl.errors import InputError

_PRINTABLE = re.compile(r"[!-~]+")


def is_link(text: str) -> bool:
    """Whether an argument is meant as a link and not as a file."""
    return re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", text) is not None


def checked(text: str, led_from: str | None = None) -> SplitResult:
    """The parts of a link that may be followed.

    Args:
        text: the link.
        led_from: the host that redirected to it; None where a user gave it.

    Raises:
        InputError: it may not.
    """
    where = "The link" if led_from is None else f"A redirect from {led_from}"
    try:
        link = urlsplit(text)
        is_sound = bool(link.hostname) and link.port != 0 and _PRINTABLE.fullmatch(text) is not None
    except ValueError:
        is_sound = False
    if not is_sound:
        raise InputError(f"{where} is not an address that can be followed; give the link whole, in quotes.")
    if link.scheme != "https":
        raise InputError(f"{where} is not https; download the file yourself and import that.")
    if link.username is not None or link.password is not None:
        raise InputError(f"{where} holds a user or a password; give one without.")
    return link
