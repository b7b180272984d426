"""What charts are made of: artists, albums, songs, and the life that a song leads on them.

Compare them by id: the catalogue may give two objects for one place when threads ask at the same moment.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Precision: TypeAlias = Literal["year", "month", "day"]
AlbumType: TypeAlias = Literal["album", "single", "compilation"]


@dataclass(frozen=True, eq=False)
class Artist:
    """A made-up artist. `stature` is in units of a song's score: what the name alone adds to a song."""

    id: str
    index: int
    name: str
    tongue: str
    stature: float
    genres: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Album:
    """An album, single or compilation; its artists need not be its songs' artists."""

    id: str
    name: str
    album_type: AlbumType
    artists: tuple[Artist, ...]
    release_date: str
    release_date_precision: Precision
    total_tracks: int
    label: str
    upc: str


@dataclass(frozen=True)
class Life:
    """How a song's score runs over days since `catalogue.FIRST_FRIDAY`, before noise and a region's taste.

    It climbs by `climb` over `rise` days to `peak`, then loses `decay` a day. A score is the logarithm of a song's
    streams, in steps of 0.62 (see `model.streams_of`).
    """

    shape: Literal["release", "old", "winter", "never"]
    peak: float
    born: int = 0
    opens: int = 0
    """The first day this id may chart: later than `born` for the album version of an earlier single."""
    closes: int | None = None
    """The day the album version takes over from this id, which then fades within weeks."""
    climb: float = 0.0
    rise: float = 1.0
    decay: float = 0.0
    revival: tuple[int, float] | None = None
    """A return months later, as after a film or a meme: the day it culminates, and the score it then reaches."""


NEVER = Life("never", 0.0)
"""The life of an album's song that nobody plays enough to chart."""


@dataclass(frozen=True, eq=False)
class Song:
    """One Spotify id of a recording: the same recording on another album is another song with the same `isrc`."""

    id: str
    name: str
    album: Album
    artists: tuple[Artist, ...]
    isrc: str
    duration_ms: int
    explicit: bool
    track_number: int
    life: Life


@dataclass(frozen=True, eq=False)
class Release:
    """An album with all its songs in the order of the record."""

    album: Album
    songs: tuple[Song, ...]
