"""What a vehicle lacks, and what to do next: each kind, and silence where nothing is missing."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from dimo_etl.cli.missing import Held, Lack, Span, lacks

FIRST, LAST, NEWEST = date(2026, 1, 5), date(2026, 1, 9), date(2026, 1, 9)
# Everything that was shared since the first day is there.
WHOLE = Held("8816", (1, 4), True, 5, FIRST, LAST, (), 0)


def told(held: Held, newest: date = NEWEST) -> list[Lack]:
    return list(lacks(held, newest=newest))


def test_of_a_vehicle_that_lacks_nothing_nothing_is_said():
    assert told(WHOLE) == []


def test_incomplete_days_come_with_the_command_that_asks_for_them_again():
    spans = (Span(None, 2, date(2026, 1, 6), date(2026, 1, 8)),)
    assert told(replace(WHOLE, spans=spans)) == [
        Lack("2 days incomplete", "dimo-etl sync --from 2026-01-06 --to 2026-01-08")
    ]


@pytest.mark.parametrize(
    ("unread", "permissions", "what"),
    [
        ("location", (1, 3), "no location (privilege 4 not granted)"),
        ("everything but location", (4,), "nothing but location (privilege 1 not granted)"),
        ("everything", (3,), "nothing readable (neither privilege 1 nor 4 granted)"),
        ("everything", None, "nothing readable (neither privilege 1 nor 4 granted)"),
    ],
)
def test_what_no_privilege_lets_be_read_is_asked_of_the_owner(unread, permissions, what):
    held = replace(WHOLE, permissions=permissions, spans=(Span(unread, 5, FIRST, LAST),))
    assert told(held) == [Lack(what, "ask its owner to grant it")]


def test_what_shares_too_little_for_raw_events_may_share_enough_for_values():
    held = replace(WHOLE, permissions=(1,), spans=(Span("raw events", 5, FIRST, LAST),))
    assert told(held) == [
        Lack(
            "no raw events (neither privilege 7, nor 1 and 4 granted)",
            "ask its owner to grant it, or bring what is shared: "
            "dimo-etl sync --from 2026-01-05 --to 2026-01-09 --vehicle 8816 --source telemetry",
        )
    ]
    granted = [told(replace(held, permissions=now))[0].what for now in ((7,), (1, 4))]
    assert granted == ["raw events: granted now, and not for 5 days"] * 2


def test_what_is_granted_by_now_is_read_again_for_the_days_that_lack_it():
    held = replace(WHOLE, spans=(Span("location", 3, FIRST, date(2026, 1, 7)),))
    assert told(held) == [
        Lack(
            "location: granted now, and not for 3 days",
            "dimo-etl sync --from 2026-01-05 --to 2026-01-07 --vehicle 8816 --refresh",
        )
    ]


def test_a_vehicle_no_longer_shared_is_not_asked_for_again():
    held = replace(WHOLE, shared_now=False, spans=(Span(None, 1, LAST, LAST),))
    assert [lack.what for lack in told(held, date(2026, 2, 1))] == ["not shared with this licence now"]


@pytest.mark.parametrize(
    ("asked_days", "newest", "what", "span"),
    [
        (5, date(2026, 1, 11), "2 days never asked for", "--from 2026-01-10 --to 2026-01-11"),
        (4, NEWEST, "1 day never asked for", "--from 2026-01-05 --to 2026-01-09"),
        (4, date(2026, 1, 11), "3 days never asked for", "--from 2026-01-05 --to 2026-01-11"),
    ],
)
def test_days_that_were_never_asked_for_are_counted(asked_days, newest, what, span):
    assert told(replace(WHOLE, asked_days=asked_days), newest) == [Lack(what, f"dimo-etl sync {span}")]


def test_a_shared_vehicle_without_a_day_is_begun_with_the_last_week():
    held = replace(WHOLE, asked_days=0, first_asked=None, last_asked=None)
    assert told(held) == [Lack("nothing brought yet", "dimo-etl sync --from 2026-01-03 --to 2026-01-09")]


def test_an_imported_vehicle_of_which_identity_says_nothing_lacks_no_days():
    held = replace(WHOLE, shared_now=None, permissions=None, asked_days=0, first_asked=None, last_asked=None)
    assert told(held) == []


def test_documents_in_quarantine_are_pointed_to():
    assert told(replace(WHOLE, quarantined=3)) == [Lack("3 documents not understood", 'dimo-etl sql "FROM quarantine"')]
