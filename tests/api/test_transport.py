"""One request, sent until it is answered: what is retried, how long, and what is given up at once."""

from __future__ import annotations

import contextlib
import gzip
import logging
import os
import re
import socket
import threading
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from dimo_etl.api.messages import DEVICE_DATA, HttpRefusedError, Request, UnusableResponseError
from dimo_etl.api.ratelimit import RateLimiter
from dimo_etl.api.retry import RetryPolicy
from dimo_etl.api.transport import Limits, Transport
from dimo_etl.config import Secret
from dimo_etl.errors import ConfigError, ServiceError, TooMuchAskedError
from tests.api.server import Reply, Server, refusal

BEARER = "canary-token-5ab1e"


def get(url: str, **fields) -> Request:
    return Request(DEVICE_DATA, "the history of vehicle 4711", "GET", f"{url}/v1/thing", **fields)


def body(response) -> bytes:
    return response.body


def test_an_answer_carries_its_value_and_the_requests_it_took(server, transport):
    server.replies(Reply(body=b"hello"))
    answer = transport.call(get(server.url), body)
    assert (answer.value, answer.requests) == (b"hello", 1)
    assert (transport.requests, transport.retries) == (1, 0)


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 520])
def test_a_status_that_may_pass_is_retried(server, transport, status):
    server.replies(refusal(status, "not now"), Reply(body=b"hello"))
    answer = transport.call(get(server.url), body)
    assert (answer.value, answer.requests) == (b"hello", 2)
    assert (transport.requests, transport.retries) == (2, 1)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 409, 410, 422, 431])
def test_a_refusal_is_not_retried(server, transport, status):
    server.replies(refusal(status, "Invalid start date format"))
    with pytest.raises(HttpRefusedError, match="Invalid start date format") as caught:
        transport.call(get(server.url), body)
    assert (caught.value.status, caught.value.requests, len(server.received)) == (status, 1, 1)


def test_how_far_the_clock_is_ahead_is_what_the_answer_says_that_says_the_least(server, make_transport):
    transport = make_transport(now=lambda: datetime(2026, 1, 6, 0, 30, tzinfo=UTC))
    assert transport.ahead == timedelta(0)
    for date, ahead in (
        ("Mon, 05 Jan 2026 23:00:00 GMT", timedelta(hours=1.5) - timedelta(seconds=1)),
        ("Mon, 05 Jan 2026 20:00:00 GMT", timedelta(hours=1.5) - timedelta(seconds=1)),
        ("soon", timedelta(hours=1.5) - timedelta(seconds=1)),
        ("Tue, 06 Jan 2026 00:29:59 GMT", timedelta(0)),
    ):
        server.replies(Reply(headers={"Date": date}))
        transport.call(get(server.url), body)
        assert transport.ahead == ahead
    server.replies(Reply(headers={"Date": "Tue, 06 Jan 2026 09:00:00 GMT"}))
    transport.call(get(server.url), body)
    assert transport.ahead == timedelta(0), "one that is behind is not ahead"


def test_a_refusal_after_retries_counts_them(server, transport):
    server.replies(Reply(503), Reply(503), Reply(404))
    with pytest.raises(HttpRefusedError) as caught:
        transport.call(get(server.url), body)
    assert caught.value.requests == 3


def test_retries_end_after_six_tries_with_one_sentence(server, transport):
    server.replies(refusal(503, "overloaded"))
    with pytest.raises(ServiceError) as caught:
        transport.call(get(server.url), body)
    assert str(caught.value) == (
        f"The device data API at {server.url} answered 503 (overloaded) after 6 tries to get the history of vehicle "
        "4711; try again later or lower DIMO_MAX_RPS."
    )
    assert len(server.received) == 6


def test_the_bound_of_the_waits_doubles(server, transport, waits):
    server.replies(Reply(500))
    with pytest.raises(ServiceError):
        transport.call(get(server.url), body)
    assert waits == [0.125, 0.25, 0.5, 1.0, 2.0]


def test_retry_after_in_seconds_is_waited(server, transport, waits):
    server.replies(Reply(429, headers={"Retry-After": "7"}), Reply())
    transport.call(get(server.url), body)
    assert waits == [pytest.approx(7.35)]


def test_retry_after_as_a_date_is_waited_by_the_servers_own_clock(server, transport, waits):
    headers = {"Date": "Fri, 01 Jan 2126 00:00:00 GMT", "Retry-After": "Fri, 01 Jan 2126 00:00:20 GMT"}
    server.replies(Reply(503, headers=headers), Reply())
    transport.call(get(server.url), body)
    assert waits == [pytest.approx(21.0)]


def test_retry_after_as_a_date_is_waited_by_our_clock_where_the_server_shows_none(server, make_transport, waits):
    transport = make_transport(now=lambda: datetime(2026, 1, 1, tzinfo=UTC))
    server.replies(Reply(503, headers={"Retry-After": "Thu, 01 Jan 2026 00:00:10 GMT"}), Reply())
    transport.call(get(server.url), body)
    assert waits == [pytest.approx(10.5)]


@pytest.mark.parametrize("text", ["-5", "soon", "1e3", "Thu, 99 Jan 2026 00:00:10 GMT", "0"])
def test_a_retry_after_that_means_nothing_leaves_the_usual_wait(server, transport, waits, text):
    server.replies(Reply(503, headers={"Retry-After": text}), Reply())
    transport.call(get(server.url), body)
    assert waits == [0.125]


def test_asked_to_wait_too_long_it_gives_up_and_says_so(server, transport, waits):
    server.replies(Reply(429, headers={"Retry-After": "3600"}))
    with pytest.raises(ServiceError, match=r"answered 429 and asks to wait 3600 s; run this again after that"):
        transport.call(get(server.url), body)
    assert (waits, len(server.received)) == ([], 1)


def test_an_unusable_answer_is_retried_with_the_retry_parameters(server, transport):
    def parse(response):
        if response.body == b"bad":
            raise UnusableResponseError("its search timed out")
        return response.body

    server.replies(Reply(body=b"bad"), Reply(body=b"good"))
    request = get(server.url, params={"a": "1"}, retry_params={"refresh": "true"})
    assert transport.call(request, parse).value == b"good"
    assert [received.query for received in server.received] == [{"a": "1"}, {"a": "1", "refresh": "true"}]


def test_an_answer_that_stays_unusable_says_why(server, transport):
    def parse(response):
        raise UnusableResponseError("its search\x1b timed out")

    server.replies(Reply())
    with pytest.raises(ServiceError, match=r"gave no usable answer \(its search timed out\) after 6 tries"):
        transport.call(get(server.url), parse)


def test_a_success_without_content_is_no_answer(server, transport):
    server.replies(Reply(204))
    with pytest.raises(ServiceError, match="answered 204"):
        transport.call(get(server.url), body)


def test_a_reset_in_the_middle_of_the_body_is_retried(server, transport):
    server.replies(Reply(body=b"hel", length=5, reset=True), Reply(body=b"hello"))
    assert transport.call(get(server.url), body).value == b"hello"


def test_a_body_that_ends_early_is_retried(server, transport):
    server.replies(Reply(body=b"hel", length=5), Reply(body=b"hello"))
    assert transport.call(get(server.url), body).value == b"hello"


def test_what_comes_behind_an_answer_is_not_taken_for_the_next_one(server, transport):
    behind = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwrong"
    server.replies(Reply(body=b"hello" + behind, length=5, stay=True), Reply(body=b"hello"), Reply(body=b"other"))
    answer = transport.call(get(server.url), body)
    assert (answer.value, answer.requests) == (b"hello", 2)
    assert transport.call(get(server.url), body).value == b"other"
    assert server.connections == 2


def test_a_gzip_stream_that_ends_early_is_retried(server, transport):
    whole = gzip.compress(b"hello" * 100)
    zipped = {"Content-Encoding": "gzip"}
    server.replies(Reply(body=whole[:-9], headers=zipped), Reply(body=whole, headers=zipped))
    answer = transport.call(get(server.url), body)
    assert (answer.value, answer.requests) == (b"hello" * 100, 2)


def test_a_body_that_is_not_the_gzip_it_claims_is_retried(server, transport):
    server.replies(Reply(body=b"plain", headers={"Content-Encoding": "gzip"}), Reply(body=b"hello"))
    assert transport.call(get(server.url), body).value == b"hello"


def test_an_encoding_nobody_asked_for_is_not_taken_for_the_body(server, transport):
    server.replies(Reply(body=b"hello", headers={"Content-Encoding": "br"}))
    with pytest.raises(ServiceError, match="in an encoding that was not asked for"):
        transport.call(get(server.url), body)


def test_a_gzip_bomb_is_given_up_at_the_bound(server, make_transport):
    bomb = gzip.compress(bytes(50_000_000))
    server.replies(Reply(body=bomb, headers={"Content-Encoding": "gzip"}))
    transport = make_transport(limits=Limits(body_bytes=1_048_576))
    with pytest.raises(TooMuchAskedError, match="answered with more than 1 MiB") as caught:
        transport.call(get(server.url), body)
    assert caught.value.requests == len(server.received) == 2


def test_one_answer_that_is_too_large_is_a_fault_that_may_pass(server, make_transport):
    server.replies(Reply(body=bytes(200_000)), Reply(503), Reply(body=b"hello"))
    answer = make_transport(limits=Limits(body_bytes=100_000)).call(get(server.url), body)
    assert (answer.value, answer.requests) == (b"hello", 3)


def test_memory_stays_flat_however_much_is_sent(server, make_transport):
    bound = 1 << 20
    bombs = [
        Reply(body=gzip.compress(bytes(40 * bound)), headers={"Content-Encoding": "gzip"}),
        Reply(body=gzip.compress(b"") * 20_000, headers={"Content-Encoding": "gzip"}),
        Reply(body=bytes(10 * bound)),
    ]
    transport = make_transport(limits=Limits(body_bytes=bound), policy=RetryPolicy(attempts=1))

    def peak(times: int) -> int:
        """The most memory, this side and the server's, while so many answers are read."""
        tracemalloc.reset_peak()
        for number in range(times):
            server.replies(bombs[number % len(bombs)])
            with contextlib.suppress(TooMuchAskedError):
                transport.call(get(server.url), body)
        return tracemalloc.get_traced_memory()[1] - before

    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        first = peak(3)
        assert first < 5 * bound
        assert peak(12) < first + bound
    finally:
        tracemalloc.stop()


def test_a_body_without_end_is_given_up_at_the_bound(server, make_transport):
    server.replies(Reply(body=bytes(200_000)))
    with pytest.raises(ServiceError, match="answered with more than"):
        make_transport(limits=Limits(body_bytes=100_000)).call(get(server.url), body)


@pytest.mark.parametrize("dripping", [Reply(body=b"{", length=10_000, drip=True), Reply(drip_head=True)])
def test_an_answer_that_drips_is_given_up_in_time(server, make_transport, dripping):
    server.replies(dripping, Reply(body=b"hello"))
    transport = make_transport(limits=Limits(answer_seconds=0.15))
    assert transport.call(get(server.url), body).value == b"hello"


def test_a_server_that_says_nothing_is_given_up_in_time(server, make_transport):
    asked = threading.Event()

    def answer(request):
        if not asked.is_set():
            asked.set()
            server.pause(5)
        return Reply(body=b"hello")

    server.answer = answer
    answer = make_transport(limits=Limits(read_seconds=0.1)).call(get(server.url), body)
    assert (answer.value, answer.requests) == (b"hello", 2)


def test_a_request_that_says_so_is_waited_for_longer(server, make_transport):
    def answer(request):
        server.pause(0.2)
        return Reply(body=b"hello")

    server.answer = answer
    answer = make_transport(limits=Limits(read_seconds=0.02)).call(get(server.url, read_seconds=30.0), body)
    assert (answer.value, answer.requests) == (b"hello", 1)


def test_a_server_that_is_not_there_is_named_with_its_variable(transport):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(ServiceError) as caught:
        transport.call(get(f"http://127.0.0.1:{port}"), body)
    assert str(caught.value) == (
        f"The device data API at http://127.0.0.1:{port} cannot be reached (connection refused) after 6 tries to get "
        "the history of vehicle 4711; check DIMO_DEVICE_DATA_URL and the network."
    )


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed_and_credentials_go_nowhere_else(server, transport, status):
    elsewhere = Server()
    try:
        elsewhere.replies(Reply(body=b"hello"))
        server.replies(Reply(status, headers={"Location": f"{elsewhere.url}/?state=secret"}))
        passing = status in (302, 307)
        with pytest.raises(
            ServiceError if passing else HttpRefusedError, match=f"{status}.*a redirect, which is not followed"
        ) as caught:
            transport.call(get(server.url, bearer=Secret(BEARER)), body)
        assert len(server.received) == (6 if passing else 1)
        assert "secret" not in str(caught.value)
        assert elsewhere.received == []
    finally:
        elsewhere.close()


def test_the_bearer_is_sent_and_shown_nowhere(server, transport, caplog):
    caplog.set_level(logging.DEBUG)
    server.replies(refusal(503, f"bad token {BEARER}"))
    request = get(server.url, bearer=Secret(BEARER))
    with pytest.raises(ServiceError) as failed:
        transport.call(request, body)
    server.replies(refusal(400, f"bad token {BEARER}"))
    with pytest.raises(HttpRefusedError) as refused:
        transport.call(request, body)
    assert {received.bearer for received in server.received} == {BEARER}
    shown = [str(failed.value), str(refused.value), refused.value.message, repr(request), caplog.text]
    assert all(BEARER not in text for text in shown)
    assert "bad token ***" in str(refused.value)


def test_a_servers_words_are_cleaned_and_shortened(server, transport):
    server.replies(refusal(400, "\x1b[31mred\r\n\u202eevil" + "x" * 500))
    with pytest.raises(HttpRefusedError) as caught:
        transport.call(get(server.url), body)
    assert re.fullmatch(r"\[31mred evilx+…", caught.value.message)
    assert len(caught.value.message) == 200


def test_each_retry_is_logged_and_later_ones_as_warnings(server, transport, caplog):
    caplog.set_level(logging.INFO, logger="dimo_etl.api")
    server.replies(*[Reply(503)] * 4, Reply())
    transport.call(get(server.url, params={"startDate": "2026"}), body)
    ours = [record for record in caplog.records if record.name == "dimo_etl.api"]
    assert [record.levelname for record in ours] == ["INFO", "INFO", "WARNING", "WARNING"]
    assert ours[0].getMessage() == (
        f"The device data API at {server.url} answered 503 when asked for the history of vehicle 4711; trying again in "
        "0.1 s"
    )


def test_no_more_requests_are_in_flight_than_allowed(server, make_transport):
    both_in = threading.Barrier(2)

    def answer(request):
        both_in.wait(5)
        return Reply()

    server.answer = answer
    transport = make_transport(concurrency=2)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: transport.call(get(server.url), body), range(8)))
    assert (server.most_in_flight, transport.requests) == (2, 8)


def test_a_slot_is_taken_only_by_a_request_that_can_be_sent(server, make_transport, tmp_path):
    asleep, most, nobody = [], [], threading.Event()

    def sleep(seconds):
        asleep.append(seconds)
        most.append(len(asleep))
        nobody.wait(0.05)
        asleep.pop()

    server.replies(Reply())
    limiter = RateLimiter(0.1, folder=tmp_path / "slots", sleep=sleep)
    transport = make_transport(concurrency=1, limiter=limiter)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: transport.call(get(server.url), body), range(4)))
    assert most == [1, 1, 1]


def test_a_waiting_retry_does_not_hold_up_other_requests(server, make_transport):
    other_done = threading.Event()

    def answer(request):
        return Reply(body=b"hello") if request.query or len(server.received) > 1 else Reply(503)

    server.answer = answer
    transport = make_transport(concurrency=1, sleep=lambda _: other_done.wait(5))
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(transport.call, get(server.url), body)
        while not server.received:
            os.sched_yield()
        transport.call(get(server.url, params={"other": "1"}), body)
        other_done.set()
        assert waiting.result().value == b"hello"


def test_connections_are_used_again(server, transport):
    server.replies(Reply(body=b"hello"))
    for _ in range(5):
        transport.call(get(server.url), body)
    assert server.connections == 1


def test_a_proxy_that_cannot_be_used_is_a_sentence_without_its_password(monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "gopher://user:hunter2@127.0.0.1")
    with pytest.raises(ConfigError, match="check HTTP_PROXY") as caught:
        Transport(concurrency=1)
    assert "hunter2" not in str(caught.value)


def test_plain_http_which_stays_on_this_machine_passes_by_any_proxy(server, make_transport, monkeypatch):
    for variable in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(variable, "http://127.0.0.1:9")
    server.replies(Reply(body=b"hello"))
    assert make_transport().call(get(server.url), body).value == b"hello"
