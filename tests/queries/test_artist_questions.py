"""Artists, albums and labels of a chart, on charts made by hand: the answers are worked out here, by hand."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.documents import album, spotify_id
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

ARTISTS, TODAY, ALBUMS = QUERIES["artists_on_chart"], QUERIES["todays_artists"], QUERIES["albums_at_once"]
LABELS, PAIRS, HISTORY = QUERIES["labels"], QUERIES["collaborations"], QUERIES["artist_history"]
ISRC = "QZABC2600001"
IVO, AYLA, NANDU = "Ivo Calder", "Ayla Sable", "Ñandú"


def on(offset: int) -> date:
    return MONDAY + timedelta(days=offset)


def album_id(name: str) -> str:
    return spotify_id(("album", name))


def of_album(name: str, title: str, **given: Any) -> dict[str, Any]:
    return song(name, **given) | {"album": album(title)}


# ---- artists_on_chart


def test_artists_count_places_and_recordings_and_share_all_places(tmp_path: Path) -> None:
    single, remaster = song("Single", isrc=ISRC, by=(AYLA,)), song("Remaster", isrc=ISRC, by=(AYLA,))
    charts = [
        day(0, song("Both", by=(NANDU, AYLA)), single),
        day(1, song("Both", by=(NANDU, AYLA)), remaster, None, song("Other")),
        day(0, song("Elsewhere", by=("Nobody",)), chart="road-trip"),
    ]
    assert ask(tmp_path, ARTISTS, charts) == [
        (AYLA, 4, 2, 1, 4 / 5, True),
        (NANDU, 2, 1, 1, 2 / 5, True),
        (IVO, 1, 1, 4, 1 / 5, True),
    ]


def test_an_artist_credited_twice_for_a_song_counts_once(tmp_path: Path) -> None:
    assert ask(tmp_path, ARTISTS, [day(0, song("Echo", by=(AYLA, AYLA)))]) == [(AYLA, 1, 1, 1, 1.0, True)]


def test_a_song_that_only_files_told_counts_by_its_credit_never_split(tmp_path: Path) -> None:
    charts = [
        day(0, song("A", by=(NANDU,)), song("B", by=(NANDU,))),
        official(1, told(1, "C", artist_names="Tam, Ñandú"), told(2, "D", artist_names=NANDU), told(3, "A")),
        official(2, told(1, "C", artist_names="Tam, Ñandú"), told(2, "E", artist_names="Tam, Ñandú")),
    ]
    assert ask(tmp_path, ARTISTS, charts) == [
        ("Tam, Ñandú", 3, 2, 1, 3 / 7, False),
        (NANDU, 3, 2, 1, 3 / 7, True),
        (NANDU, 1, 1, 2, 1 / 7, False),
    ]


def test_twenty_artists_are_told_equal_ones_by_name(tmp_path: Path) -> None:
    songs = [song(f"Song {n}", by=(f"Artist {n:02}",)) for n in range(22, 0, -1)]
    rows = ask(tmp_path, ARTISTS, [day(0, *songs), day(1, *reversed(songs))])
    assert picked(ARTISTS, rows, "artist", "best_position") == [
        *((f"Artist {artist:02}", place) for place in range(1, 11) for artist in (place, 23 - place)),
    ]


def test_artists_of_a_weekly_chart_appear_by_weeks(tmp_path: Path) -> None:
    charts = [day(offset, song("A"), chart=WEEKLY, step=7) for offset in (0, 1, 3)]
    assert ask(tmp_path, ARTISTS, charts, chart=WEEKLY) == [(IVO, 3, 1, 1, 1.0, True)]


# ---- todays_artists


def test_todays_artists_are_of_the_newest_date_alone_most_songs_first(tmp_path: Path) -> None:
    charts = [
        day(0, *(song(f"Old {n}", by=(NANDU,)) for n in range(5))),
        day(1, song("One", by=(NANDU,)), song("Two", by=(AYLA, IVO)), song("Three", by=(AYLA,)), song("Four")),
    ]
    assert ask(tmp_path, TODAY, charts) == [(AYLA, 2, 2, on(1)), (IVO, 2, 2, on(1)), (NANDU, 1, 1, on(1))]


def test_todays_artists_count_a_recording_once(tmp_path: Path) -> None:
    charts = [day(0, song("Single", isrc=ISRC), song("Remaster", isrc=ISRC))]
    assert ask(tmp_path, TODAY, charts) == [(IVO, 1, 1, on(0))]


def test_todays_artists_of_a_file_are_its_credits(tmp_path: Path) -> None:
    rows = [told(1, "A", artist_names="Tam, Ñandú"), told(2, "B", artist_names=NANDU)]
    assert ask(tmp_path, TODAY, [official(0, *rows, chart=WEEKLY)], chart=WEEKLY) == [
        ("Tam, Ñandú", 1, 1, on(0)),
        (NANDU, 1, 2, on(0)),
    ]


# ---- albums_at_once


def test_an_albums_record_is_told_with_its_first_date(tmp_path: Path) -> None:
    tide = [of_album(f"Tide {n}", "Tide") for n in range(3)]
    charts = [
        day(0, tide[0], song("Other")),
        day(1, tide[0], tide[1], song("Other")),
        day(2, tide[1], song("Other"), tide[2]),
        day(3, song("Other"), tide[0]),
    ]
    assert ask(tmp_path, ALBUMS, charts) == [
        ("Tide", IVO, 2, on(1), album_id("Tide")),
        ("Other (album)", IVO, 1, on(0), album_id("Other (album)")),
    ]


def test_an_album_is_by_the_artists_of_all_its_songs(tmp_path: Path) -> None:
    charts = [
        day(
            0,
            of_album("A", "Duo", by=(NANDU, AYLA)),
            of_album("B", "Duo", by=(NANDU, AYLA, "Guest")),
            of_album("C", "Film", by=(AYLA,)),
            of_album("D", "Film", by=(NANDU,)),
        )
    ]
    rows = ask(tmp_path, ALBUMS, charts)
    assert sorted(picked(ALBUMS, rows, "album", "artists", "songs")) == [
        ("Duo", f"{NANDU}, {AYLA}", 2),
        ("Film", "Various artists", 2),
    ]


def test_an_album_counts_a_recording_once(tmp_path: Path) -> None:
    charts = [day(0, of_album("Single", "Tide", isrc=ISRC), of_album("Remaster", "Tide", isrc=ISRC))]
    assert picked(ALBUMS, ask(tmp_path, ALBUMS, charts), "album", "artists", "songs") == [("Tide", IVO, 1)]


def test_a_chart_known_from_files_alone_has_no_albums(tmp_path: Path) -> None:
    assert ask(tmp_path, ALBUMS, [official(0, told(1, "A"))]) == []


# ---- labels


def test_labels_share_the_places_that_tell_one(tmp_path: Path) -> None:
    charts = [
        day(0, *filler(10)),
        official(1, told(1, "A", source="Low Tide"), told(2, "B", source="Paper"), told(3, "C", source="Low Tide")),
        official(2, told(1, "B", source="Paper"), told(2, "A", source="Low Tide"), told(3, "D", source="")),
    ]
    assert ask(tmp_path, LABELS, charts) == [("Low Tide", 3, 2, 1, 3 / 5), ("Paper", 2, 1, 1, 2 / 5)]


def test_where_no_file_tells_a_label_there_are_none(tmp_path: Path) -> None:
    assert ask(tmp_path, LABELS, [day(0, song("A"))]) == []


# ---- collaborations


def test_pairs_of_artists_count_their_songs_together(tmp_path: Path) -> None:
    single, remaster = (song(name, isrc=ISRC, by=(NANDU, AYLA)) for name in ("Single", "Remaster"))
    charts = [
        day(0, song("Alone", by=(AYLA,)), single, song("Three", by=(IVO, AYLA, NANDU))),
        day(1, song("Duo", by=(AYLA, IVO)), remaster, song("Echo", by=(IVO, IVO, "Guest"))),
        day(2, song("Other", by=(IVO,)), song("Duo", by=(AYLA, IVO))),
    ]
    assert ask(tmp_path, PAIRS, charts) == [
        (AYLA, IVO, 2, 3, 1),
        (AYLA, NANDU, 2, 3, 2),
        ("Guest", IVO, 1, 1, 3),
        (IVO, NANDU, 1, 1, 3),
    ]


def test_a_files_credit_makes_no_pair(tmp_path: Path) -> None:
    assert ask(tmp_path, PAIRS, [official(0, told(1, "A", artist_names="Tam, Ñandú"))]) == []


# ---- artist_history


def test_an_artists_history_has_every_song_it_is_credited_for(tmp_path: Path) -> None:
    single, remaster = song("Single", isrc=ISRC, by=(NANDU,)), song("Remaster", isrc=ISRC, by=(NANDU,))
    charts = [
        day(0, song("Other"), single, song("Guest", by=(AYLA, NANDU))),
        day(1, remaster, single, song("Other")),
        day(3, song("Other"), song("Guest", by=(AYLA, NANDU))),
    ]
    catalog = catalog_of(tmp_path, load(charts))
    both = [
        ("Remaster", NANDU, on(0), on(1), 2, 1, None, ISRC),
        ("Guest", f"{AYLA}, {NANDU}", on(0), on(3), 2, 2, 2, spotify_id(("track", "Guest"))),
    ]
    assert answer_of(catalog, HISTORY, artist="ñandú") == both
    assert answer_of(catalog, HISTORY, artist=spotify_id(("artist", NANDU))) == both
    assert answer_of(catalog, HISTORY, artist=AYLA.upper()) == both[1:]
    assert answer_of(catalog, HISTORY, artist="Ñan") == []


def test_without_an_artist_it_is_the_first_of_the_newest_number_one(tmp_path: Path) -> None:
    charts = [
        day(0, song("Old", by=(IVO,)), song("Second", by=(AYLA,))),
        day(1, song("New", by=(NANDU, IVO)), song("Second", by=(AYLA,))),
    ]
    assert picked(HISTORY, ask(tmp_path, HISTORY, charts), "song") == [("New",)]


def test_a_song_that_only_files_told_is_in_the_history_of_its_whole_credit(tmp_path: Path) -> None:
    charts = [
        day(0, song("Known", by=(NANDU,))),
        official(1, told(1, "Duo", artist_names="Tam, Ñandú"), told(2, "Solo", artist_names=NANDU)),
    ]
    catalog = catalog_of(tmp_path, load(charts))
    assert picked(HISTORY, answer_of(catalog, HISTORY, artist=NANDU), "song") == [("Known",), ("Solo",)]
    assert picked(HISTORY, answer_of(catalog, HISTORY, artist="tam, ñandú"), "song") == [("Duo",)]
    assert picked(HISTORY, answer_of(catalog, HISTORY), "song") == [("Duo",)]


def test_an_artists_history_takes_spotifys_own_figures_and_carries_them_on(tmp_path: Path) -> None:
    charts = [
        official(0, told(1, "A", peak=1, weeks=3), told(4, "B", peak=2, weeks=30), chart=WEEKLY, step=7),
        day(1, song("A"), song("C"), song("B"), chart=WEEKLY, step=7),
    ]
    rows = ask(tmp_path, HISTORY, charts, chart=WEEKLY, artist=IVO)
    assert picked(HISTORY, rows, "song", "periods_on_chart", "best_position", "newest_position") == [
        ("A", 4, 1, 1),
        ("B", 31, 2, 3),
        ("C", 1, 2, 2),
    ]


def test_an_artists_history_takes_spotifys_count_of_a_recordings_better_place(tmp_path: Path) -> None:
    single, remaster = song("Single", isrc=ISRC), song("Remaster", isrc=ISRC)
    charts = [
        day(0, single, remaster, chart="road-trip"),
        official(0, told(1, "Single", days=8), told(2, "Remaster", days=40)),
        official(1, told(1, "Single", days=9)),
        official(2, told(1, "Single"), told(2, "Remaster", days=41)),
    ]
    rows = ask(tmp_path, HISTORY, charts, artist=IVO)
    assert picked(HISTORY, rows, "song", "periods_on_chart") == [("Single", 10)]


@pytest.mark.parametrize("query", [ARTISTS, TODAY, ALBUMS, LABELS, PAIRS, HISTORY], ids=lambda query: query.name)
def test_a_chart_that_is_not_held_has_no_rows(tmp_path: Path, query: Any) -> None:
    catalog = catalog_of(tmp_path, load([day(0, song("A")), official(1, told(1, "B"))]))
    assert answer_of(catalog, query, chart="regional-xx-daily") == []
