"""When a token is to be renewed."""

from __future__ import annotations

import jwt
import pytest

from dimo_etl.api.messages import UnusableResponseError
from dimo_etl.api.tokens import read_token


def signed(**claims) -> str:
    return jwt.encode(claims, "k" * 32, algorithm="HS256")


def test_a_token_is_renewed_at_four_fifths_of_its_life():
    token = read_token(signed(iat=1000, exp=1600), now=1000.0)
    assert (token.renew_at, token.expires_at) == (1480.0, 1600.0)
    assert not token.is_due(1479.9)
    assert token.is_due(1480.0)


def test_a_clock_an_hour_ahead_of_the_issuers_does_no_harm():
    assert not read_token(signed(iat=1000, exp=1600), now=4600.0).is_due(4600.0 + 479)


def test_without_a_time_of_issue_life_begins_now():
    assert read_token(signed(exp=1600), now=1100.0).renew_at == 1500.0


@pytest.mark.parametrize("text", ["opaque", "a.b.c", signed(), signed(exp="soon"), signed(exp=True), signed(exp=1e300)])
def test_a_token_that_tells_no_end_is_used_until_refused(text):
    assert not read_token(text, now=0.0).is_due(2.0**60)


@pytest.mark.parametrize("text", ["", "two words", "line\nbreak", "ünicode", "\x00", "x" * 20_000])
def test_a_text_that_cannot_stand_in_a_header_is_no_token(text):
    with pytest.raises(UnusableResponseError):
        read_token(text, now=0.0)
