"""A chart's newest date, its number ones, its songs and its calendar, on charts made by hand.

The answers are worked out here, by hand.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from lambdas.core.documents import RawDocument
from tests.documents import document, entry, page, spotify_id
from tests.queries.asking import (
    CHART,
    MONDAY,
    QUERIES,
    WEEKLY,
    answer_of,
    ask,
    catalog_of,
    day,
    filler,
    load,
    official,
    picked,
    song,
    told,
)

TODAY, TOP_10 = QUERIES["todays_chart"], QUERIES["todays_top_10"]
NUMBER_ONES, SONGS, CALENDAR = QUERIES["number_ones"], QUERIES["every_song"], QUERIES["chart_calendar"]
ISRC = "QZABC2600001"


def on(offset: int) -> date:
    return MONDAY + timedelta(days=offset)


def movements(folder: Path, charts: list[RawDocument], chart: str = CHART) -> list[tuple[Any, ...]]:
    """Song, movement and previous position on the newest date; the top 10 must tell the same."""
    catalog = catalog_of(folder, load(charts))
    rows = answer_of(catalog, TODAY, chart=chart)
    top = picked(TODAY, [row for row in rows if row[0] <= 10], "position", "movement", "song", "album", "chart_date")
    assert picked(TOP_10, answer_of(catalog, TOP_10, chart=chart), *TOP_10.columns[:3], *TOP_10.columns[4:]) == top
    return picked(TODAY, rows, "song", "movement", "previous_position")


def test_todays_chart_tells_everything_of_a_song(tmp_path: Path) -> None:
    charts = [
        day(0, song("One", isrc="qzabc2600001"), song("Two")),
        day(1, song("Two", by=("Ayla Sable", "Ivo Calder")), song("One", isrc="qzabc2600001")),
    ]
    one, two = spotify_id(("track", "One")), spotify_id(("track", "Two"))
    url = "https://open.spotify.com/track/"
    assert ask(tmp_path, TODAY, charts) == [
        (1, "+1", 2, "Two", "Ayla Sable, Ivo Calder", "Two (album)", 1, 2, None, two, two, url + two, None, on(1)),
        (2, "-1", 1, "One", "Ivo Calder", "One (album)", 1, 2, None, ISRC, one, url + one, "qzabc2600001", on(1)),
    ]


def test_a_song_below_the_reach_of_the_period_before_is_neither_new_nor_up(tmp_path: Path) -> None:
    charts = [
        day(0, song("A"), song("B")),
        day(1, song("B"), song("Came"), song("A"), song("Deep")),
    ]
    assert movements(tmp_path, charts) == [("B", "+1", 2), ("Came", "new", None), ("A", "-2", 1), ("Deep", None, None)]


def test_a_song_that_was_seen_deeper_than_todays_chart_reaches_has_climbed(tmp_path: Path) -> None:
    charts = [day(0, *filler(200)), day(1, song("Filler 150"), *filler(49))]
    assert movements(tmp_path, charts)[0] == ("Filler 150", "+149", 150)


def test_a_song_may_have_been_at_a_place_whose_song_is_not_known(tmp_path: Path) -> None:
    charts = [day(0, song("A"), None, song("B")), day(1, song("B"), song("A"), song("C"))]
    assert movements(tmp_path, charts) == [("B", "+2", 3), ("A", "-1", 1), ("C", None, None)]


def test_a_place_held_by_a_local_file_hides_no_song(tmp_path: Path) -> None:
    local = entry(song("Mine"), is_local=True)
    before = document([page([entry(song("A")), local, entry(song("B"))])], chart_date=MONDAY)
    after = day(1, song("B"), song("A"), song("C"))
    assert movements(tmp_path, [before, after])[2] == ("C", "new", None)


def test_a_recording_on_the_chart_twice_is_compared_place_by_place(tmp_path: Path) -> None:
    single, remaster, late = song("Single", isrc=ISRC), song("Remaster", isrc=ISRC), song("Late", isrc=ISRC)
    charts = [
        day(0, single, song("A"), song("B"), remaster, song("C")),
        day(1, remaster, song("A"), single, late, song("B")),
        day(2, remaster, song("A"), single, late, song("B")),
    ]
    assert movements(tmp_path, charts[:2]) == [
        ("Remaster", "=", 1),
        ("A", "=", 2),
        ("Single", "+1", 4),
        ("Late", None, None),
        ("B", "-2", 3),
    ]
    rows = ask(tmp_path / "later", TODAY, charts)
    assert picked(TODAY, rows, "movement", "periods_on_chart", "best_position")[0] == ("=", 3, 1)


def test_spotifys_own_figures_come_before_ours(tmp_path: Path) -> None:
    charts = [
        official(0, told(1, "A"), told(2, "B"), told(3, "C")),
        official(
            1,
            told(1, "A", previous=4, peak=1, days=30),
            told(2, "B", peak=2, days=1),
            told(3, "C", peak=3, days=12),
            told(4, "D", peak=4, days=1),
            told(5, "E", previous=5, peak=1, days=99),
        ),
    ]
    assert movements(tmp_path, charts) == [
        ("A", "+3", 4),
        ("B", "new", None),
        ("C", "back", None),
        ("D", "new", None),
        ("E", "=", 5),
    ]
    rows = ask(tmp_path, TODAY, charts)
    assert picked(TODAY, rows, "best_position", "periods_on_chart") == [(1, 30), (2, 1), (3, 12), (4, 1), (1, 99)]


def test_spotifys_own_figures_tell_the_movement_without_the_period_before(tmp_path: Path) -> None:
    charts = [official(0, told(1, "A", previous=3, peak=1, weeks=8), told(2, "B", peak=2, weeks=1), chart=WEEKLY)]
    assert movements(tmp_path, charts, WEEKLY) == [("A", "+2", 3), ("B", "new", None)]


def test_spotifys_count_of_periods_and_peak_are_carried_on_by_the_dates_after(tmp_path: Path) -> None:
    charts = [
        official(0, told(1, "B", previous=1, peak=1, days=3), told(2, "A", previous=1, peak=1, days=40)),
        day(1, song("C"), song("A")),
        day(2, song("C"), song("A")),
    ]
    rows = ask(tmp_path, TODAY, charts)
    assert picked(TODAY, rows, "song", "best_position", "periods_on_chart", "streams") == [
        ("C", 1, 2, None),
        ("A", 1, 42, None),
    ]


def test_the_streams_and_the_credit_of_a_file_are_shown_where_nothing_else_is_known(tmp_path: Path) -> None:
    rows = ask(tmp_path, TODAY, [official(0, told(1, "A"))])
    assert picked(TODAY, rows, "artists", "album", "streams", "isrc") == [("Ivo Calder", None, 999_999, None)]


@pytest.mark.parametrize("chart", [CHART, WEEKLY])
def test_a_movement_is_of_the_charts_own_period(tmp_path: Path, chart: str) -> None:
    step = 7 if chart == WEEKLY else 1
    charts = [
        day(0, song("A"), song("B"), chart=chart, step=step),
        day(1, song("B"), song("A"), chart=chart, step=step),
    ]
    assert movements(tmp_path, charts, chart) == [("B", "+1", 2), ("A", "-1", 1)]


def test_the_questions_about_movement_are_of_one_mind(tmp_path: Path) -> None:
    shared = {
        name: query.sql[query.sql.index("held AS (") : query.sql.index("    FROM compared AS c\n)")]
        for name, query in QUERIES.items()
        if "    FROM compared AS c\n)" in query.sql
    }
    assert {"todays_chart", "todays_top_10", "chart_calendar"} <= set(shared)
    assert len(set(shared.values())) == 1


def test_a_run_at_number_one_ends_with_another_song_and_at_a_missing_date(tmp_path: Path) -> None:
    first, again = song("First release", isrc=ISRC), song("Second release", isrc=ISRC)
    charts = [
        day(0, first, song("B")),
        day(1, again, song("B")),
        day(2, song("B"), again),
        day(3, again, song("B")),
        day(5, again, song("B")),
        day(6, again),
    ]
    b = spotify_id(("track", "B"))
    assert ask(tmp_path, NUMBER_ONES, charts) == [
        ("Second release", "Ivo Calder", on(5), on(6), 2, ISRC),
        ("Second release", "Ivo Calder", on(3), on(3), 1, ISRC),
        ("B", "Ivo Calder", on(2), on(2), 1, b),
        ("Second release", "Ivo Calder", on(0), on(1), 2, ISRC),
    ]


def test_a_date_whose_number_one_is_not_known_ends_a_run(tmp_path: Path) -> None:
    charts = [day(0, song("A")), day(1, None, song("B")), day(2, song("A"))]
    rows = ask(tmp_path, NUMBER_ONES, charts)
    assert picked(NUMBER_ONES, rows, "song", "first_date", "periods_in_a_row") == [("A", on(2), 1), ("A", on(0), 1)]


def test_a_run_of_a_weekly_chart_counts_weeks(tmp_path: Path) -> None:
    charts = [day(offset, song("A"), chart=WEEKLY, step=7) for offset in (0, 1, 2, 4)]
    rows = ask(tmp_path, NUMBER_ONES, charts, chart=WEEKLY)
    assert picked(NUMBER_ONES, rows, "first_date", "last_date", "periods_in_a_row") == [
        (on(28), on(28), 1),
        (on(0), on(14), 3),
    ]


def test_every_song_has_its_places_runs_and_latest_names(tmp_path: Path) -> None:
    first, again = song("First release", isrc=ISRC), song("Second release", isrc=ISRC)
    charts = [
        day(0, first, song("B"), again),
        day(1, song("B"), again),
        day(2, song("B")),
        day(3, song("B"), again),
        day(5, song("C"), again),
    ]
    b, c, second = (spotify_id(("track", name)) for name in ("B", "C", "Second release"))
    url = "https://open.spotify.com/track/"
    by = "Ivo Calder"
    trail = "2026-03-02:1 2026-03-03:2 2026-03-05:2 2026-03-07:2"
    trail_of_b = "2026-03-02:2 2026-03-03:1 2026-03-04:1 2026-03-05:1"
    assert ask(tmp_path, SONGS, charts) == [
        (c, "C", by, "C (album)", url + c, None, on(5), on(5), 1, 1, 1, None, "2026-03-07:1"),
        (ISRC, "Second release", by, "Second release (album)", url + second, ISRC, on(0), on(5), 1, 4, 3, None, trail),
        (b, "B", by, "B (album)", url + b, None, on(0), on(3), 1, 4, 1, None, trail_of_b),
    ]


def test_streams_are_added_up_only_where_every_date_tells_them(tmp_path: Path) -> None:
    charts = [
        official(0, told(1, "A"), told(2, "B"), told(3, "C", peak=1, days=7)),
        official(1, told(1, "A"), told(3, "C", peak=1, days=8)),
        day(2, song("A")),
    ]
    rows = ask(tmp_path, SONGS, charts)
    assert picked(SONGS, rows, "song", "total_streams", "best_position", "periods_on_chart") == [
        ("A", None, 1, 3),
        ("C", 999_997 * 2, 1, 8),
        ("B", 999_998, 2, 1),
    ]


def test_a_run_of_a_weekly_song_counts_on_from_week_to_week(tmp_path: Path) -> None:
    charts = [day(offset, song("A"), chart=WEEKLY, step=7) for offset in (0, 1, 3)]
    rows = ask(tmp_path, SONGS, charts, chart=WEEKLY)
    assert picked(SONGS, rows, "periods_on_chart", "runs", "positions") == [
        (3, 2, "2026-03-02:1 2026-03-09:1 2026-03-23:1")
    ]


def calendar(folder: Path, charts: list[RawDocument], chart: str = CHART) -> list[tuple[Any, ...]]:
    """Date, whether it is held, and how many came, came back and left."""
    rows = ask(folder, CALENDAR, charts, chart=chart)
    return picked(CALENDAR, rows, "chart_date", "held", "new_entries", "re_entries", "left")


def test_the_calendar_has_every_date_the_missing_ones_too(tmp_path: Path) -> None:
    charts = [
        day(0, song("A"), song("B")),
        day(1, song("A"), song("C")),
        day(2, song("B"), song("C")),
        day(4, song("D"), song("E")),
        day(5, song("D"), song("E")),
    ]
    rows = ask(tmp_path, CALENDAR, charts)
    warning = "size_differs: reaches place 2, where 50 is usual"
    assert rows == [
        (on(0), True, 2, 2, "playlist", None, None, None, warning),
        (on(1), True, 2, 2, "playlist", 1, 0, 1, warning),
        (on(2), True, 2, 2, "playlist", 0, 1, 1, warning),
        (on(3), False, None, None, None, None, None, None, None),
        (on(4), True, 2, 2, "playlist", None, None, None, warning),
        (on(5), True, 2, 2, "playlist", 0, 0, 0, warning),
    ]


def test_the_calendar_of_a_weekly_chart_goes_by_weeks(tmp_path: Path) -> None:
    charts = [day(offset, song("A"), chart=WEEKLY, step=7) for offset in (0, 1, 3)]
    assert calendar(tmp_path, charts, WEEKLY) == [
        (on(0), True, None, None, None),
        (on(7), True, 0, 0, 0),
        (on(14), False, None, None, None),
        (on(21), True, None, None, None),
    ]


def test_a_chart_of_another_depth_counts_to_the_depth_that_both_have(tmp_path: Path) -> None:
    charts = [
        day(0, *filler(200)),
        day(1, song("New"), *filler(50)[1:]),
        day(2, *filler(200)),
    ]
    # Filler 1 is the only one of the upper 50 that leaves, and comes back; who was below 50 stays untold.
    assert calendar(tmp_path, charts)[1:] == [(on(1), True, 1, 0, 1), (on(2), True, 0, 1, 1)]


def test_where_a_place_is_not_known_nobody_is_said_to_have_come_or_left(tmp_path: Path) -> None:
    charts = [
        day(0, song("A"), song("B"), song("C")),
        day(1, song("A"), None, song("C")),
        day(2, song("A"), song("D"), song("C")),
        day(3, song("A"), None, song("C"), song("D")),
    ]
    assert calendar(tmp_path, charts)[1:] == [
        (on(1), True, 0, 0, None),
        (on(2), True, None, None, 0),
        (on(3), True, 0, 0, 0),
    ]


def test_spotifys_own_figures_tell_who_came_even_on_the_first_date(tmp_path: Path) -> None:
    charts = [
        official(0, told(1, "A", previous=1, peak=1, days=5), told(2, "B", days=1), told(3, "C", days=4)),
        official(1, told(1, "A", previous=1, peak=1, days=6), told(2, "D", days=3), told(3, "B", previous=2, days=2)),
    ]
    assert calendar(tmp_path, charts) == [(on(0), True, 1, 1, None), (on(1), True, 0, 1, 1)]


def test_a_date_off_the_charts_own_step_is_shown_all_the_same(tmp_path: Path) -> None:
    charts = [day(offset, song("A"), chart=WEEKLY) for offset in (0, 7, 10)]
    assert [row[:2] for row in calendar(tmp_path, charts, WEEKLY)] == [(on(0), True), (on(7), True), (on(10), True)]


def test_a_withdrawn_date_is_missing(tmp_path: Path) -> None:
    charts = [
        *(day(offset, song("A")) for offset in range(3)),
        document(withdrawal=True, chart_date=on(1), observed_at=datetime(2026, 3, 9, tzinfo=UTC)),
    ]
    assert [row[1] for row in calendar(tmp_path, charts)] == [True, False, True]


def test_a_chart_that_is_not_held_has_no_calendar(tmp_path: Path) -> None:
    assert ask(tmp_path, CALENDAR, [day(0, song("A"))], chart="road-trip") == []
