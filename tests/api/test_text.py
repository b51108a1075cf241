"""A server's words, made safe to show."""

from __future__ import annotations

import pytest

from dimo_etl.api.text import printable, server_words


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"code":400,"message":"Invalid start date format"}', "Invalid start date format"),
        (b'{"error":"invalid_grant","error_description":"State is used."}', "State is used."),
        (b'{"error":"invalid_grant"}', "invalid_grant"),
        (b'{"errorMessage":"No."}', "No."),
        (b"Invalid or expired JWT", "Invalid or expired JWT"),
        (
            b"<html><head><title>x</title><style>a{}</style></head><p>Unregistered &lt;uri&gt;</p></html>",
            "Unregistered <uri>",
        ),
        (b'{"message":{"nested":1}}', '{"message":{"nested":1}}'),
        (b"[1]", "[1]"),
        (b"[" * 16_000, "[" * 199 + "…"),
        (b"", ""),
        (b"\xff\xfe", "��"),
    ],
)
def test_the_sentence_is_found_in_every_kind_of_error_body(body, words):
    assert server_words(body) == words


def test_control_and_direction_marks_are_gone():
    assert printable("a\x1b[0m\r\nb\u202ec\u2028d\x00e") == "a [0m b c d e"


def test_anything_that_looks_like_a_token_is_struck_out():
    assert printable("token eyJhbGciOi.eyJpc3Mi.c2ln expired") == "token *** expired"
