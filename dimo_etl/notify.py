"""Tell somebody: by webhook, by mail, by both or by none, as the settings say.

Promise: what is sent arrived at the other server when this returns. The addresses and passwords appear in no message.
"""

from __future__ import annotations

import smtplib
import ssl
import time
from email.message import EmailMessage
from urllib.parse import unquote, urlsplit

import httpx

from dimo_etl.api.deadline import answered_within, bounded
from dimo_etl.config import Settings, is_loopback
from dimo_etl.errors import ServiceError

_PATIENCE_S = 15.0


def is_configured(settings: Settings) -> bool:
    """Whether there is anybody to tell."""
    return settings.webhook_url is not None or settings.smtp_url is not None


def tell(settings: Settings, subject: str, text: str) -> None:
    """Send a message on every way there is; one that fails keeps none of the others from being tried.

    Args:
        settings: name the ways.
        subject: one line.
        text: what happened and what to do.

    Raises:
        ServiceError: a server did not take it.
    """
    failures: list[ServiceError] = []
    for send in (_post, _mail):
        try:
            send(settings, subject, text)
        except ServiceError as error:
            failures.append(error)
    if failures:
        raise failures[0]


def _post(settings: Settings, subject: str, text: str) -> None:
    """A JSON object with `text`, as Slack, Mattermost and most others take it."""
    if settings.webhook_url is None:
        return
    try:
        with (
            bounded(httpx.Client(timeout=_PATIENCE_S, trust_env=False)) as client,
            answered_within(_PATIENCE_S, time.monotonic),
        ):
            answer = client.post(settings.webhook_url.reveal(), json={"text": f"{subject}\n{text}"})
    except httpx.HTTPError as error:
        raise ServiceError(f"The webhook cannot be reached ({type(error).__name__}); check DIMO_WEBHOOK_URL.") from None
    if not answer.is_success:
        raise ServiceError(f"The webhook answered {answer.status_code}; check DIMO_WEBHOOK_URL.")


def _mail(settings: Settings, subject: str, text: str) -> None:
    if settings.smtp_url is None or settings.mail_from is None:
        return
    mail = EmailMessage()
    mail["Subject"], mail["From"], mail["To"] = subject, settings.mail_from, ", ".join(settings.mail_to)
    mail.set_content(text)
    url = settings.smtp_url.reveal()
    parts = urlsplit(url)
    try:
        with _server(parts.scheme, parts.hostname or "", parts.port) as server:
            # In the clear goes nothing off this machine.
            if parts.scheme == "smtp" and not is_loopback(url):
                server.starttls(context=ssl.create_default_context())
            if parts.username:
                server.login(unquote(parts.username), unquote(parts.password or ""))
            server.send_message(mail)
    except (smtplib.SMTPException, OSError) as error:
        raise ServiceError(
            f"The mail server did not take the mail ({type(error).__name__}); check DIMO_SMTP_URL."
        ) from None


def _server(scheme: str, host: str, port: int | None) -> smtplib.SMTP:
    if scheme == "smtps":
        return smtplib.SMTP_SSL(host, port or 465, timeout=_PATIENCE_S, context=ssl.create_default_context())
    return smtplib.SMTP(host, port or 587, timeout=_PATIENCE_S)
