"""Cached answers: what is kept of a song, and the rows the tables get from it."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lambdas.core.cached_answers import CachedAnswer, decode_answer, gone, read_answer, told
from lambdas.core.documents import MAX_STORED_BYTES, encode, raw_answer
from lambdas.core.errors import InvalidDocument, InvalidKey
from lambdas.core.keys import cached_song_key, parse_cached_song_key
from lambdas.core.playlist import read_playlist
from lambdas.core.reading import Reading
from lambdas.core.rows import milliseconds
from tests.documents import album, artist, cached_song, document, spotify_id, track
from tests.payloads import PAYLOADS, requires_payloads

NOW = datetime(2026, 3, 6, 9, 30, 15, 123456, tzinfo=UTC)
SONG = spotify_id(("track", "Honeymoon"))


def read(cached: CachedAnswer) -> Reading:
    """What the transform reads of it, once it has been stored."""
    return read_answer(decode_answer(encode(cached), key=cached.key))


def answer(**fields: Any) -> CachedAnswer:
    return cached_song(track(**fields), song_id=SONG)


def test_what_was_told_is_kept_to_the_second_and_verbatim() -> None:
    song = track() | {"added in 2027": {"by": "Spotify"}, "preview_url": None}
    kept = told(SONG, raw_answer(song), now=NOW)
    stored = decode_answer(encode(kept), key=f"cache/tracks/{SONG}.json.gz")
    assert stored == kept
    assert json.loads(bytes(stored.answer)) == song
    assert stored.observed_at == stored.answered_at == NOW.replace(microsecond=0)
    assert not stored.gone


def test_an_answer_gives_the_very_rows_that_a_playlist_with_the_song_gives() -> None:
    song = track(artists=[artist("A"), artist("B")], album=album("An album", release_date="2019-05"))
    cached = read(cached_song(song, now=NOW))
    listed = document(songs=[song], observed_at=NOW.replace(microsecond=0))
    playlist = read_playlist(listed, _pages(listed))
    assert (cached.songs, cached.albums, cached.artists, cached.song_artists) == (
        playlist.songs,
        playlist.albums,
        playlist.artists,
        playlist.song_artists,
    )
    assert cached.entries == []


def _pages(listed: Any) -> Any:
    from lambdas.core.documents import decode
    from lambdas.core.playlist import PlaylistDocument

    return decode(encode(listed), key=listed.key, model=PlaylistDocument).pages


def test_the_rows_are_of_the_id_that_was_asked_for_though_the_answer_has_another() -> None:
    reading = read(answer(id=spotify_id("the same recording elsewhere"), artists=[artist("A"), artist("B")]))
    assert list(reading.songs) == [SONG]
    assert reading.songs[SONG][0][0] == SONG
    assert [row[0] for row in reading.song_artists[SONG]] == [SONG, SONG]


def test_an_answer_of_an_app_in_development_mode_lacks_fields_and_is_read() -> None:
    song = track()
    for name in ("popularity", "external_ids", "available_markets", "explicit", "disc_number"):
        song.pop(name, None)
    (row,) = read(cached_song(song)).songs[SONG]
    assert row[1] == "Honeymoon"
    assert row[10] is None


def test_a_missing_album_and_artists_without_ids_are_left_out_and_the_song_is_told() -> None:
    reading = read(answer(album=None, artists=[artist("A") | {"id": None}, artist("B")]))
    (row,) = reading.songs[SONG]
    assert row[2] == "A, B"
    assert row[7] is None
    assert reading.albums == {}
    assert [group[2] for group in reading.song_artists[SONG]] == [artist("B")["id"]]
    assert reading.warnings == ["no_id: artist 'A'"]


def test_a_song_that_was_never_there_gives_no_rows() -> None:
    never = gone(SONG, before=None, now=NOW)
    assert read(never) == Reading()
    assert decode_answer(encode(never), key=never.key).answered_at is None


def test_a_song_that_has_gone_keeps_what_was_told_before_as_of_then() -> None:
    before = told(SONG, raw_answer(track()), now=NOW - timedelta(days=40))
    after = gone(SONG, before=before, now=NOW)
    assert (after.gone, after.observed_at) == (True, NOW.replace(microsecond=0))
    assert read(after) == read(before)
    assert read(after).songs[SONG][0][-1] == milliseconds(before.observed_at)
    assert read(gone(SONG, before=after, now=NOW + timedelta(days=40))) == read(before)


@pytest.mark.parametrize(
    ("held", "said"),
    [
        ({"error": {"status": 404, "message": "Resource not found"}}, "no answer of Spotify's"),
        (track(type="episode"), "an episode"),
        (track(id=None), "not a song"),
        (album(type="album"), "an album"),
        ({"tracks": [track()]}, "several tracks"),
        ([track()], "not a song as Spotify tells it"),
        ("a text", "not a song as Spotify tells it"),
        (track(name=""), "gives the song no name"),
        (track() | {"name": None}, "gives the song no name"),
        (track(artists=[]), "gives the song no artist"),
        (track(artists=[artist("")]), "gives the song no artist"),
        (track(duration_ms="long"), "duration_ms"),
        (track(artists=[artist() | {"id": "short"}]), "'short' is not the id of an artist"),
        (track(album=album(id="a/b")), "'a/b' is not the id of an album"),
    ],
)
def test_an_answer_that_is_no_song_or_names_none_is_refused_with_its_reason(held: object, said: str) -> None:
    with pytest.raises(InvalidDocument, match=said) as caught:
        read(told(SONG, raw_answer(held), now=NOW))
    assert "\n" not in str(caught.value)
    assert "position" not in str(caught.value)


def stored(**fields: Any) -> bytes:
    kept = json.loads(gzip.decompress(encode(answer())))
    return gzip.compress(json.dumps(kept | fields).encode(), mtime=0)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"not gzip", "not gzip"),
        (encode(answer())[:-9], "cut off"),
        (gzip.compress(b"[]", mtime=0), "Expected `object`"),
        (b"x" * (MAX_STORED_BYTES + 1), "over the"),
        (stored(format_version=2), "deploy a newer one"),
        (stored(song_id=spotify_id("another")), "its key does not name"),
        (stored(observed_at="2026-03-06T09:30:15"), "observed_at"),
        (stored(answer=None), "one of them is missing"),
        (stored(answered_at=None), "one of them is missing"),
        (stored(extra=1), "extra"),
    ],
)
def test_a_stored_answer_that_cannot_be_read_is_refused_with_its_key(body: bytes, said: str) -> None:
    with pytest.raises(InvalidDocument, match=said) as caught:
        decode_answer(body, key=cached_song_key(SONG))
    assert str(caught.value).startswith(cached_song_key(SONG))


@pytest.mark.parametrize(
    "key",
    [
        "cache/tracks/",
        f"cache/tracks/{SONG}.json",
        f"cache/tracks/{SONG}x.json.gz",
        f"cache/tracks/x/{SONG}.json.gz",
        f"raw/cache/tracks/{SONG}.json.gz",
        f"cache/tracks/{'é' * 22}.json.gz",
        f"cache/tracks/{SONG}.json.gz\n",
    ],
)
def test_other_keys_are_no_keys_of_cached_answers(key: str) -> None:
    with pytest.raises(InvalidKey):
        parse_cached_song_key(key)
    assert parse_cached_song_key(cached_song_key(SONG)) == SONG


@requires_payloads
def test_real_answers_about_one_song_are_read_as_they_say() -> None:
    several = json.loads((PAYLOADS / "tracks_several_2.json").read_text("utf-8"))["tracks"]
    for real in [json.loads((PAYLOADS / "track_single.json").read_text("utf-8")), *several]:
        reading = read(told(real["id"], raw_answer(real), now=NOW))
        (row,) = reading.songs[real["id"]]
        assert (row[1], row[4], row[5], row[6]) == (
            real["name"],
            real["external_ids"]["isrc"],
            real["duration_ms"],
            real["explicit"],
        )
        assert row[2] == ", ".join(one["name"] for one in real["artists"])
        assert list(reading.albums) == [real["album"]["id"]]
        assert [group[2] for group in reading.song_artists[real["id"]]] == [one["id"] for one in real["artists"]]


@requires_payloads
@pytest.mark.parametrize("name", ["album_single_2026-03.json", "artist_single_2026-03.json", "tracks_several_2.json"])
def test_real_answers_about_something_else_are_refused(name: str) -> None:
    with pytest.raises(InvalidDocument, match=r"not a song|names? no|no artist"):
        read(told(SONG, raw_answer((PAYLOADS / name).read_bytes()), now=NOW))
