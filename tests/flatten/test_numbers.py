"""Numbers keep every digit: as float64 where it holds them, as JSON text where it does not."""

from __future__ import annotations

import math

import pytest

from dimo_etl.flatten.numbers import LongNumber, UnreadableError, parse, parse_all, to_json
from tests.flatten.rows import values_of

_TIMED = '{"time":"2026-01-05T10:00:00Z","data":{"a":%s}}'


def value(text):
    return values_of((_TIMED % text).encode())["a"]


@pytest.mark.parametrize(
    "text",
    [
        "9007199254740993",
        "-9007199254740993",
        "18446744073709551617",
        "123456789012345678",
        "0.1234567890123456789",
        "12345678901234567890.5",
        "123456789012345678e2",
        "1e400",
        "-1E+400",
        "1e-400",
        "1.5E-320",
        "0.0001e-306",
        "9" * 5_000,
    ],
)
def test_a_number_float64_cannot_hold_keeps_its_text(text):
    assert value(text) == text.encode()
    assert value(f"[{text}]") == f"[{text}]".encode()
    assert value(f'[{{"b":{text}}}]') == f'[{{"b":{text}}}]'.encode()


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0.0),
        ("9007199254740992", 2.0**53),
        ("9007199254740994", 2.0**53 + 2),
        ("1180591620717411303424", 2.0**70),
        ("-100000000000000000000", -1e20),
        ("0.10000000000000000000", 0.1),
        ("0.30000000000000004", 0.1 + 0.2),
        ("1.7976931348623157e308", 1.7976931348623157e308),
        ("2.2250738585072014e-308", 2.2250738585072014e-308),
        ("0e999", 0.0),
        ("0.0e-999", 0.0),
        ("1e2", 100.0),
    ],
)
def test_a_number_float64_holds_is_a_number_however_long_it_is_written(text, number):
    assert value(text) == number


@pytest.mark.parametrize("text", ["-0.0", "-0e-400", "-0.00000000000000000000"])
def test_minus_zero_keeps_its_sign(text):
    assert math.copysign(1, value(text)) == -1.0


@pytest.mark.parametrize("text", ["%s", "[%s]", '[{"b":%s}]'])
@pytest.mark.parametrize("beside", ["1", "1e400"])
def test_minus_zero_without_a_fraction_is_the_whole_number_zero_whatever_is_beside_it(text, beside):
    document = '{"time":"2026-01-05T10:00:00Z","data":{"a":%s,"b":%s}}'
    found, wanted = (values_of((document % (text % zero, beside)).encode()) for zero in ("-0", "0"))
    assert repr(found) == repr(wanted)
    # A value with a time of its own is read by another reader, where there are several.
    nested = '{"time":"2026-01-05T10:00:00Z","data":{"a":{"value":%s,"timestamp":"2026-01-05T10:00:00Z"}}}'
    found, wanted = (parse_all([(nested % (text % zero)).encode()] * 2) for zero in ("-0", "0"))
    assert repr(found) == repr(wanted)


def test_whole_numbers_beyond_64_bits_in_an_array_are_the_same_numbers():
    assert value("[1180591620717411303424,18446744073709551615]") == b"[1.1805916207174113e+21,18446744073709551615]"


def test_a_long_number_does_not_change_its_neighbours():
    data = '{"time":1767607200,"data":{"long":1e400,"a":2,"b":0.5,"c":"x","d":[1,2.5,true,null]}}'
    long, *others = values_of(data.encode()).items()
    assert long == ("long", b"1e400")
    assert dict(others) == values_of(data.replace('"long":1e400,', "").encode())


@pytest.mark.parametrize("text", ['"123456789012345678901234567890"', '"1e-4000"', '"0e-4001-8123"'])
def test_digits_inside_a_string_are_a_string(text):
    assert value(text) == text.strip('"')


def test_long_numbers_are_handed_over_as_text():
    assert parse(b"[1e400,1]") == [LongNumber("1e400"), 1]
    assert to_json([LongNumber("1e400"), {"a": 1}]) == '[1e400,{"a":1}]'


@pytest.mark.parametrize("text", [b"", b"{", b"nul", b"\xff", b"[1,]", b'"\t"', b'{"a":1}{"b":2}', b"\xef\xbb\xbf{}"])
def test_what_is_not_json_is_refused_with_a_reason(text):
    with pytest.raises(UnreadableError, match=r"^not (JSON|UTF-8)"):
        parse(text)


@pytest.mark.parametrize("before", range(4))
@pytest.mark.parametrize("text", ["123456789.123456789", "1234567891.23456789e3", "1e-400"])
def test_a_long_number_is_found_wherever_it_stands_in_its_text(text, before):
    spaces = " " * before
    document = f'{{"time":"2026-01-05T10:00:00Z","data":{{{spaces}"vin":"SBX0000000000000{before}","a":{text}}}}}'
    assert values_of(document.encode())["a"] == text.encode()
