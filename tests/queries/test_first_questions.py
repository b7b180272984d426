"""The SQL that ships, on charts made by hand: the answers are worked out here, by hand."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

from tests.documents import document, spotify_id
from tests.queries.asking import CHART, MONDAY, QUERIES, WEEKLY, ask, day, official, song, told


def test_movement_tells_climbed_lost_stayed_new_and_back(tmp_path: Path) -> None:
    charts = [
        day(0, song("Back"), song("Up"), song("Down"), song("Same")),
        day(1, song("Down"), song("Other"), song("Up"), song("Same"), song("Out")),
        day(2, song("Up"), song("Back"), song("Down"), song("Same"), song("New")),
    ]
    rows = ask(tmp_path, QUERIES["todays_top_10"], charts)
    assert [(row[0], row[1], row[2]) for row in rows] == [
        (1, "+2", "Up"),
        (2, "back", "Back"),
        (3, "-2", "Down"),
        (4, "=", "Same"),
        (5, "new", "New"),
    ]


def test_a_missing_day_is_not_bridged_movement_is_unknown(tmp_path: Path) -> None:
    rows = ask(tmp_path, QUERIES["todays_top_10"], [day(0, song("One")), day(2, song("One"))])
    assert [(row[0], row[1]) for row in rows] == [(1, None)]


def test_a_recording_with_a_new_song_id_keeps_its_movement(tmp_path: Path) -> None:
    before = [song("Other"), song("First release", isrc="QZABC2600001")]
    charts = [day(0, *before), day(1, song("Second release", isrc="QZABC2600001"), song("Other"))]
    rows = ask(tmp_path, QUERIES["todays_top_10"], charts)
    assert [(row[1], row[2]) for row in rows] == [("+1", "Second release"), ("-1", "Other")]


def test_a_weekly_chart_moves_by_weeks(tmp_path: Path) -> None:
    charts = [
        day(0, song("One"), song("Two"), chart=WEEKLY, step=7),
        day(1, song("Two"), song("One"), chart=WEEKLY, step=7),
    ]
    rows = ask(tmp_path, QUERIES["todays_top_10"], charts, chart=WEEKLY)
    assert [(row[1], row[2], row[5]) for row in rows] == [
        ("+1", "Two", date(2026, 3, 9)),
        ("-1", "One", date(2026, 3, 9)),
    ]


def test_the_top_ten_ends_at_ten_and_keeps_to_its_chart(tmp_path: Path) -> None:
    charts = [day(0, *(song(f"Song {n}") for n in range(12))), day(5, song("Elsewhere"), chart="road-trip")]
    rows = ask(tmp_path, QUERIES["todays_top_10"], charts)
    assert [row[0] for row in rows] == list(range(1, 11))
    assert {row[5] for row in rows} == {MONDAY}


def test_longest_on_chart_counts_recordings_over_their_ids(tmp_path: Path) -> None:
    charts = [
        day(0, song("Old", isrc="QZABC2600001"), song("Two days")),
        day(1, song("Two days"), song("New", isrc="QZABC2600001")),
        day(3, song("New", isrc="QZABC2600001")),
    ]
    rows = ask(tmp_path, QUERIES["longest_on_chart"], charts)
    assert rows == [
        ("New", "Ivo Calder", 3, None, 1, MONDAY, MONDAY + timedelta(days=3), "QZABC2600001"),
        ("Two days", "Ivo Calder", 2, None, 1, MONDAY, MONDAY + timedelta(days=1), spotify_id(("track", "Two days"))),
    ]


def test_every_artist_of_a_song_counts(tmp_path: Path) -> None:
    charts = [
        day(0, song("Both", by=("Ñandú", "Ayla Sable")), song("Alone", by=("Ayla Sable",))),
        day(1, song("Alone", by=("Ayla Sable",))),
    ]
    rows = ask(tmp_path, QUERIES["artists_on_chart"], charts)
    assert rows == [("Ayla Sable", 3, 2, 1, 1.0, True), ("Ñandú", 1, 1, 1, 1 / 3, True)]


def test_missing_dates_are_counted_in_each_charts_own_period(tmp_path: Path) -> None:
    charts = [
        *(day(offset, song("One")) for offset in (0, 1, 4)),
        *(day(offset, song("One"), chart=WEEKLY, step=7) for offset in (0, 2)),
        day(0, song("One"), chart="road-trip"),
    ]
    rows = ask(tmp_path, QUERIES["chart_dates"], charts)
    assert rows == [
        (CHART, "daily", MONDAY, MONDAY + timedelta(days=4), 3, 2, "playlist"),
        (WEEKLY, "weekly", MONDAY, MONDAY + timedelta(days=14), 2, 1, "playlist"),
        ("road-trip", "daily", MONDAY, MONDAY, 1, 0, "playlist"),
    ]


@pytest.mark.parametrize("name", sorted(QUERIES))
def test_every_query_that_ships_answers_with_the_columns_its_header_names(tmp_path: Path, name: str) -> None:
    before = [song("One", by=("Ñandú", "Ayla Sable")), song("Two"), song("Three")]
    charts = [
        *(document(songs=[song("Snow")], chart_date=date(year, 12, 26)) for year in (2024, 2025)),
        day(0, *before),
        day(2, *before),
        day(3, song("Two"), before[0], song("Four")),
        official(4, told(1, "One"), told(2, "Five")),
        day(4, before[0], chart=WEEKLY),
    ]
    assert ask(tmp_path, QUERIES[name], charts)
