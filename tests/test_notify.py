"""Telling somebody, over real servers on loopback."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from dimo_etl.config import Settings
from dimo_etl.errors import ConfigError, ServiceError
from dimo_etl.notify import is_configured, tell
from tests.pipelines.services import free_port
from tests.serving import serving


class Webhook:
    """A server that takes messages, or answers with another status."""

    def __init__(self) -> None:
        self.status = 200
        self.texts: list[str] = []
        webhook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                webhook.texts.append(json.loads(body)["text"])
                self.send_response(webhook.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/services/s3cret"


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    webhook = Webhook()
    with serving(webhook.server):
        yield webhook


class Mailbox:
    """A mail server that knows one user."""

    def __init__(self) -> None:
        self.mails: list[tuple[str, list[str], str]] = []

    async def handle_DATA(self, server, session, envelope) -> str:  # noqa: N802
        self.mails.append((envelope.mail_from, envelope.rcpt_tos, envelope.content.decode()))
        return "250 taken"

    def authenticator(self, server, session, envelope, mechanism, data) -> AuthResult:
        known = (data.login, data.password) == (b"me", b"pass/word")
        return AuthResult(success=known, handled=known)


@pytest.fixture
def mailbox() -> Iterator[tuple[Mailbox, int]]:
    mailbox = Mailbox()
    controller = Controller(
        mailbox,
        hostname="127.0.0.1",
        port=free_port(),
        authenticator=mailbox.authenticator,
        auth_require_tls=False,
        auth_required=True,
    )
    controller.start()
    yield mailbox, controller.port
    controller.stop()


def settings(**environ: str) -> Settings:
    return Settings.from_environment(environ)


def mail(port: int, password: str = "pass%2Fword") -> dict[str, str]:
    return {
        "DIMO_SMTP_URL": f"smtp://me:{password}@127.0.0.1:{port}",
        "DIMO_MAIL_FROM": "etl@example.org",
        "DIMO_MAIL_TO": "you@example.org, them@example.org",
    }


def test_a_message_arrives_at_the_webhook(webhook: Webhook) -> None:
    tell(settings(DIMO_WEBHOOK_URL=webhook.url), "It failed", "The reason.")
    assert webhook.texts == ["It failed\nThe reason."]


def test_a_message_arrives_by_mail_at_every_receiver(mailbox: tuple[Mailbox, int]) -> None:
    box, port = mailbox
    tell(settings(**mail(port)), "It failed", "The reason, with ünïcode.")
    ((sender, receivers, content),) = box.mails
    assert (sender, receivers) == ("etl@example.org", ["you@example.org", "them@example.org"])
    assert "The reason, with" in content


def test_a_webhook_that_refuses_is_told_without_its_address_and_the_mail_goes_out_all_the_same(
    webhook: Webhook, mailbox: tuple[Mailbox, int]
) -> None:
    box, port = mailbox
    webhook.status = 404
    with pytest.raises(ServiceError, match=r"^The webhook answered 404; check DIMO_WEBHOOK_URL\.$"):
        tell(settings(DIMO_WEBHOOK_URL=webhook.url, **mail(port)), "It failed", "The reason.")
    assert len(box.mails) == 1


def test_a_wrong_password_is_told_without_it(mailbox: tuple[Mailbox, int]) -> None:
    with pytest.raises(ServiceError) as caught:
        tell(settings(**mail(mailbox[1], password="wr0ng")), "It failed", "The reason.")
    assert str(caught.value) == "The mail server did not take the mail (SMTPAuthenticationError); check DIMO_SMTP_URL."


def test_where_nobody_is_named_nothing_is_sent() -> None:
    assert not is_configured(settings())
    tell(settings(), "It failed", "The reason.")


@pytest.mark.parametrize(
    ("environ", "says"),
    [
        ({"DIMO_WEBHOOK_URL": "http://example.org/hook"}, "is not https"),
        ({"DIMO_WEBHOOK_URL": "example.org"}, "is not an http"),
        ({"DIMO_MAIL_TO": "you@example.org"}, "DIMO_SMTP_URL and DIMO_MAIL_FROM must be set too"),
        ({**mail(25), "DIMO_SMTP_URL": "mail.example.org"}, "is not an address such as smtp://"),
    ],
)
def test_what_cannot_be_used_is_told_before_anything_fails(environ: dict[str, str], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        settings(**environ)


def test_addresses_that_open_something_do_not_show_themselves() -> None:
    told = repr(settings(DIMO_WEBHOOK_URL="https://example.org/s3cret", **mail(25)))
    assert "s3cret" not in told
    assert "pass" not in told
