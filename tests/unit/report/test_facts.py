"""The sentence and the four facts, worked out by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from lambdas.core.report.answers import Answers, ask_everything
from lambdas.core.report.facts import four_facts, what_changed
from lambdas.core.report.words import unit_of
from tests.answers import History, Song, daily

CHART = "regional-global-daily"
MONDAY = date(2026, 3, 2)
A, B, C, D, E, F = (Song(name, (f"By {name}",)) for name in "ABCDEF")


def _answers(*charts: tuple[Song, ...] | None, names_artists: bool = True) -> Answers:
    answers = ask_everything(History(daily(MONDAY, *charts), names_artists=names_artists), CHART)
    assert answers is not None
    return answers


def _said(*charts: tuple[Song, ...] | None) -> str:
    return what_changed(CHART, _answers(*charts), unit_of(CHART)).partition(": ")[2]


def _facts(*charts: tuple[Song, ...] | None, names_artists: bool = True) -> list[tuple[str, str, str]]:
    facts = four_facts(_answers(*charts, names_artists=names_artists), unit_of(CHART))
    return [(fact.label, fact.value, fact.detail) for fact in facts]


def test_the_sentence_names_the_chart_and_its_date() -> None:
    said = what_changed(CHART, _answers((A, B), (A, B)), unit_of(CHART))
    assert said.startswith("Top songs, Global, daily, 3 March 2026: ")
    assert said.count(".") == 1
    assert said.endswith(".")


def test_the_sentence_tells_days_in_a_row_what_is_new_and_the_biggest_climb() -> None:
    assert _said((B, A, C, D), (A, B, C, D), (A, B, C, D), (A, D, E, B)) == (
        "“A” by By A is number one for the 3rd day in a row; 1 song is new (“E” by By E at 3) and 1 left; "
        "“D” by By D climbs most, 2 places to 2."
    )


def test_the_sentence_tells_how_a_number_one_came() -> None:
    assert _said((A, B), (B, A)).startswith("“B” by By B rises from 2 to number one; no song is new")
    assert _said((A, B), (C, A)).startswith("“C” by By C enters at number one; 1 song is new and 1 left")
    assert _said((A, B), (C, B), (A, B)).startswith(
        "“A” by By A returns at number one; no song is new, 1 is back and 1 left"
    )


def test_a_reign_that_goes_back_to_the_first_date_may_be_longer() -> None:
    assert _said((A, B), (A, B)) == "“A” by By A stays number one; no song is new."
    assert _facts((A, B), (A, B))[0] == ("Number one", "A", "By A · at least 2 days in a row")
    assert _facts((B, A), None, (A, B), (A, B))[0] == ("Number one", "A", "By A · at least 2 days in a row")
    assert _facts((B, A), (A, B), (A, B))[0] == ("Number one", "A", "By A · 2 days in a row")
    assert _facts((B, A), (A, B))[0] == ("Number one", "A", "By A · first day")


def test_after_a_missing_day_movement_is_unknown_not_nought() -> None:
    charts = ((A, B), None, (A, C))
    assert _said(*charts) == (
        "“A” by By A is number one; what moved is not known, for the day before is not in your data."
    )
    assert _facts(*charts)[1:3] == [
        ("New on the chart", "Unknown", "the day before is not in your data"),
        ("Biggest climb", "Unknown", "the day before is not in your data"),
    ]


def test_new_back_and_out_are_counted() -> None:
    facts = _facts((A, B, C, D), (A, C, D, E), (A, B, F, C))
    assert facts[1] == ("New on the chart", "1", "1 back · 2 out")


def test_the_biggest_climb_is_the_highest_placed_of_equals() -> None:
    assert _facts((A, B, C, D), (B, A, D, C))[2] == ("Biggest climb", "▲ 1", "B, to 1 · and 1 song as far")
    assert _facts((A, B), (A, B))[2] == ("Biggest climb", "None", "no song rose since the day before")


def test_the_artist_with_most_songs_counts_every_artist_of_a_song() -> None:
    one, two, three = Song("1", ("X", "Y")), Song("2", ("Y",)), Song("3", ("Z",))
    assert _facts((one, two, three))[3] == ("Artist with most songs", "Y", "2 songs")
    assert _facts((one, replace(two, artists=("X", "Y")), three))[3] == (
        "Artist with most songs", "X", "2 songs · 1 other has as many",
    )  # fmt: skip
    assert _facts((A, B))[3] == ("Artist with most songs", "Nobody", "each of 2 has one song")


def test_where_no_artists_are_known_credits_are_counted() -> None:
    one, two, three = Song("1", ("X", "Y")), Song("2", ("Y",)), Song("3", ("X", "Y"))
    assert _facts((one, two, three), names_artists=False)[3] == ("Credit with most songs", "X, Y", "2 songs")


def test_guests_are_named_once() -> None:
    song = Song("Parallel (feat. Ivo)", ("Sana", "Ivo"))
    assert "“Parallel” by Sana, Ivo" in _said((song,))
    assert _facts((song,))[0][1] == "Parallel"
