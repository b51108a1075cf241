"""The two ends of a range."""

from datetime import UTC, datetime

import pytest

from dimo_etl.sandbox.bounds import end_ms, go_date_error, start_ms


def ms(text):
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("2026-01-05", "2026-01-05T00:00:00.000", "2026-01-05T23:59:59.999"),
        ("2026-01-05T09:00:00Z", "2026-01-05T09:00:00.000", "2026-01-05T09:00:00.999"),
        ("2026-01-05T09:00:00.250Z", "2026-01-05T09:00:00.250", "2026-01-05T09:00:00.250"),
        ("2026-01-05T09:00:00.2Z", "2026-01-05T09:00:00.200", "2026-01-05T09:00:00.200"),
        ("2026-01-05T09:00:00.250999999Z", "2026-01-05T09:00:00.250", "2026-01-05T09:00:00.250"),
        ("2026-01-05T09:00:00+02:00", "2026-01-05T07:00:00.000", "2026-01-05T07:00:00.999"),
        ("2026-01-05T23:00:00-05:30", "2026-01-06T04:30:00.000", "2026-01-06T04:30:00.999"),
    ],
)
def test_missing_parts_are_filled_downward_at_the_start_and_upward_at_the_end(text, start, end):
    assert (start_ms(text), end_ms(text)) == (ms(start), ms(end))


def test_an_offset_may_reach_before_the_first_year():
    assert start_ms("0001-01-01T00:00:00+01:00") == -62_135_596_800_000 - 3_600_000


@pytest.mark.parametrize(
    "text",
    ["", "yesterday", "2026-1-5", "2026-02-30", "2026-01-05T09:00:00", "2026-01-05 09:00:00Z", "2026-01-05T24:00:00Z"],
)
def test_what_is_neither_a_date_nor_rfc_3339_is_no_bound(text):
    assert start_ms(text) is None
    assert end_ms(text) is None


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("2026-01-05", None),
        ("x", 'parsing time "x" as "2006-01-02": cannot parse "x" as "2006"'),
        ("2026-1", 'parsing time "2026-1" as "2006-01-02": cannot parse "1" as "01"'),
        ("2026-13-01", 'parsing time "2026-13-01": month out of range'),
        ("2026-02-30", 'parsing time "2026-02-30": day out of range'),
        ("2026-01-05T00:00:00Z", 'parsing time "2026-01-05T00:00:00Z": extra text: "T00:00:00Z"'),
    ],
)
def test_a_wrong_date_is_described_as_go_does(text, problem):
    assert go_date_error(text) == problem
