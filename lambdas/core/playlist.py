"""A playlist's document read into the rows of the warehouse.

Positions are kept as given: a place that holds no song leaves a gap and is counted, and later places do not move up.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from functools import lru_cache

from lambdas.core.documents import DocumentHeader
from lambdas.core.errors import InvalidDocument, NotAChart, PartialChart
from lambdas.core.expectations import compare
from lambdas.core.gates import EMPTY, GAP, NO_ID, NO_RELEASE_DATE, POSITION_IMPOSSIBLE, POSITION_TWICE, SONG_TWICE
from lambdas.core.reading import API, LARGEST_INT, Reading, checked_id, first_few
from lambdas.core.rows import Row, days, milliseconds
from lambdas.core.schema import CHART_ENTRIES
from lambdas.core.web_api import Album, Entry, Page, PlaylistAnswer, Song, link, page_in

_POSITION = CHART_ENTRIES.index("position")
_NO_FIGURES = (None,) * 4
"""A playlist tells no official previous position, peak, periods on chart, nor label."""
# By the length of a release date: what pads it to a whole date, and how precise it is.
_PRECISIONS = {4: ("-01-01", "year"), 7: ("-01", "month"), 10: ("", "day")}


class PlaylistDocument(DocumentHeader, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A raw document with a playlist's answers, decoded in one pass."""

    answers: tuple[PlaylistAnswer, ...]

    @property
    def pages(self) -> list[Page]:
        """The answers' entries. Raises NotAChart for an answer that holds none."""
        pages = [page_in(answer) for answer in self.answers]
        if None in pages:
            raise NotAChart(f"answer {pages.index(None) + 1} does not hold the entries of a playlist")
        return [page for page in pages if page is not None]


def read_playlist(document: DocumentHeader, pages: Iterable[Page]) -> Reading:
    """The rows of a document whose answers hold these pages.

    Raises InvalidDocument for what can never be published: no entries at all, a position given twice, a malformed id;
    PartialChart for a document that calls itself whole but is not.
    """
    positions = _positions(pages, partial=document.partial)
    reading = Reading()
    observed = milliseconds(document.observed_at)
    chart, period, provider = document.chart, document.period, document.provider
    chart_date = days(document.chart_date)
    for position, entry in positions:
        song = entry.song
        if song is None:
            reading.skipped_null += 1
            continue
        if entry.is_local or song.is_local:
            reading.skipped_local += 1
            continue
        if song.is_episode:
            reading.skipped_episode += 1
            continue
        if song.id is None:
            reading.skipped_null += 1
            reading.warn(NO_ID, f"the song at position {position}")
            continue
        song_id = checked_id(song.id, "song", position)
        added_at = None if entry.added_at is None else milliseconds(entry.added_at)
        reading.entries.append(
            (
                chart,
                chart_date,
                position,
                period,
                song_id,
                None,
                song.popularity,
                *_NO_FIGURES,
                added_at,
                provider,
                observed,
            )
        )
        if song_id in reading.songs:
            reading.warn(SONG_TWICE, f"{song_id} again at position {position}")
        else:
            read_song(song, song_id, position, observed, reading)
    reading.depth = max(position for position, _ in positions)
    reading.gaps = len(positions) - len(reading.entries)
    if not reading.entries:
        raise InvalidDocument(
            f"none of its {len(positions)} places holds a song: {reading.skipped_null} empty, "
            f"{reading.skipped_local} local files, {reading.skipped_episode} episodes",
            gate=EMPTY,
        )
    if reading.gaps:
        held = {row[_POSITION] for row in reading.entries}
        reading.warn(GAP, f"no song at position {first_few(place for place, _ in positions if place not in held)}")
    compare(document, reading)
    return reading


def _positions(pages: Iterable[Page], *, partial: bool) -> list[tuple[int, Entry]]:
    """Each entry with its position, offset + index + 1, in order; checked to be whole unless said to be partial."""
    placed: dict[int, Entry] = {}
    length = 0
    for page in pages:
        length = max(length, page.length)
        for position, entry in enumerate(page.items, page.offset + 1):
            if not 0 < position <= LARGEST_INT:
                raise InvalidDocument(f"{position} is no position", gate=POSITION_IMPOSSIBLE)
            if position in placed:
                raise InvalidDocument(f"position {position} is given twice", gate=POSITION_TWICE)
            placed[position] = entry
    if not placed:
        raise InvalidDocument("holds no entries at all", gate=EMPTY)
    if not partial and len(placed) != length:
        first, last = min(placed), max(placed)
        raise PartialChart(f"holds positions {first} to {last}, {len(placed)} of a playlist of {length}")
    return sorted(placed.items())


def read_song(song: Song, song_id: str, position: int | None, observed: int, reading: Reading) -> None:
    """Take in a song that is met for the first time, with its album, its artists and their credit.

    `position` is for messages, None where there is none; `observed` is in milliseconds since 1970. Raises
    InvalidDocument for a malformed id of an album or an artist.
    """
    albums, artists = reading.albums, reading.artists
    album = song.album
    album_id = None
    if album is not None and album.id is not None:
        album_id = album.id
        if album_id not in albums:
            checked_id(album_id, "album", position)
            albums[album_id] = (_album_row(album, album_id, observed, reading),)
    isrc = song.external_ids.isrc if song.external_ids else None
    names = [artist.name for artist in song.artists if artist.name]
    reading.songs[song_id] = (
        (
            song_id,
            song.name,
            ", ".join(names) or None,
            isrc.strip().upper() if isrc and isrc.strip() else song_id,
            isrc,
            song.duration_ms,
            song.explicit,
            album_id,
            song.disc_number,
            song.track_number,
            song.popularity,
            link(song.external_urls),
            API,
            observed,
        ),
    )
    credit: list[Row] = []
    for artist_position, artist in enumerate(song.artists, 1):
        if artist.id is None:
            where = "" if position is None else f" of the song at position {position}"
            reading.warn(NO_ID, f"artist {artist.name!r}{where}")
            continue
        artist_id = artist.id
        credit.append((song_id, artist_position, artist_id, API, observed))
        if artist_id not in artists:
            checked_id(artist_id, "artist", position)
            artists[artist_id] = ((artist_id, artist.name, link(artist.external_urls), API, observed),)
    if credit:
        reading.song_artists[song_id] = tuple(credit)


def _album_row(album: Album, album_id: str, observed: int, reading: Reading) -> Row:
    released, precision = release_date(album.release_date)
    if released is None and album.release_date:
        reading.warn(NO_RELEASE_DATE, f"{album.release_date!r} of album {album_id}")
    image = max(album.images or (), key=lambda image: image.height or 0, default=None)
    return (
        album_id,
        album.name,
        album.album_type,
        None if released is None else days(released),
        precision,
        album.total_tracks,
        None if image is None else image.url,
        link(album.external_urls),
        API,
        observed,
    )


@lru_cache(maxsize=4096)
def release_date(text: str | None) -> tuple[date | None, str | None]:
    """A release date and its precision: `2019`, `2019-05` and `2019-05-03` are years, months and days.

    Padded to the first of the year or month. (None, None) for none, and for the `0000` that Spotify uses for unknown.
    """
    padded = _PRECISIONS.get(len(text or ""))
    if text is None or padded is None:
        return None, None
    try:
        return date.fromisoformat(text + padded[0]), padded[1]
    except ValueError:
        return None, None
