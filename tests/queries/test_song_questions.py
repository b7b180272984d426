"""Where a song was, how long it stayed, and which songs moved most, on charts made by hand.

The answers are worked out here, by hand.
"""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

from lambdas.core.queries import Query
from tests.documents import spotify_id
from tests.queries.asking import (
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

MOVES, ARRIVALS, LONGEST = QUERIES["biggest_moves"], QUERIES["new_and_returning"], QUERIES["longest_on_chart"]
TRAJECTORY, RUNS = QUERIES["song_trajectory"], QUERIES["song_runs"]
ISRC = "QZABC2600001"
BY = "Ivo Calder"


def on(offset: int) -> date:
    return MONDAY + timedelta(days=offset)


def track_id(name: str) -> str:
    return spotify_id(("track", name))


def test_climbs_and_falls_are_ranked_by_places(tmp_path: Path) -> None:
    charts = [
        day(0, song("A"), song("B"), song("C"), song("D"), song("Out")),
        day(1, song("D"), song("B"), song("A"), song("C"), song("In")),
    ]
    between = (on(0), on(1))
    assert ask(tmp_path, MOVES, charts) == [
        ("D", BY, 4, 1, 3, track_id("D"), *between),
        ("C", BY, 3, 4, -1, track_id("C"), *between),
        ("A", BY, 1, 3, -2, track_id("A"), *between),
    ]


def test_of_climbs_and_of_falls_the_ten_biggest_are_told_the_higher_place_first(tmp_path: Path) -> None:
    climbing, falling = [[song(f"{way} {n}") for n in range(11)] for way in ("Up", "Down")]
    rows = ask(tmp_path, MOVES, [day(0, *falling, *climbing), day(1, *climbing, *falling)])
    told = picked(MOVES, rows, "song", "to_position", "places")
    assert told == [
        *((f"Up {n}", n + 1, 11) for n in range(10)),
        *((f"Down {n}", n + 12, -11) for n in range(10)),
    ]


def test_two_dates_of_the_chart_can_be_chosen(tmp_path: Path) -> None:
    charts = [
        day(0, song("A"), song("B"), song("C")),
        day(1, song("B"), song("A"), song("C")),
        day(2, song("C"), song("B"), song("A")),
        day(3, song("C"), song("B"), song("A")),
    ]
    catalog = catalog_of(tmp_path, load(charts))
    rows = answer_of(catalog, MOVES, from_date="2026-03-02", to_date="2026-03-04")
    assert picked(MOVES, rows, "song", "places", "from_date", "to_date") == [
        ("C", 2, on(0), on(2)),
        ("A", -2, on(0), on(2)),
    ]
    rows = answer_of(catalog, MOVES, to_date="2026-03-03")
    assert picked(MOVES, rows, "song", "places", "from_date") == [("B", 1, on(0)), ("A", -1, on(0))]
    assert answer_of(catalog, MOVES, to_date="2026-03-09") == []


def test_moves_do_not_bridge_a_missing_date_unless_asked_to(tmp_path: Path) -> None:
    catalog = catalog_of(tmp_path, load([day(0, song("A"), song("B")), day(2, song("B"), song("A"))]))
    assert answer_of(catalog, MOVES) == []
    assert picked(MOVES, answer_of(catalog, MOVES, from_date="2026-03-02"), "song", "places") == [("B", 1), ("A", -1)]


def test_moves_over_the_turn_of_the_year_read_both_years(tmp_path: Path) -> None:
    december_31 = (date(2026, 12, 31) - MONDAY).days
    charts = [day(december_31, song("A"), song("B")), day(december_31 + 1, song("B"), song("A"))]
    rows = ask(tmp_path, MOVES, charts)
    assert picked(MOVES, rows, "song", "places", "to_date") == [("B", 1, date(2027, 1, 1)), ("A", -1, date(2027, 1, 1))]


def test_moves_since_the_week_before_may_be_told_by_spotify_alone(tmp_path: Path) -> None:
    rows = [told(1, "A", previous=9, peak=1, weeks=8), told(2, "B", weeks=1), told(3, "C", previous=1, weeks=2)]
    answer = ask(tmp_path, MOVES, [official(0, *rows, chart=WEEKLY)], chart=WEEKLY)
    assert picked(MOVES, answer, "song", "from_position", "places", "from_date") == [
        ("A", 9, 8, on(-7)),
        ("C", 1, -2, on(-7)),
    ]


def test_what_spotify_calls_back_did_not_move_whatever_our_data_say(tmp_path: Path) -> None:
    charts = [official(0, told(1, "A"), told(2, "B")), official(1, told(1, "B", days=7), told(2, "A", previous=1))]
    assert picked(MOVES, ask(tmp_path, MOVES, charts), "song", "places") == [("A", -1)]


def test_spotifys_previous_place_is_of_the_period_before_and_of_no_other(tmp_path: Path) -> None:
    charts = [
        official(0, told(1, "A"), told(2, "B")),
        official(2, told(1, "B", previous=4, days=9), told(5, "A", previous=6, days=9)),
    ]
    catalog = catalog_of(tmp_path, load(charts))
    rows = answer_of(catalog, MOVES, from_date="2026-03-02")
    assert picked(MOVES, rows, "song", "from_position", "places") == [("B", 2, 1), ("A", 1, -4)]
    rows = answer_of(catalog, MOVES)
    assert picked(MOVES, rows, "song", "from_position", "places") == [("B", 4, 3), ("A", 6, 1)]


def test_a_recording_moves_by_its_better_place(tmp_path: Path) -> None:
    single, remaster = song("Single", isrc=ISRC), song("Remaster", isrc=ISRC)
    charts = [day(0, song("A"), single, song("B"), remaster), day(1, remaster, song("A"), song("B"), single)]
    rows = ask(tmp_path, MOVES, charts)
    assert picked(MOVES, rows, "song", "from_position", "to_position") == [("Remaster", 2, 1), ("A", 1, 2)]


def test_new_and_returning_songs_say_when_they_were_there(tmp_path: Path) -> None:
    first, again = song("First release", isrc=ISRC), song("Second release", isrc=ISRC)
    charts = [
        day(0, song("A"), first),
        day(1, song("A"), song("B")),
        day(2, again, song("C"), song("Deep")),
    ]
    catalog = catalog_of(tmp_path, load(charts))
    assert answer_of(catalog, ARRIVALS) == [
        ("Second release", BY, 1, "back", on(0), on(0), on(2)),
        ("C", BY, 2, "new", on(2), None, on(2)),
    ]
    assert answer_of(catalog, ARRIVALS, to_date="2026-03-03") == [("B", BY, 2, "new", on(1), None, on(1))]
    assert answer_of(catalog, ARRIVALS, to_date="2026-03-02") == []


def test_nothing_is_called_new_after_a_missing_date(tmp_path: Path) -> None:
    assert ask(tmp_path, ARRIVALS, [day(0, song("A")), day(2, song("B"))]) == []


def test_spotify_tells_what_is_new_and_what_is_back(tmp_path: Path) -> None:
    rows = [
        told(1, "A", weeks=1),
        told(2, "B", weeks=70),
        told(3, "C", previous=2, weeks=3),
        told(4, "A", weeks=1),
    ]
    answer = ask(tmp_path, ARRIVALS, [official(0, *rows, chart=WEEKLY)], chart=WEEKLY)
    assert answer == [("A", BY, 1, "new", on(0), None, on(0)), ("B", BY, 2, "back", on(0), None, on(0))]


def test_the_longest_by_spotifys_count_or_by_ours_come_first(tmp_path: Path) -> None:
    charts = [
        official(0, told(1, "A", peak=1, days=2), told(2, "B", peak=1, days=300), told(3, "C"), told(4, "D", days=1)),
        day(1, song("C"), song("A")),
        day(2, song("C"), song("A")),
    ]
    assert picked(LONGEST, ask(tmp_path, LONGEST, charts), *LONGEST.columns[:7]) == [
        ("B", BY, 1, 300, 1, on(0), on(0)),
        ("A", BY, 3, 2, 1, on(0), on(2)),
        ("C", BY, 3, None, 1, on(0), on(2)),
        ("D", BY, 1, 1, 4, on(0), on(0)),
    ]


def test_the_name_is_the_one_last_charted_with_by_the_better_place(tmp_path: Path) -> None:
    single, remaster = song("Single", isrc=ISRC), song("Remaster", isrc=ISRC)
    rows = ask(tmp_path, LONGEST, [day(0, remaster), day(1, single, remaster)])
    assert picked(LONGEST, rows, "song", "periods_on_chart") == [("Single", 2)]


def test_a_trajectory_shows_every_date_since_the_song_came(tmp_path: Path) -> None:
    charts = [
        day(0, song("A"), song("B"), song("C")),
        day(1, song("B"), song("A"), song("C")),
        day(2, song("A"), song("D"), song("C")),
        day(4, song("B"), song("C"), song("D")),
        day(5, song("A"), None, song("C")),
        day(6, song("C"), song("D"), song("B")),
        day(7, song("C"), song("D"), song("A")),
    ]
    catalog = catalog_of(tmp_path, load(charts))
    rows = answer_of(catalog, TRAJECTORY, song="b")
    assert rows == [
        (on(0), 2, "on chart", 1, "B", BY),
        (on(1), 1, "on chart", 1, "B", BY),
        (on(2), None, "off chart", None, "B", BY),
        (on(3), None, "missing date", None, "B", BY),
        (on(4), 1, "on chart", 2, "B", BY),
        (on(5), None, "not known", None, "B", BY),
        (on(6), 3, "on chart", 3, "B", BY),
        (on(7), None, "off chart", None, "B", BY),
    ]
    assert answer_of(catalog, RUNS, song="B") == [
        (on(0), on(1), 2, 1, None),
        (on(4), on(4), 1, 1, 2),
        (on(6), on(6), 1, 3, 1),
    ]


def test_a_run_ends_at_a_missing_date_though_the_song_is_there_after_it(tmp_path: Path) -> None:
    catalog = catalog_of(tmp_path, load([day(offset, song("A")) for offset in (0, 1, 4, 5, 6)]))
    assert answer_of(catalog, RUNS, song="A") == [(on(0), on(1), 2, 1, None), (on(4), on(6), 3, 1, 2)]
    rows = answer_of(catalog, TRAJECTORY, song="A")
    assert picked(TRAJECTORY, rows, "status", "run") == [
        *[("on chart", 1)] * 2,
        *[("missing date", None)] * 2,
        *[("on chart", 2)] * 3,
    ]


def test_a_place_below_the_reach_of_a_date_is_not_off_the_chart(tmp_path: Path) -> None:
    charts = [day(0, *filler(200)), day(1, *filler(50)), day(2, *filler(200)), day(3, *filler(50)[1:], song("New"))]
    catalog = catalog_of(tmp_path, load(charts))
    deep = answer_of(catalog, TRAJECTORY, song="Filler 150")
    assert picked(TRAJECTORY, deep, "position", "status") == [
        (150, "on chart"),
        (None, "beyond depth"),
        (150, "on chart"),
        (None, "beyond depth"),
    ]
    high = answer_of(catalog, TRAJECTORY, song="Filler 1")
    assert picked(TRAJECTORY, high, "status")[2:] == [("on chart",), ("off chart",)]
    came = answer_of(catalog, TRAJECTORY, song="New")
    assert picked(TRAJECTORY, came, "chart_date", "position") == [(on(3), 50)]


def test_a_song_deep_on_the_next_date_may_have_been_as_deep_before(tmp_path: Path) -> None:
    first = [song("Filler 150"), *filler(49)]
    charts = [day(0, *first), day(1, *filler(50)), day(2, *filler(50)), day(3, *filler(200))]
    rows = ask(tmp_path, TRAJECTORY, charts, song="Filler 150")
    assert picked(TRAJECTORY, rows, "position", "status") == [
        (1, "on chart"),
        (None, "beyond depth"),
        (None, "beyond depth"),
        (150, "on chart"),
    ]


def test_a_weekly_trajectory_goes_by_weeks(tmp_path: Path) -> None:
    charts = [
        *(day(offset, song("A"), chart=WEEKLY, step=7) for offset in (0, 1, 3)),
        day(4, song("B"), chart=WEEKLY, step=7),
    ]
    catalog = catalog_of(tmp_path, load(charts))
    rows = answer_of(catalog, TRAJECTORY, chart=WEEKLY, song="A")
    assert picked(TRAJECTORY, rows, "chart_date", "status", "run") == [
        (on(0), "on chart", 1),
        (on(7), "on chart", 1),
        (on(14), "missing date", None),
        (on(21), "on chart", 2),
        (on(28), "off chart", None),
    ]
    assert answer_of(catalog, RUNS, chart=WEEKLY, song="A") == [(on(0), on(7), 2, 1, None), (on(21), on(21), 1, 1, 1)]


@pytest.mark.parametrize("asked", ["second RELEASE", "FIRST release", ISRC, ISRC.lower(), track_id("First release")])
def test_a_song_is_found_by_title_isrc_or_id_with_all_its_ids(tmp_path: Path, asked: str) -> None:
    first, again = song("First release", isrc=ISRC), song("Second release", isrc=ISRC)
    charts = [day(0, first, song("B")), day(1, song("B"), first, again), day(2, again, song("B"))]
    rows = ask(tmp_path, TRAJECTORY, charts, song=asked)
    assert picked(TRAJECTORY, rows, "position", "run", "song") == [
        (1, 1, "Second release"),
        (2, 1, "Second release"),
        (1, 1, "Second release"),
    ]


@pytest.mark.parametrize("asked", ["Up", "up (feat. Ivo)", "UP (feat. Ivo) (Live)"])
def test_a_title_is_known_without_what_follows_it_in_brackets_and_by_no_other_part(tmp_path: Path, asked: str) -> None:
    charts = [day(0, song("Upper"), song("Stand Up"), song("Up (feat. Ivo) (Live)"))]
    assert picked(RUNS, ask(tmp_path, RUNS, charts, song=asked), "best_position") == [(3,)]


def test_of_recordings_with_one_title_it_is_the_one_that_charted_most(tmp_path: Path) -> None:
    other = song("A", isrc=ISRC) | {"id": track_id("another A")}
    charts = [day(0, song("B"), other), day(1, song("A"), other), day(2, song("A"), other)]
    assert picked(RUNS, ask(tmp_path, RUNS, charts, song="A"), "periods", "best_position") == [(3, 2)]


def test_without_a_song_it_is_the_newest_number_one(tmp_path: Path) -> None:
    charts = [day(0, song("A"), song("B")), day(1, song("A"), song("B")), day(2, song("B"), song("A"))]
    rows = ask(tmp_path, TRAJECTORY, charts)
    assert picked(TRAJECTORY, rows, "position", "song") == [(2, "B"), (2, "B"), (1, "B")]


@pytest.mark.parametrize("query", [TRAJECTORY, RUNS], ids=lambda query: query.name)
def test_a_song_that_never_charted_has_no_rows(tmp_path: Path, query: Query) -> None:
    assert ask(tmp_path, query, [day(0, song("A"))], song="It's not there") == []
