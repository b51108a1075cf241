"""Completion at the prompt: what a word that is being typed may mean."""

from __future__ import annotations

from dimo_etl.cli.completion import candidates
from dimo_etl.warehouse import views

VIEWS = views()
VALUES = {"name": ["fuelPercentRemaining", "speed", "tires.frontLeft"], "vehicle_id": ["4711", "it's"]}


def words(before, after=""):
    return [candidate.word for candidate in candidates(before, before + after, VIEWS, VALUES)]


def test_after_from_and_join_come_views_alone_a_macro_with_its_arguments():
    assert words("FROM odo") == ["odometer", "odometer_daily"]
    assert words("SELECT 1 FROM latest AS l, distance_daily_in('UTC') d, distance_daily_") == [
        "distance_daily_in('Europe/Berlin')"
    ]
    assert words("from latest join veh") == ["vehicles"]
    assert set(words("FROM ")) >= {"signals", "latest", "odometer"}


def test_columns_are_those_of_the_views_the_query_names_wherever_it_names_them():
    assert words("SELECT is_", " FROM odometer") == ["is_valid"]
    assert words("SELECT o.rea", " FROM odometer AS o") == ["reason", "reading"]
    assert "odometer_km" not in words("SELECT odometer_", " FROM latest")


def test_before_a_view_is_named_columns_of_any_view_are_offered_once():
    assert words("SELECT vehicle_") == ["vehicle_id"]


def test_words_of_sql_are_offered_in_any_case():
    assert "WHERE" in words("FROM odometer whe")


def test_a_text_is_completed_by_what_its_column_may_hold():
    assert words("FROM latest WHERE name = 'sp") == ["speed"]
    assert words("FROM latest WHERE name IN ('speed', 'tires.f") == ["tires.frontLeft"]
    assert words("FROM latest WHERE vehicle_id = 'it") == ["it''s"]
    assert words("FROM errors WHERE type = 'sp") == []
    assert "vehicle_id" in words("FROM latest WHERE name = 'sp' AND veh")
