"""How the report says things."""

from __future__ import annotations

from datetime import date

import pytest

from lambdas.core.report.words import chart_title, date_span, movement, ordinal, short_title, songs, unit_of


@pytest.mark.parametrize(
    ("chart", "title"),
    [
        ("regional-global-daily", "Top songs, Global, daily"),
        ("regional-us-weekly", "Top songs, United States, weekly"),
        ("regional-zz-daily", "Top songs, ZZ, daily"),
        ("road-trip", "Road trip"),
        ("office-party-weekly", "Office party, weekly"),
        ("top-50", "Top 50"),
        ("weekly", "Weekly"),
    ],
)
def test_a_charts_name_is_told_as_people_say_it(chart: str, title: str) -> None:
    assert chart_title(chart) == title


def test_a_weekly_chart_counts_weeks() -> None:
    assert unit_of("regional-us-weekly").count(1) == "1 week"
    assert unit_of("road-trip").count(1204) == "1,204 days"


@pytest.mark.parametrize(
    ("first", "last", "said"),
    [
        ("2026-03-03", "2026-03-03", "3 Mar 2026"),
        ("2026-03-03", "2026-03-09", "3–9 Mar 2026"),
        ("2026-02-28", "2026-03-09", "28 Feb – 9 Mar 2026"),
        ("2025-12-30", "2026-01-02", "30 Dec 2025 – 2 Jan 2026"),
        ("2025-03-03", "2026-03-03", "3 Mar 2025 – 3 Mar 2026"),
    ],
)
def test_a_span_of_dates_leaves_out_what_they_share(first: str, last: str, said: str) -> None:
    assert date_span(date.fromisoformat(first), date.fromisoformat(last)) == said


def test_ordinals() -> None:
    assert [ordinal(n) for n in (1, 2, 3, 4, 11, 12, 13, 21, 112, 1003)] == [
        "1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "112th", "1,003rd",
    ]  # fmt: skip


def test_no_song_one_song_more_songs() -> None:
    assert [songs(n) for n in (0, 1, 2)] == ["no song", "1 song", "2 songs"]


@pytest.mark.parametrize(
    ("title", "artists", "short"),
    [
        ("Parallel (feat. Paper Foxes)", "Sana Kestrel, Paper Foxes", "Parallel"),
        ("Parallel (feat. Paper Foxes & Ivo) - Remix", "Sana, Ivo, Paper Foxes", "Parallel - Remix"),
        ("Parallel [with paper foxes]", "Sana Kestrel, Paper Foxes", "Parallel"),
        ("Parallel (feat. Somebody Else)", "Sana Kestrel, Paper Foxes", "Parallel (feat. Somebody Else)"),
        ("Parallel (with love)", "Sana Kestrel", "Parallel (with love)"),
        ("(feat. Ivo)", "Ivo", "(feat. Ivo)"),
    ],
)
def test_guests_are_left_out_of_a_title_only_if_its_credit_names_them(title: str, artists: str, short: str) -> None:
    assert short_title(title, artists) == short


def test_movement_has_an_arrow_a_number_and_a_word() -> None:
    told = [movement(text) for text in ("+2", "-11", "=", "new", "back", None)]
    assert [(m.kind, m.arrow, m.by, m.word) for m in told] == [
        ("up", "▲", 2, "up"),
        ("down", "▼", 11, "down"),
        ("same", "=", None, "same"),
        ("new", "✦", None, "new"),
        ("back", "↩", None, "back"),
        ("unknown", "", None, "unknown"),
    ]
