"""Links become files, or one sentence; and nothing leads anywhere it must not."""

from __future__ import annotations

import gzip
import hashlib
import logging
import os
import threading
from ipaddress import ip_address

import pytest

from dimo_etl.errors import DimoError, InputError, ServiceError
from dimo_etl.importing.addresses import is_public, resolve
from dimo_etl.importing.download import Downloader
from dimo_etl.lake.store import Store
from tests.importing.https import HOST, Server, begin

CONTENT = b'{"userDeviceId":"2testUserDevice000000000001","data":[]}' * 100
SIGNATURE = "X-Amz-Signature=5ecre7"
LOOPBACK = ip_address("127.0.0.1")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("tls"))
    yield server
    server.close()


@pytest.fixture
def store(tmp_path):
    with Store(str(tmp_path / "warehouse")) as store:
        yield store


@pytest.fixture
def get(server, store):
    """Follows a link to loopback, which only a test may, and gives what the file holds."""

    def get(link, *, sha256=None, progress=lambda _: None, **changes):
        given = {
            "allowed": lambda address: address == LOOPBACK,
            "resolve": lambda host, port: [LOOPBACK] if host == HOST else resolve(host, port),
            "tls": server.trust(),
        }
        downloader = Downloader(**(given | changes))
        with downloader.file(store, link, sha256=sha256, progress=progress) as path:
            assert path.stat().st_mode & 0o777 == 0o600
            assert ".tmp" in path.parts
            return path.read_bytes()

    server.asked.clear()
    server.headers.clear()
    return get


def scratch(store):
    return [path for path in (store.stage().parent).iterdir() if path.name != "lock" and path.stat().st_size]


def test_a_link_gives_its_file_and_the_server_no_credentials(server, get):
    link = server.serve("/export.json", CONTENT) + f"?{SIGNATURE}"
    seen = []
    assert get(link, progress=seen.append) == CONTENT
    assert server.asked == [f"/export.json?{SIGNATURE}"]
    assert server.headers[0].keys() == {"host", "accept-encoding", "user-agent"}
    assert server.headers[0]["host"] == f"{HOST}:{server.port}"
    assert seen[-1] == len(CONTENT)


def test_nothing_is_left_behind(server, get, store):
    get(server.serve("/export.json", CONTENT))
    with pytest.raises(InputError):
        get(server.url("/export.json"), sha256="0" * 64)
    assert scratch(store) == []


def test_the_address_that_was_checked_is_the_one_connected_to(server, get):
    """A name that means another address the second time it is asked for must not matter: it is asked for once."""
    answers = [[LOOPBACK]]
    link = server.serve("/export.json", CONTENT)
    assert get(link, resolve=lambda _host, _port: answers.pop()) == CONTENT
    assert answers == []


@pytest.mark.parametrize(
    "addresses",
    [["127.0.0.1"], ["93.184.216.34", "10.0.0.1"], ["::1"], ["169.254.169.254"], ["::ffff:127.0.0.1"], []],
)
def test_a_host_with_an_address_that_is_not_public_is_not_even_connected_to(server, get, addresses):
    link = server.serve("/export.json", CONTENT)
    with pytest.raises(InputError, match=f"The link's host {HOST} is not on the public internet"):
        get(link, allowed=is_public, resolve=lambda _host, _port: [ip_address(text) for text in addresses])
    assert server.asked == []


@pytest.mark.parametrize("host", ["localhost", "127.1", "2130706433", "0x7f000001", "[::1]", "0.0.0.0"])
def test_no_spelling_of_this_machine_is_followed(get, host):
    with pytest.raises(DimoError, match=r"is not on the public internet|is not known"):
        get(f"https://{host}/export.json", allowed=is_public, resolve=resolve)


def test_five_redirects_are_followed_and_six_are_not(server, get):
    end = server.serve("/end", CONTENT)
    for n in range(6):
        server.redirect(f"/{n}", f"/{n - 1}" if n else end, status=[301, 302, 303, 307, 308, 302][n])
    assert get(server.url("/4")) == CONTENT
    with pytest.raises(InputError, match="more than 5 redirects"):
        get(server.url("/5"))


@pytest.mark.parametrize(
    ("onward", "sentence"),
    [
        ("http://files.test/export.json", f"A redirect from {HOST} is not https"),
        ("https://127.0.0.2/export.json", "The link's host 127.0.0.2 is not on the public internet"),
        ("file:///etc/passwd", f"A redirect from {HOST} is not an address that can be followed"),
        ("https://user:word@files.test/", f"A redirect from {HOST} holds a user or a password"),
    ],
)
def test_a_redirect_is_checked_like_the_link_itself(server, get, onward, sentence):
    with pytest.raises(InputError, match=sentence):
        get(server.redirect("/away", onward))


@pytest.mark.parametrize(
    "link",
    [
        "http://files.test/x",
        "ftp://files.test/x",
        "https:///x",
        "https://files.test:0/x",
        "https://files.test:99999/x",
        "https://me@files.test/x",
        "https://files.test/a b",
        "https://files.test/a\r\nHost: other",
        "https://files.test/ä",
        "https://[::1/x",
    ],
)
def test_a_link_that_is_not_plain_https_is_refused(server, get, link):
    with pytest.raises(InputError, match="The link"):
        get(link)
    assert server.asked == []


def test_a_certificate_nobody_vouches_for_is_refused(server, get):
    link = server.serve("/export.json", CONTENT)
    with pytest.raises(ServiceError, match=f"{HOST} does not prove who it is"):
        get(link, tls=Downloader().tls)
    assert server.asked == []


def test_a_certificate_for_another_name_is_refused(server, get):
    server.serve("/export.json", CONTENT)
    with pytest.raises(ServiceError, match="does not prove who it is"):
        get(f"https://other.test:{server.port}/export.json", resolve=lambda _host, _port: [LOOPBACK])


def test_the_next_address_is_tried_where_one_is_closed(server, get):
    link = server.serve("/export.json", CONTENT)
    closed = ip_address("127.0.0.3")
    found = get(link, allowed=lambda _: True, resolve=lambda _host, _port: [closed, LOOPBACK])
    assert found == CONTENT


def test_a_pinned_file_must_hash_to_its_pin(server, get):
    link = server.serve("/export.json", CONTENT)
    digest = hashlib.sha256(CONTENT).hexdigest()
    assert get(link, sha256=digest.upper()) == CONTENT
    with pytest.raises(InputError, match=f"hashes to {digest} and not to the {'0' * 64}"):
        get(link, sha256="0" * 64)


def test_a_pin_that_is_no_hash_is_refused_before_anything_is_asked(server, get):
    with pytest.raises(InputError, match="--sha256 takes 64 hexadecimal digits"):
        get(server.serve("/export.json", CONTENT), sha256="abc")
    assert server.asked == []


@pytest.mark.parametrize("told", [True, False])
def test_a_file_over_the_limit_is_refused(server, get, told):
    def endless(to):
        begin(to, 200)
        while True:
            to.wfile.write(bytes(1 << 16))

    link = server.serve("/large", bytes(2_000_000))
    server.answers["/endless"] = endless
    with pytest.raises(InputError, match="larger than 1,000,000 bytes; allow more with --max-bytes"):
        get(link if told else server.url("/endless"), max_bytes=1_000_000)


def test_a_compressed_file_is_decompressed_within_the_limit(server, get):
    assert get(server.serve("/zipped", gzip.compress(CONTENT), Content_Encoding="gzip")) == CONTENT
    bomb = server.serve("/bomb", gzip.compress(bytes(200 << 20), 1), Content_Encoding="gzip")
    with pytest.raises(InputError, match="larger than 1,000,000 bytes"):
        get(bomb, max_bytes=1_000_000)
    with pytest.raises(ServiceError, match="an encoding that was not asked for"):
        get(server.serve("/brotli", CONTENT, Content_Encoding="br"))


@pytest.mark.parametrize("headers", [{"Content_Length": "100000"}, {"Transfer_Encoding": "chunked"}])
def test_a_file_that_breaks_off_is_no_file(server, get, headers):
    def broken(to):
        begin(to, 200, **headers)
        to.wfile.write(b"10\r\n0123456789abcdef\r\n10\r\nabc")

    server.answers["/broken"] = broken
    with pytest.raises(ServiceError, match=f"{HOST} broke off its answer; run the import again"):
        get(server.url("/broken"))


def test_a_server_that_stops_sending_is_waited_for_only_so_long(server, get):
    done = threading.Event()

    def silent(to):
        begin(to, 200, Content_Length="10")
        to.wfile.write(b"01234")
        done.wait(20)

    server.answers["/silent"] = silent
    with pytest.raises(ServiceError, match="did not answer in time"):
        get(server.url("/silent"), wait_seconds=0.2)
    done.set()


@pytest.mark.parametrize("drip", [b"X-Drip: 1\r\n", None])
def test_a_server_that_sends_drop_by_drop_is_ended(server, get, drip):
    done = threading.Event()

    def slow(to):
        if drip is None:
            begin(to, 200)
        else:
            to.wfile.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
        while not done.wait(0.02):
            to.wfile.write(b".")

    server.answers["/slow"] = slow
    with pytest.raises(ServiceError, match="took too long to answer"):
        get(server.url("/slow"), total_seconds=0.4)
    done.set()


def test_an_expired_link_says_what_to_do(server, get):
    server.answers["/gone"] = lambda to: begin(to, 403, Content_Length="0")
    with pytest.raises(InputError, match=r"answered 403; the link has expired .* `dimo-etl export request`"):
        get(server.url("/gone"))


@pytest.mark.parametrize("path", ["/gone", "/away", "/broken", "/loop"])
def test_no_message_and_no_log_shows_what_signs_a_link(server, get, caplog, path):
    caplog.set_level(logging.DEBUG)
    server.answers["/gone"] = lambda to: begin(to, 403, Content_Length="0")
    server.redirect("/away", f"http://files.test/?{SIGNATURE}")
    server.redirect("/loop", f"/loop?{SIGNATURE}")
    server.answers["/broken"] = lambda to: to.wfile.write(b"nonsense")
    with pytest.raises(DimoError) as raised:
        get(f"{server.url(path)}?{SIGNATURE}")
    assert SIGNATURE.partition("=")[2] not in f"{raised.value}{raised.value.__cause__!r}{caplog.text}"


def test_a_proxy_of_the_environment_is_not_used(server, get, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    assert get(server.serve("/export.json", CONTENT)) == CONTENT


@pytest.mark.parametrize(
    "text",
    ["8.8.8.8", "1.1.1.1", "2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1"],
)
def test_addresses_of_the_public_internet_are_public(text):
    assert is_public(ip_address(text))


@pytest.mark.parametrize(
    "text",
    [
        "0.0.0.0",
        "10.1.2.3",
        "100.64.0.1",
        "127.0.0.1",
        "127.255.255.254",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.1",
        "192.0.2.1",
        "192.168.1.1",
        "198.18.0.1",
        "203.0.113.9",
        "224.0.0.1",
        "239.1.1.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:10.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b::7f00:1",
        "64:ff9b:1::808:808",
        "2002:7f00:1::1",
        "2002:a9fe:a9fe::1",
        "2001:0:7f00:1::1",
        "2001:db8::1",
        "fc00::1",
        "fd12:3456::1",
        "fe80::1",
        "fec0::1",
        "ff02::1",
        "100::1",
        "4000::1",
    ],
)
def test_every_other_address_is_not(text):
    assert not is_public(ip_address(text))


def test_the_system_resolver_is_asked(server):
    assert LOOPBACK in resolve("localhost", server.port)
    with pytest.raises(OSError, match="DNS"):
        resolve("a" * 70 + ".test", 443)


def test_a_full_disk_is_told_as_such(server, get, store, monkeypatch):
    staged = store.stage()
    staged.unlink()
    staged.symlink_to("/dev/full")
    monkeypatch.setattr(store, "stage", lambda: staged)
    with pytest.raises(DimoError, match=r"Cannot write a download to the warehouse .*No space left"):
        get(server.serve("/export.json", os.urandom(1 << 20)))
