"""A playlist's document becomes rows: what each odd entry does."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from lambdas.core.documents import RawDocument
from lambdas.core.errors import InvalidDocument, NotAChart, PartialChart
from lambdas.core.gates import SONG_TWICE
from lambdas.core.playlist import read_playlist, release_date
from lambdas.core.reading import Reading
from lambdas.core.rows import days, milliseconds
from lambdas.core.schema import ALBUMS, ARTISTS, CHART_ENTRIES, SONG_ARTISTS, SONGS, Table
from lambdas.core.web_api import read_answer
from tests.documents import OBSERVED, album, artist, document, entry, page, spotify_id, track


def read(raw: RawDocument) -> Reading:
    return read_playlist(raw, [read_answer(bytes(answer)).page for answer in raw.answers])


def entries_of(raw: RawDocument) -> list[dict[str, object]]:
    return [dict(zip(CHART_ENTRIES.column_names, row, strict=True)) for row in read(raw).entries]


def only_row(raw: RawDocument, table: Table) -> dict[str, object]:
    ((rows),) = read(raw).rows_for(table).values()
    (row,) = rows
    return dict(zip(table.column_names, row, strict=True))


def test_a_song_is_read_with_every_field() -> None:
    raw = document(songs=[track("Honeymoon")])
    assert only_row(raw, SONGS) == {
        "song_id": spotify_id(("track", "Honeymoon")),
        "name": "Honeymoon",
        "artist_names": "Ivo Calder",
        "recording_id": "QZABC2600001",
        "isrc": "qzabc2600001",
        "duration_ms": 185_000,
        "explicit": False,
        "album_id": spotify_id(("album", "Paper Undertow")),
        "disc_number": 1,
        "track_number": 3,
        "popularity": 71,
        "url": f"https://open.spotify.com/track/{spotify_id(('track', 'Honeymoon'))}",
        "detail": "api",
        "observed_at": milliseconds(OBSERVED),
    }
    assert only_row(raw, ALBUMS) == {
        "album_id": spotify_id(("album", "Paper Undertow")),
        "name": "Paper Undertow",
        "album_type": "album",
        "release_date": days(date(2026, 2, 27)),
        "release_date_precision": "day",
        "total_tracks": 11,
        "image_url": "large",
        "url": f"https://open.spotify.com/album/{spotify_id(('album', 'Paper Undertow'))}",
        "detail": "api",
        "observed_at": milliseconds(OBSERVED),
    }
    assert only_row(raw, ARTISTS)["name"] == "Ivo Calder"
    assert only_row(raw, SONG_ARTISTS)["artist_position"] == 1


def test_an_entry_is_read_with_every_field() -> None:
    (row,) = entries_of(document(songs=[track("Honeymoon")]))
    assert row == {
        "chart": "regional-global-daily",
        "chart_date": days(date(2026, 3, 5)),
        "position": 1,
        "period": "daily",
        "song_id": spotify_id(("track", "Honeymoon")),
        "streams": None,
        "popularity": 71,
        "official_previous_position": None,
        "official_peak_position": None,
        "official_periods_on_chart": None,
        "label": None,
        "added_at": milliseconds(datetime(2026, 3, 6, tzinfo=UTC)),
        "provider": "playlist",
        "observed_at": milliseconds(OBSERVED),
    }


@pytest.mark.parametrize("era", ["item", "track"])
def test_the_song_is_found_under_the_name_of_either_era(era: str) -> None:
    raw = document([page([entry(track("Honeymoon"), era=era)])])
    assert [row["song_id"] for row in entries_of(raw)] == [spotify_id(("track", "Honeymoon"))]


def test_where_both_names_are_sent_the_new_one_counts() -> None:
    raw = document([page([entry(track("New"), track=track("Old"))])])
    assert [row["song_id"] for row in entries_of(raw)] == [spotify_id(("track", "New"))]


@pytest.mark.parametrize("container", ["items", "tracks"])
def test_a_playlist_object_of_either_era_is_read(container: str) -> None:
    whole = {"type": "playlist", "id": "x", container: page([entry(track())])}
    assert len(entries_of(document([whole]))) == 1


@pytest.mark.parametrize(
    ("odd", "counter"),
    [
        (entry(None), "skipped_null"),
        (entry(track(id=None, is_local=True), is_local=True), "skipped_local"),
        (
            entry({"type": "episode", "id": spotify_id("episode"), "name": "Talk", "uri": "spotify:episode:x"}),
            "skipped_episode",
        ),
        (entry(track(id=None)), "skipped_null"),
    ],
    ids=["null track", "local file", "episode", "song without an id"],
)
def test_a_place_without_a_song_leaves_a_gap_and_is_counted(odd: dict[str, object], counter: str) -> None:
    reading = read(document([page([entry(track("One")), odd, entry(track("Three"))])]))
    at = CHART_ENTRIES.index("position")
    assert [row[at] for row in reading.entries] == [1, 3]
    assert (reading.depth, reading.gaps, getattr(reading, counter)) == (3, 1, 1)


def test_an_episode_never_becomes_a_song_album_or_artist() -> None:
    show = artist("A Show")
    episode = track("Talk", type="episode", artists=[show], album=album("A Show"))
    reading = read(document([page([entry(track("One")), entry(episode)])]))
    assert len(reading.artists) == len(reading.albums) == len(reading.songs) == 1


def test_a_song_listed_twice_keeps_both_positions_and_warns() -> None:
    reading = read(document(songs=[track("One"), track("One")]))
    assert len(reading.entries) == 2
    assert len(reading.songs) == 1
    assert reading.warned[SONG_TWICE] == [f"{spotify_id(('track', 'One'))} again at position 2"]


def test_what_development_mode_lost_is_null() -> None:
    song = track()
    del song["popularity"], song["external_ids"]
    raw = document(songs=[song])
    row = only_row(raw, SONGS)
    assert (row["popularity"], row["isrc"]) == (None, None)
    assert row["recording_id"] == row["song_id"]


def test_an_album_by_other_artists_than_the_song_adds_none_of_them_to_the_song() -> None:
    raw = document(songs=[track(album=album(artists=[artist("Various Artists")]))])
    assert [row["name"] for row in [only_row(raw, ARTISTS)]] == ["Ivo Calder"]


def test_the_credit_keeps_its_order_and_names_with_commas() -> None:
    raw = document(songs=[track(artists=[artist("Rafi, The Maker"), artist("Ñandú")])])
    assert only_row(raw, SONGS)["artist_names"] == "Rafi, The Maker, Ñandú"
    (rows,) = read(raw).song_artists.values()
    at = SONG_ARTISTS.index("artist_id")
    assert [row[at] for row in rows] == [artist("Rafi, The Maker")["id"], artist("Ñandú")["id"]]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2019-05-03", (date(2019, 5, 3), "day")),
        ("2019-05", (date(2019, 5, 1), "month")),
        ("2019", (date(2019, 1, 1), "year")),
        ("2024-02-29", (date(2024, 2, 29), "day")),
        ("0000", (None, None)),
        ("2019-13", (None, None)),
        ("soon", (None, None)),
        ("", (None, None)),
        (None, (None, None)),
    ],
)
def test_release_dates_are_as_precise_as_they_are_written(text: str | None, expected: object) -> None:
    assert release_date(text) == expected


def test_pages_are_joined_by_their_offsets() -> None:
    first = page([entry(track(f"Song {n}")) for n in range(2)], total=3)
    second = page([entry(track("Song 2"))], offset=2, total=3)
    at = CHART_ENTRIES.index("position")
    assert [row[at] for row in read(document([first, second])).entries] == [1, 2, 3]


def test_a_page_of_a_longer_playlist_is_refused_unless_it_says_it_is_partial() -> None:
    last = page([entry(track())], offset=857, total=858)
    with pytest.raises(PartialChart, match="positions 858 to 858, 1 of a playlist of 858"):
        read(document([last]))
    assert [row["position"] for row in entries_of(document([last], partial=True))] == [858]


def test_a_position_given_twice_is_refused() -> None:
    same = page([entry(track())])
    with pytest.raises(InvalidDocument, match="position 1 is given twice"):
        read(document([same, same]))


@pytest.mark.parametrize("bad", ["", "short", "x" * 23, "ſ" * 22, "'; DROP TABLE songs;--x"])
def test_a_malformed_id_is_refused_with_its_position(bad: str) -> None:
    with pytest.raises(InvalidDocument, match="position 1: .* is not the id of a song"):
        read(document(songs=[track(id=bad)]))


def test_a_chart_without_a_single_song_is_refused() -> None:
    with pytest.raises(InvalidDocument, match="none of its 2 places holds a song: 2 empty"):
        read(document([page([entry(None), entry(None)])]))


def test_an_empty_chart_is_refused() -> None:
    with pytest.raises(InvalidDocument, match="no entries at all"):
        read(document([page([])]))


@pytest.mark.parametrize(
    ("answer", "described"),
    [
        (b'{"type": "album", "name": "Blue Hour", "tracks": {"items": []}}', r"an album \('Blue Hour'\)"),
        (b'{"type": "track", "name": "Honeymoon", "artists": []}', r"a track \('Honeymoon'\)"),
        (b'{"tracks": {"items": [{"type": "track"}]}}', r"a search result \(tracks\)"),
        (b'{"tracks": [{"type": "track"}]}', "several tracks"),
        (b'{"items": [{"type": "track", "id": "x"}]}', "a page of 1 tracks"),
        (b'[{"type": "artist"}, {"type": "artist"}]', "a list of 2 artists"),
        (b'{"type": "playlist", "name": "Mine", "owner": {}}', "a playlist's metadata alone"),
        (b'{"chartEntryViewResponses": []}', "an answer of the public charts service"),
        (b'{"openapi": "3.0.3", "info": {}}', "no answer of Spotify's"),
    ],
)
def test_what_is_no_chart_is_refused_by_what_it_is(answer: bytes, described: str) -> None:
    with pytest.raises(NotAChart, match=described):
        read_answer(answer)


def test_a_chart_with_a_field_of_the_wrong_type_is_told_from_what_is_no_chart() -> None:
    with pytest.raises(InvalidDocument, match=r"duration_ms") as caught:
        read_answer(b'{"items": [{"track": {"id": "x", "duration_ms": "long"}}]}')
    assert not isinstance(caught.value, NotAChart)


@pytest.mark.parametrize("cut", [b"", b"{", b'{"items": [', b"\xff\xfe", b"nonsense"])
def test_what_is_not_json_is_refused(cut: bytes) -> None:
    with pytest.raises(InvalidDocument, match="not JSON"):
        read_answer(cut)
