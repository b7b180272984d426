"""Cached answers: what Spotify last told of one song, or that it knows it no more; and the rows of the tables in them.

One object per song, written over when Spotify is asked again. It is a document like those of charts: what the tables
say of songs, albums and artists is a function of both kinds.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final

import msgspec

from lambdas.core.documents import FORMAT_VERSION, UNREADABLE_JSON, decode_stored, second
from lambdas.core.errors import InvalidDocument
from lambdas.core.keys import cached_song_key, parse_cached_song_key
from lambdas.core.playlist import read_song
from lambdas.core.reading import Reading
from lambdas.core.rows import milliseconds
from lambdas.core.web_api import Song, describe

_Moment = Annotated[datetime, msgspec.Meta(tz=True)]
_NO_ANSWER: Final = msgspec.Raw(b"null")


class CachedAnswer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What Spotify told of one song.

    `song_id` is the id that was asked for, whatever id the answer carries. `gone`: at `observed_at`, when it was asked
    last, Spotify knew no such song. `answer` is its last answer in its own words, told at `answered_at`; null and None
    if there never was one. A song that is gone keeps the answer from before: what was loaded from it stays true.
    """

    format_version: int
    song_id: str
    observed_at: _Moment
    gone: bool
    answered_at: _Moment | None
    answer: msgspec.Raw

    @property
    def key(self) -> str:
        """Key of the cached answer in the raw bucket."""
        return cached_song_key(self.song_id)


def told(song_id: str, answer: msgspec.Raw, *, now: datetime) -> CachedAnswer:
    """What is cached of a song that Spotify tells of."""
    moment = second(now)
    return CachedAnswer(
        format_version=FORMAT_VERSION,
        song_id=song_id,
        observed_at=moment,
        gone=False,
        answered_at=moment,
        answer=answer,
    )


def gone(song_id: str, *, before: CachedAnswer | None, now: datetime) -> CachedAnswer:
    """What is cached of a song that Spotify knows no more; `before` is what was cached of it until now."""
    return CachedAnswer(
        format_version=FORMAT_VERSION,
        song_id=song_id,
        observed_at=second(now),
        gone=True,
        answered_at=None if before is None else before.answered_at,
        answer=_NO_ANSWER if before is None else before.answer,
    )


def decode_answer(stored: bytes, *, key: str) -> CachedAnswer:
    """The answer stored under `key`.

    Raises InvalidDocument (or InvalidKey) naming the key and the reason, as `decode_stored` does; also if it is of
    another song than its key names.
    """
    song_id = parse_cached_song_key(key)
    cached = decode_stored(stored, key=key, model=CachedAnswer)
    if cached.song_id != song_id:
        raise InvalidDocument(f"{key}: holds the song {cached.song_id!r}, which its key does not name")
    if (cached.answered_at is None) is not (bytes(cached.answer) == bytes(_NO_ANSWER)):
        raise InvalidDocument(f"{key}: an answer and the moment it was told go together, but one of them is missing")
    return cached


def read_answer(cached: CachedAnswer) -> Reading:
    """The rows in a cached answer, all under the id that was asked for; none if Spotify never told of the song.

    An answer may lack its album, and its artists their ids: these rows are left out. Raises InvalidDocument for what
    can never be used: an answer that is no song, or names none, and a malformed id.
    """
    reading = Reading()
    if cached.answered_at is None:
        return reading
    song = _song(cached)
    read_song(song, cached.song_id, None, milliseconds(cached.answered_at), reading)
    return reading


def _song(cached: CachedAnswer) -> Song:
    text = bytes(cached.answer)
    try:
        song = _decode_song(text)
    except msgspec.ValidationError as error:
        raise InvalidDocument(f"{cached.key}: the answer is not a song as Spotify tells it: {error}") from error
    except UNREADABLE_JSON as error:
        raise InvalidDocument(f"{cached.key}: the answer is not JSON: {error}") from error
    if song.id is None or song.type.lower() != "track":
        raise InvalidDocument(f"{cached.key}: the answer holds {describe(msgspec.json.decode(text))}, not a song")
    # Spotify empties the names of what it has taken down: they must not replace what a chart told.
    if not song.name or not any(artist.name for artist in song.artists):
        raise InvalidDocument(f"{cached.key}: the answer gives the song no {'artist' if song.name else 'name'}")
    return song


_decode_song = msgspec.json.Decoder(Song).decode
