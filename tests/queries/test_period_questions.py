"""What a chart does from period to period, on charts made by hand: the answers are worked out here, by hand."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.documents import album, document, entry, page
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

STREAMS, TURNOVER, SURVIVAL = QUERIES["streams_by_date"], QUERIES["turnover"], QUERIES["survival"]
PEAKS, RELEASES, DECEMBERS = QUERIES["days_to_peak"], QUERIES["release_to_debut"], QUERIES["december_songs"]
BY = "Ivo Calder"
ISRC = "QZABC2600001"


def on(offset: int) -> date:
    return MONDAY + timedelta(days=offset)


# ---- streams_by_date


def streamed(*figures: object) -> list[dict[str, str]]:
    return [told(place, f"Song {place}", streams=streams) for place, streams in enumerate(figures, 1)]


def test_shares_are_of_the_charts_streams(tmp_path: Path) -> None:
    charts = [
        official(0, *streamed(*[50] * 10, *[10] * 40, *[1] * 100)),
        official(1, *streamed(*[30] * 9, 130, *[10] * 20)),
        official(2, *streamed(7, 3)),
    ]
    assert ask(tmp_path, STREAMS, charts) == [
        (on(0), 1000, 0.05, 0.5, 0.9, 150),
        (on(1), 600, 0.05, 400 / 600, None, 30),
        (on(2), 10, 0.7, None, None, 2),
    ]


def test_a_share_is_not_told_where_a_place_of_the_top_tells_no_streams(tmp_path: Path) -> None:
    figures = streamed(40, 20, -1, *[5] * 8)
    without_first = streamed(40, *[6] * 10)[1:]
    assert ask(tmp_path, STREAMS, [official(0, *figures), official(1, *without_first)]) == [
        (on(0), 100, 0.4, None, None, 11),
        (on(1), 60, None, None, None, 11),
    ]


def test_dates_without_streams_and_missing_dates_are_shown_as_such(tmp_path: Path) -> None:
    charts = [official(0, *streamed(5)), day(1, song("A"), song("B")), official(3, *streamed(4))]
    assert ask(tmp_path, STREAMS, charts) == [
        (on(0), 5, 1.0, None, None, 1),
        (on(1), None, None, None, None, 2),
        (on(2), None, None, None, None, None),
        (on(3), 4, 1.0, None, None, 1),
    ]


def test_streams_of_a_weekly_chart_go_by_weeks(tmp_path: Path) -> None:
    charts = [official(offset, told(1, "A", weeks=1, streams=9), chart=WEEKLY, step=7) for offset in (0, 2)]
    rows = ask(tmp_path, STREAMS, charts, chart=WEEKLY)
    assert picked(STREAMS, rows, "chart_date", "total_streams") == [(on(0), 9), (on(7), None), (on(14), 9)]


# ---- turnover


def test_turnover_counts_who_stayed_entered_and_left(tmp_path: Path) -> None:
    single, remaster = song("Single", isrc=ISRC), song("Remaster", isrc=ISRC)
    charts = [
        day(0, song("A"), song("B"), song("C"), single),
        day(1, remaster, song("D"), song("A"), song("E")),
        day(2, song("A"), song("B"), remaster, single),
    ]
    assert ask(tmp_path, TURNOVER, charts) == [
        (on(1), on(0), 4, 2, 2, 2, 0.5),
        (on(2), on(1), 4, 2, 1, 2, 1 / 3),
    ]


def test_turnover_does_not_bridge_a_missing_date(tmp_path: Path) -> None:
    charts = [day(offset, song(f"Song {offset}")) for offset in (0, 2, 3)]
    assert ask(tmp_path, TURNOVER, charts) == [(on(3), on(2), 1, 0, 1, 1, 1.0)]


def test_dates_of_two_depths_are_compared_to_the_common_one(tmp_path: Path) -> None:
    deep = filler(200)
    charts = [
        day(0, *deep),
        day(1, *deep[:48], song("New"), deep[149]),
        day(2, *deep[:46], *deep[100:104], *deep[46:100], *deep[104:]),
    ]
    assert ask(tmp_path, TURNOVER, charts) == [
        (on(1), on(0), 50, 48, 2, 2, 2 / 50),
        (on(2), on(1), 50, 46, 4, 4, 4 / 50),
    ]


def test_turnover_is_not_told_where_a_place_to_the_common_depth_is_not_known(tmp_path: Path) -> None:
    local = entry(song("Mine"), is_local=True)
    charts = [
        day(0, song("A"), song("B"), song("C")),
        day(1, song("A"), None, song("C")),
        day(2, song("A"), song("B")),
        document([page([entry(song("A")), local])], chart_date=on(3)),
        day(4, song("A"), song("B"), None, song("C")),
        day(5, song("A"), song("C")),
    ]
    nothing: tuple[Any, ...] = (None, None, None, None)
    assert ask(tmp_path, TURNOVER, charts) == [
        (on(1), on(0), 3, *nothing),
        (on(2), on(1), 2, *nothing),
        (on(3), on(2), 2, 1, 0, 1, 0.0),
        (on(4), on(3), 2, 1, 1, 0, 0.5),
        (on(5), on(4), 2, 1, 1, 1, 0.5),
    ]


def test_turnover_of_a_weekly_chart_is_by_weeks(tmp_path: Path) -> None:
    charts = [day(offset, song("A"), song(f"Song {offset}"), chart=WEEKLY, step=7) for offset in (0, 1, 3)]
    assert ask(tmp_path, TURNOVER, charts, chart=WEEKLY) == [(on(7), on(0), 2, 1, 1, 1, 0.5)]


# ---- survival


def test_survival_is_counted_of_the_recordings_that_came_in_the_data(tmp_path: Path) -> None:
    # New comes on day 1 and is there on days 2, 3 and 5; Late comes on day 3 and is gone on day 4; A never came.
    charts = [
        day(0, song("A"), song("B")),
        day(1, song("A"), song("New")),
        day(2, song("A"), song("New")),
        day(3, song("Late"), song("New")),
        day(4, song("A"), song("B")),
        day(5, song("A"), song("New")),
    ]
    assert ask(tmp_path, SURVIVAL, charts) == [
        (1, 2, 1, 0.5, 2),
        (2, 2, 1, 0.5, 2),
        (4, 1, 1, 1.0, 2),
    ]


def test_what_is_ahead_or_missing_makes_no_song_leave(tmp_path: Path) -> None:
    # New comes on day 1, day 2 is missing; After's arrival, on day 3, may have been on day 2.
    charts = [
        day(0, song("A"), song("B")),
        day(1, song("A"), song("New")),
        day(3, song("A"), song("After")),
        day(4, song("A"), None),
        day(5, song("A"), song("New")),
    ]
    assert ask(tmp_path, SURVIVAL, charts) == [(2, 1, 0, 0.0, 2), (4, 1, 1, 1.0, 2)]


def test_survival_takes_a_date_with_a_place_not_known_for_missing(tmp_path: Path) -> None:
    # New comes on day 1 and may be on day 2; Late, first seen on day 3, may have been on day 2.
    charts = [
        day(0, song("A"), song("B"), song("C")),
        day(1, song("A"), song("New"), song("C")),
        day(2, song("A"), None, song("C")),
        day(3, song("A"), song("New"), song("Late")),
        day(4, song("A"), song("New"), song("C")),
    ]
    assert ask(tmp_path, SURVIVAL, charts) == [(2, 1, 1, 1.0, 3)]


def test_a_place_not_known_below_the_common_depth_leaves_a_date_to_survival(tmp_path: Path) -> None:
    charts = [
        day(0, song("A"), song("B")),
        day(1, song("A"), song("New"), None, song("C")),
        day(2, song("A"), song("New")),
    ]
    assert ask(tmp_path, SURVIVAL, charts) == [(1, 1, 1, 1.0, 2)]


def test_survival_is_of_the_top_that_every_date_reaches(tmp_path: Path) -> None:
    # To place 50: Filler 150 comes on day 1, is at 60 on day 2 (gone), Filler 1 is never away.
    deep = filler(200)
    charts = [day(0, *deep), day(1, *deep[:49], deep[149]), day(2, *deep[:59], deep[149], *deep[59:149])]
    assert ask(tmp_path, SURVIVAL, charts) == [(1, 1, 0, 0.0, 50)]


def test_survival_of_a_weekly_chart_is_by_weeks_and_of_recordings(tmp_path: Path) -> None:
    single, remaster = song("Single", isrc=ISRC), song("Remaster", isrc=ISRC)
    weeks = [[song("A"), song("B")], [song("A"), single], [song("A"), remaster], [song("A"), song("B")]]
    charts = [day(offset, *songs, chart=WEEKLY, step=7) for offset, songs in enumerate(weeks)]
    assert ask(tmp_path, SURVIVAL, charts, chart=WEEKLY) == [(1, 1, 1, 1.0, 2), (2, 1, 0, 0.0, 2)]


# ---- days_to_peak


def test_the_way_from_debut_to_peak_is_counted_to_the_first_date_of_the_best_place(tmp_path: Path) -> None:
    charts = [
        day(0, song("A"), song("B"), song("C")),
        day(1, song("A"), song("B"), song("New")),
        day(2, song("Star"), song("A"), song("New")),
        day(3, song("A"), song("New"), song("Star")),
        day(4, song("A"), song("New"), song("Star")),
    ]
    assert ask(tmp_path, PEAKS, charts) == [
        ("New", BY, on(1), 3, 2, on(3), 2),
        ("Star", BY, on(2), 1, 1, on(2), 0),
    ]


def test_a_debut_is_not_known_after_a_missing_date_below_the_reach_or_at_a_place_not_known(tmp_path: Path) -> None:
    charts = [
        day(0, song("A"), song("B")),
        day(2, song("A"), song("After missing")),
        day(3, song("A"), song("Known"), song("Below")),
        day(4, song("A"), None, song("B")),
        day(5, song("Hidden"), song("A")),
    ]
    assert picked(PEAKS, ask(tmp_path, PEAKS, charts), "song") == [("Known",)]


def test_spotify_tells_debuts_and_peaks(tmp_path: Path) -> None:
    charts = [
        official(0, told(1, "A", weeks=9, peak=1), told(2, "New", weeks=1, peak=2), chart=WEEKLY, step=7),
        official(
            2,
            told(1, "Back", weeks=2, peak=1, previous=5),
            told(2, "Veteran", weeks=40, peak=2),
            told(3, "New", weeks=3, peak=1, previous=1),
            chart=WEEKLY,
            step=7,
        ),
        official(3, told(1, "Came", weeks=1, peak=1), told(2, "Old", weeks=7, peak=2), chart=WEEKLY, step=7),
        official(5, told(1, "Came", weeks=3, peak=1), told(2, "New", weeks=6, peak=1), chart=WEEKLY, step=7),
    ]
    assert ask(tmp_path, PEAKS, charts, chart=WEEKLY) == [
        ("Came", BY, on(21), 1, 1, on(21), 0),
        ("New", BY, on(0), 2, 1, None, None),
    ]


def test_what_spotify_counts_later_shows_that_a_song_was_there_before_our_data_saw_it(tmp_path: Path) -> None:
    charts = [
        day(0, song("A"), song("B"), song("C")),
        day(1, song("A"), song("Young"), song("Veteran")),
        official(2, told(1, "Young", days=2, peak=1), told(2, "Veteran", days=3, peak=2), told(3, "A", days=9)),
    ]
    assert picked(PEAKS, ask(tmp_path, PEAKS, charts), "song", "periods_to_peak") == [("Young", 1)]


def test_peaks_of_a_weekly_chart_are_counted_in_weeks(tmp_path: Path) -> None:
    weeks = [[song("A"), song("B")], [song("A"), song("New")], [song("A"), song("New")], [song("New"), song("A")]]
    charts = [day(offset, *songs, chart=WEEKLY, step=7) for offset, songs in enumerate(weeks)]
    assert ask(tmp_path, PEAKS, charts, chart=WEEKLY) == [("New", BY, on(7), 2, 1, on(21), 2)]


# ---- release_to_debut


def released(name: str, *, release: str, precision: str = "day", isrc: str | None = None) -> dict[str, Any]:
    return song(name, isrc=isrc) | {
        "album": album(f"{name} {release}", release_date=release, release_date_precision=precision)
    }


def test_days_are_counted_from_the_earliest_release_to_the_debut(tmp_path: Path) -> None:
    first = released("First release", release="2026-02-20", isrc=ISRC)
    again = released("Second release", release="2026-02-27", isrc=ISRC)
    charts = [
        day(0, first, released("A", release="2026-02-01"), chart="road-trip"),
        day(0, song("B"), song("C"), song("D"), song("E")),
        day(1, again, released("Same day", release="2026-03-03"), released("Old", release="1984-12-03"), song("B")),
    ]
    assert ask(tmp_path, RELEASES, charts) == [
        ("Old", BY, date(1984, 12, 3), on(1), 15065),
        ("Second release", BY, date(2026, 2, 20), on(1), 11),
        ("Same day", BY, on(1), on(1), 0),
    ]


def test_releases_known_to_the_year_or_the_month_or_of_a_reissue_tell_no_age(tmp_path: Path) -> None:
    remaster = released("Remaster", release="2015-05-01", isrc=ISRC)
    original = released("Original", release="1984", precision="year", isrc=ISRC)
    charts = [
        day(0, song("B"), original, song("C"), song("D"), chart="road-trip"),
        day(0, *filler(5)),
        day(
            1,
            released("Year", release="2020", precision="year"),
            released("Month", release="2020-05", precision="month"),
            released("Reissue", release="2026-03-06"),
            remaster,
            released("Day", release="2026-03-01"),
        ),
        official(2, told(1, "Only in a file", days=1), told(2, "Day", days=2)),
    ]
    assert picked(RELEASES, ask(tmp_path, RELEASES, charts), "song", "days") == [("Day", 2)]


# ---- december_songs


def december(year: int, *songs: dict[str, Any] | None, date_: int = 26, month: int = 12) -> Any:
    return document(songs=songs, chart_date=date(year, month, date_))


def test_songs_of_every_december_are_those_that_were_away_in_between(tmp_path: Path) -> None:
    snow, bells, hit = song("Snow"), song("Bells"), song("Hit")
    charts = [
        december(2022, snow, hit, song("Once")),
        december(2023, hit, snow, bells),
        december(2024, hit, month=1, date_=3),
        december(2024, hit, month=7),
        december(2024, hit, snow, bells, date_=24),
        december(2024, hit, bells, snow),
        december(2025, bells, month=1, date_=1),
    ]
    assert ask(tmp_path, DECEMBERS, charts) == [
        ("Snow", BY, 3, "2022, 2023, 2024", 1),
        ("Bells", BY, 2, "2023, 2024", 1),
    ]


def test_a_song_that_missed_a_december_does_not_come_back_every_time(tmp_path: Path) -> None:
    charts = [december(2022, song("Snow")), december(2023, song("Hit")), december(2024, song("Snow"))]
    assert ask(tmp_path, DECEMBERS, charts) == []


def test_a_december_that_has_just_begun_or_is_missing_is_held_against_no_song(tmp_path: Path) -> None:
    charts = [december(2022, song("Snow")), december(2024, song("Snow")), december(2025, song("Hit"), date_=3)]
    assert ask(tmp_path, DECEMBERS, charts) == [("Snow", BY, 2, "2022, 2024", 1)]


def test_a_december_that_does_not_reach_down_to_the_song_is_held_against_it_no_more(tmp_path: Path) -> None:
    deep = [*filler(3), song("Snow")]
    charts = [december(2022, *deep), december(2023, *filler(3)), december(2024, *deep)]
    rows = ask(tmp_path, DECEMBERS, charts)
    assert picked(DECEMBERS, rows, "song", "years") == [
        *((f"Filler {place}", "2022, 2023, 2024") for place in (1, 2, 3)),
        ("Snow", "2022, 2024"),
    ]


def test_songs_of_december_come_back_under_another_id_and_to_weekly_charts(tmp_path: Path) -> None:
    first, again = song("First release", isrc=ISRC), song("Second release", isrc=ISRC)
    charts = [
        document(songs=[song("Hit"), first], chart=WEEKLY, chart_date=date(2024, 12, 26)),
        document(songs=[song("Hit"), again], chart=WEEKLY, chart_date=date(2025, 12, 25)),
        document(songs=[song("Hit"), again], chart=WEEKLY, chart_date=date(2026, 1, 1)),
        document(songs=[song("Hit"), song("Other")], chart=WEEKLY, chart_date=date(2026, 2, 5)),
    ]
    assert ask(tmp_path, DECEMBERS, charts, chart=WEEKLY) == [("Second release", BY, 2, "2024, 2025", 2)]


@pytest.mark.parametrize(
    "query", [STREAMS, TURNOVER, SURVIVAL, PEAKS, RELEASES, DECEMBERS], ids=lambda query: query.name
)
def test_a_chart_that_is_not_held_has_no_rows(tmp_path: Path, query: Any) -> None:
    catalog = catalog_of(tmp_path, load([day(0, song("A")), day(1, song("B"))]))
    assert answer_of(catalog, query, chart="regional-xx-daily") == []
