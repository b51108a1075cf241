"""A link, as DIMO mails it, to a private file of the warehouse's scratch folder.

Promise: https alone, the server's certificate verified; each address is looked up here, checked, and connected to as
checked, so that no name changes its meaning in between; redirects are few and checked again; size and time are bounded.
No credentials are sent, and no proxy is used. A link is a key to the data (its query is signed), so no more of it than
its host ever shows in an error.

http.client and not httpx, for two reasons: it connects where it is told to, and it writes no address into any log.
"""

from __future__ import annotations

import hashlib
import http.client
import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, cast
from urllib.parse import SplitResult, urljoin

import httpx

from dimo_etl.api.body import ACCEPT_ENCODING, decoded
from dimo_etl.api.messages import TransientError
from dimo_etl.errors import ConfigError, InputError, ServiceError
from dimo_etl.importing.addresses import Address, Resolve, is_public, resolve
from dimo_etl.importing.links import checked
from dimo_etl.lake.store import Store

MAX_BYTES = 20 << 30
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MOST_REDIRECTS = 5
_READ_BYTES = 1 << 18
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")


def _tls() -> ssl.SSLContext:
    try:
        # The authorities that every other request of this project trusts.
        return httpx.create_ssl_context()
    except OSError as error:
        raise ConfigError(f"No certificates can be read ({error}); check SSL_CERT_FILE and SSL_CERT_DIR.") from error


@dataclass(frozen=True, slots=True)
class Downloader:
    """How links are followed.

    Attributes:
        max_bytes: the largest file, decompressed.
        wait_seconds: the longest wait for a connection, or for the next bytes.
        total_seconds: the longest answer, from the connection to its last byte.
        allowed: whether an address may be connected to.
        resolve: the addresses of a host.
        tls: verifies certificates.
    """

    max_bytes: int = MAX_BYTES
    wait_seconds: float = 30.0
    total_seconds: float = 6 * 3600.0
    allowed: Callable[[Address], bool] = is_public
    resolve: Resolve = resolve
    tls: ssl.SSLContext = field(default_factory=_tls)

    @contextmanager
    def file(
        self, store: Store, link: str, *, sha256: str | None = None, progress: Callable[[int], None]
    ) -> Iterator[Path]:
        """The file a link leads to, for as long as the block lasts.

        Args:
            store: where the file is kept meanwhile; what a killed process leaves is swept.
            link: an https address.
            sha256: what the file must hash to, in hexadecimal; None takes any file.
            progress: told the bytes received.

        Raises:
            InputError: the link must not be followed, leads to no file, or to another one than was pinned.
            ServiceError: its server cannot be reached, or broke off.
            WarehouseError: the file cannot be written.
        """
        if sha256 is not None and _SHA256.fullmatch(sha256) is None:
            raise InputError("--sha256 takes 64 hexadecimal digits, as sha256sum prints them.")
        staged = store.stage()
        try:
            with store.explained("write a download to"), staged.open("wb") as file:
                digest = self._receive(checked(link), file, progress)
            if sha256 is not None and digest != sha256.lower():
                raise InputError(
                    f"The link's file hashes to {digest} and not to the {sha256.lower()} that was given; do not trust "
                    "it, and ask who gave you the hash."
                )
            yield staged
        finally:
            store.discard(staged)

    def read(self, link: str) -> bytes:
        """What a link leads to, in memory.

        Raises:
            InputError: the link must not be followed, or leads to nothing.
            ServiceError: its server cannot be reached, or broke off.
        """
        file = BytesIO()
        self._receive(checked(link), file, lambda _: None)
        return file.getvalue()

    def _receive(self, link: SplitResult, target: BinaryIO, progress: Callable[[int], None]) -> str:
        """Follow a link into a file; returns its SHA-256."""
        for _ in range(_MOST_REDIRECTS + 1):
            with self._asked(link) as answer:
                if answer.status not in _REDIRECTS:
                    return self._save(answer, target, progress)
                onward = answer.header("Location")
            link = checked(urljoin(link.geturl(), onward), led_from=link.hostname)
        raise InputError(f"The link leads through more than {_MOST_REDIRECTS} redirects; ask for a new one.")

    @contextmanager
    def _asked(self, link: SplitResult) -> Iterator[_Answer]:
        """The answer of a link's server; its end is forced once it has taken too long."""
        with closing(self._connected(link)) as connection:
            end = threading.Timer(self.total_seconds, connection.break_off)
            end.daemon = True
            end.start()
            try:
                with closing(_Answer(connection, link)) as answer:
                    yield answer
            finally:
                end.cancel()

    def _connected(self, link: SplitResult) -> _Connection:
        host, port = link.hostname or "", link.port or http.client.HTTPS_PORT
        try:
            addresses = self.resolve(host, port)
        except OSError:
            raise ServiceError(f"The link's host {host} is not known; check the link and the network.") from None
        if not addresses or not all(map(self.allowed, addresses)):
            raise InputError(
                f"The link's host {host} is not on the public internet; download the file yourself and import that."
            )
        why = ""
        for address in addresses:
            connection = _Connection(host, port, address, self.tls, self.wait_seconds)
            try:
                connection.connect()
            except ssl.SSLCertVerificationError as error:
                raise ServiceError(
                    f"{host} does not prove who it is ({error.verify_message}); check the link."
                ) from None
            except OSError as error:
                connection.close()
                why = error.strerror or "it did not answer in time"
            else:
                return connection
        raise ServiceError(f"{host} cannot be reached ({why}); check the link and the network.")

    def _save(self, answer: _Answer, target: BinaryIO, progress: Callable[[int], None]) -> str:
        if answer.status != http.client.OK:
            raise InputError(
                f"{answer.host} answered {answer.status}; the link has expired (it is good for 24 hours) or is not "
                "whole: put it in quotes, or ask for another with `dimo-etl export request`."
            )
        if answer.length is not None and answer.length > self.max_bytes:
            raise self._too_large(answer)
        digest, size = hashlib.sha256(), 0
        try:
            for part in decoded(answer.chunks(), answer.header("Content-Encoding")):
                size += len(part)
                if size > self.max_bytes:
                    raise self._too_large(answer)
                digest.update(part)
                target.write(part)
                progress(size)
        except TransientError as error:
            raise ServiceError(f"{answer.host} {error}; run the import again.") from None
        return digest.hexdigest()

    def _too_large(self, answer: _Answer) -> InputError:
        return InputError(
            f"The file at {answer.host} is larger than {self.max_bytes:,} bytes; allow more with --max-bytes."
        )


class _Connection(http.client.HTTPSConnection):
    """A connection to one address, under the name it was looked up by."""

    def __init__(self, host: str, port: int, address: Address, tls: ssl.SSLContext, wait_seconds: float) -> None:
        super().__init__(host, port, timeout=wait_seconds, context=tls)
        self._address = address
        self._tls = tls
        self._wire: socket.socket | None = None
        self.overdue = False

    def connect(self) -> None:
        """Connect to the address that was checked; the certificate must be for the name."""
        plain = socket.create_connection((str(self._address), self.port), self.timeout)
        try:
            self.sock = self._wire = self._tls.wrap_socket(plain, server_hostname=self.host)
        except BaseException:
            plain.close()
            raise

    def break_off(self) -> None:
        """End a read that another thread waits in."""
        self.overdue = True
        # Past TLS, whose own shutdown would change its state under that thread.
        with suppress(OSError):
            socket.socket.shutdown(cast("socket.socket", self._wire), socket.SHUT_RDWR)


class _Answer:
    """What a link's server answers; whatever goes wrong on the wire is told in one sentence.

    Attributes:
        host: whose answer it is.
        length: the bytes of the body; None where the server does not say.
    """

    def __init__(self, connection: _Connection, link: SplitResult) -> None:
        self._connection = connection
        self.host = link.hostname
        target = (link.path or "/") + (f"?{link.query}" if link.query else "")
        with self._explained():
            connection.request("GET", target, headers={"Accept-Encoding": ACCEPT_ENCODING, "User-Agent": "dimo-etl"})
            self._response = connection.getresponse()
        self.status = self._response.status
        self.length = self._response.length

    def header(self, name: str) -> str:
        """A header's value; empty where there is none."""
        return self._response.getheader(name) or ""

    def close(self) -> None:
        """Let go of the connection, which the answer holds too."""
        self._response.close()

    def chunks(self) -> Iterator[bytes]:
        """The body as it comes."""
        while True:
            with self._explained():
                chunk = self._response.read1(_READ_BYTES)
                # A body without a length ends with its connection, also with one that was broken off.
                if not chunk and (self._response.length or self._connection.overdue):
                    raise ConnectionError
            if not chunk:
                return
            yield chunk

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (http.client.HTTPException, OSError) as error:
            what = "did not answer in time" if isinstance(error, TimeoutError) else "broke off its answer"
            if self._connection.overdue:
                what = "took too long to answer"
            raise ServiceError(f"{self.host} {what}; run the import again.") from None
