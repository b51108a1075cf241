"""A server's words, made safe to show: no markup, no control characters, no credentials, and short."""

from __future__ import annotations

import html
import json
import re
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dimo_etl.config import Secret

MAX_CHARACTERS = 200
_EXAMINED_BYTES = 16_384
# The members that carry the sentence in the error bodies of the services.
_MESSAGE_KEYS = ("message", "error_description", "errorMessage", "error")
_HIDDEN_ELEMENT = re.compile(r"<(script|style|head)\b.*?</\1\s*>", re.DOTALL | re.IGNORECASE)
_TAG = re.compile(r"<[^>]*>")
_JWT = re.compile(r"eyJ[\w-]*\.[\w-]+\.[\w-]*")


def server_words(body: bytes, bearer: Secret | None = None) -> str:
    """The sentence in an error body, be it JSON, HTML or plain text.

    Args:
        body: the body as received.
        bearer: the token the server was sent, which it may echo; it is struck out.

    Returns:
        At most 200 printable characters on one line; empty where the body says nothing.
    """
    text = body[:_EXAMINED_BYTES].decode("utf-8", "replace")
    found = _json_message(text)
    if found is None and text.lstrip().startswith("<"):
        found = html.unescape(_TAG.sub(" ", _HIDDEN_ELEMENT.sub(" ", text)))
    return printable(text if found is None else found, bearer)


def printable(text: str, bearer: Secret | None = None) -> str:
    """A text on one line, without credentials and control characters, shortened to 200 characters."""
    if bearer:
        text = text.replace(bearer.reveal(), "***")
    text = _JWT.sub("***", text)
    text = "".join(" " if unicodedata.category(mark)[0] in "CZ" else mark for mark in text)
    text = " ".join(text.split())
    return text if len(text) <= MAX_CHARACTERS else text[: MAX_CHARACTERS - 1] + "…"


def _json_message(text: str) -> str | None:
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(body, dict):
        return None
    words = (body.get(key) for key in _MESSAGE_KEYS)
    return next((word for word in words if isinstance(word, str) and word), None)
