"""The made-up music that charts: artists, the releases of each Friday, the old catalogue, and the songs of winter.

Everything is a pure function of the seed and a place: nothing is stored, and any id leads back to its object.
Weeks are counted from `FIRST_FRIDAY`; days likewise, so day 0 is the Friday of week 0.
"""

from __future__ import annotations

from datetime import date, timedelta
from functools import lru_cache

from lambdas.core.samples import ISRC_PREFIX
from local.spotify.draws import Kind, normal, pick, place_of, spotify_id, uniform, whole
from local.spotify.music import NEVER, Album, Artist, Life, Precision, Release, Song
from local.spotify.names import (
    album_title,
    artist_name,
    credited_title,
    duration_ms,
    label_name,
    song_title,
    winter_title,
)

FIRST_FRIDAY = date(2014, 1, 3)
"""The first release day: three years before the first chart, so that the first chart already has songs of every age."""

LONGEST_LIFE_WEEKS = 150
"""A song released on a Friday charts for no longer than this (the old catalogue and winter songs always may)."""

ARTISTS = 280
RELEASES_A_WEEK = 12
OLD_RELEASES = 170
WINTER_SONGS = 36

# Places that are no week and no artist.
_OLD = 0xFFFF
_WINTER = 0xFFFE
_VARIOUS_ARTISTS = 0xFFFF
_REISSUE = 1
_WINTER_ALBUM_SIZE = 12


_GENRES = (
    "glass pop", "neon folk", "desert trap", "slow house", "tidal soul", "paper rock", "bolero wave", "harbour rap",
    "moon disco", "ember country", "pixel punk", "velvet reggaeton",
)  # fmt: skip


@lru_cache(maxsize=4096)
def artist(seed: str, index: int) -> Artist:
    """The artist at a place, 0 to `ARTISTS` - 1: a few stars first, then a long tail."""
    identity = spotify_id(seed, Kind.ARTIST, index)
    if index == _VARIOUS_ARTISTS:
        return Artist(identity, index, "Various Artists", "en", 0.0, ())
    name, tongue = artist_name(seed, index)
    stature = 1.15 * 40 / (40 + index) + 0.22 * normal(seed, "stature", index)
    genres = dict.fromkeys(pick(_GENRES, seed, "genre", index, i) for i in range(2))
    return Artist(identity, index, name, tongue, stature, tuple(genres))


def fame(seed: str, performer: Artist, week: int) -> float:
    """An artist's stature in a week: nobody stays in fashion, so it swings over years around the lasting value."""
    knot, into = divmod(week, 40)
    before, after = (normal(seed, "fashion", performer.index, k) for k in (knot, knot + 1))
    return performer.stature + 0.3 * (before + (after - before) * into / 40)


def _tempered(peak: float) -> float:
    """A peak with the extremes drawn in: even the greatest hit leads for weeks, not for a year."""
    return min(peak, 2.3 + 0.35 * (peak - 2.3))


def _any_artist(seed: str, *parts: str | int) -> Artist:
    drawn = uniform(seed, "artist", *parts)
    return artist(seed, int(ARTISTS * drawn * (0.45 + 0.55 * drawn)))


def _isrc(seed: str, *parts: str | int) -> str:
    # The prefix stands for the country and registrant; the year and designation are drawn.
    return f"{ISRC_PREFIX}{whole(10, 99, seed, 'isrc year', *parts)}{whole(0, 99_999, seed, 'isrc', *parts):05d}"


def _upc(seed: str, *parts: str | int) -> str:
    return f"{whole(10**11, 10**12 - 1, seed, 'upc', *parts)}"


def friday(week: int) -> date:
    """The release day of a week."""
    return FIRST_FRIDAY + timedelta(weeks=week)


@lru_cache(maxsize=1024)
def releases(seed: str, week: int) -> tuple[Release, ...]:
    """What comes out on the Friday of a week, and the later albums that take up one of its singles."""
    found: list[Release] = []
    for slot in range(RELEASES_A_WEEK):
        lead = _any_artist(seed, "lead", week, slot)
        is_album = uniform(seed, "is album", week, slot) < 0.11 + 0.03 * lead.stature
        if is_album:
            found.append(_album_release(seed, week, slot, lead))
        else:
            found.extend(_single_release(seed, week, slot, lead))
    return tuple(found)


def _featured(seed: str, lead: Artist, chance: float, *parts: str | int) -> tuple[Artist, ...]:
    if uniform(seed, "features", *parts) >= chance:
        return ()
    guests = [_any_artist(seed, "guest", *parts)]
    if uniform(seed, "features two", *parts) < 0.2:
        guests.append(_any_artist(seed, "second guest", *parts))
    # By index, not by object: threads that fill the cache at the same moment may hold two objects of one artist.
    return tuple({guest.index: guest for guest in guests if guest.index != lead.index}.values())


def _revival(seed: str, born: int, peak: float, *parts: str | int) -> tuple[int, float] | None:
    if uniform(seed, "revives", *parts) >= 0.04:
        return None
    return born + whole(150, 800, seed, "revival day", *parts), peak + 0.2 + 0.8 * uniform(seed, "revival", *parts)


def _album_release(seed: str, week: int, slot: int, lead: Artist) -> Release:
    """An album whose songs all enter on its first day; the focus song stays, the others fall fast."""
    size, born = whole(9, 15, seed, "album size", week, slot), week * 7
    album = _new_album(seed, week, slot, 0, lead, size)
    focus = whole(0, 3, seed, "focus", week, slot)
    appeal = fame(seed, lead, week) + 0.25 * normal(seed, "appeal", week, slot)
    songs = []
    for track in range(size):
        place = (week, slot, track)
        guests = _featured(seed, lead, 0.2, *place)
        peak = appeal + 0.45 * normal(seed, "quality", *place) + 0.2 * len(guests)
        if track == focus:
            peak, rise = peak + 1.0, 1.5
            decay = 0.69 / whole(40, 130, seed, "half life", *place)
        else:
            peak, rise = peak + 0.6 - 0.05 * track, 0.5
            decay = 0.69 / whole(5, 14, seed, "half life", *place)
        peak = _tempered(peak)
        life = Life(
            "release",
            peak,
            born,
            born,
            climb=0.4,
            rise=rise,
            decay=decay,
            revival=_revival(seed, born, peak, *place),
        )
        songs.append(_new_song(seed, place, track + 1, album, lead, guests, life))
    return Release(album, tuple(songs))


def _single_release(seed: str, week: int, slot: int, lead: Artist) -> tuple[Release, ...]:
    """A single; one in eight is taken up by an album weeks later, under a second id with the same ISRC."""
    place, born = (week, slot, 0), week * 7
    guests = _featured(seed, lead, 0.3, *place)
    peak = fame(seed, lead, week) + 0.85 * normal(seed, "quality", *place) + 0.25 * len(guests)
    kind = uniform(seed, "kind", *place)
    if kind < 0.45:  # a hit
        climb, rise, half_life = (
            0.5,
            2.0 + 5 * uniform(seed, "rise", *place),
            whole(25, 145, seed, "half life", *place),
        )
        peak += 0.55
    elif kind < 0.72:  # a sleeper, which climbs for weeks
        climb, rise, half_life = (
            1.7,
            20 + 60 * uniform(seed, "rise", *place),
            whole(60, 210, seed, "half life", *place),
        )
        peak += 0.75
    else:  # a flash
        climb, rise, half_life = 0.4, 1.0, whole(7, 18, seed, "half life", *place)
        peak += 0.3
    peak = _tempered(peak)
    reissue_week = week + whole(5, 20, seed, "reissue week", *place)
    reissued = uniform(seed, "reissued", *place) < 0.125
    life = Life(
        "release", peak, born, born, closes=reissue_week * 7 if reissued else None, climb=climb, rise=rise,
        decay=0.69 / half_life, revival=_revival(seed, born, peak, *place),
    )  # fmt: skip
    album = _new_album(seed, week, slot, 0, lead, 1)
    single = _new_song(seed, place, 1, album, lead, guests, life)
    first = Release(album, (single,))
    return (first, _reissue(seed, week, slot, reissue_week, lead, single)) if reissued else (first,)


def _reissue(seed: str, week: int, slot: int, reissue_week: int, lead: Artist, single: Song) -> Release:
    """The later album of a single: its other songs are never popular enough to chart."""
    size = whole(8, 14, seed, "reissue size", week, slot)
    album = _new_album(seed, week, slot, _REISSUE, lead, size, reissue_week)
    taken_up = whole(0, size - 1, seed, "reissue track", week, slot)
    songs = []
    for track in range(size):
        place = (week, slot, _REISSUE << 8 | track)
        if track == taken_up:
            life = Life(
                "release", single.life.peak, single.life.born, reissue_week * 7, climb=single.life.climb,
                rise=single.life.rise, decay=single.life.decay, revival=single.life.revival,
            )  # fmt: skip
            songs.append(
                Song(
                    spotify_id(seed, Kind.SONG, *place), single.name, album, single.artists, single.isrc,
                    single.duration_ms, single.explicit, track + 1, life,
                )
            )  # fmt: skip
        else:
            songs.append(_new_song(seed, place, track + 1, album, lead, (), NEVER))
    return Release(album, tuple(songs))


def _new_album(
    seed: str, week: int, slot: int, variant: int, lead: Artist, size: int, out_week: int | None = None
) -> Album:
    place = (week, slot, variant)
    # A single's album is named as its song.
    name = song_title(seed, lead.tongue, week, slot, 0) if size == 1 else album_title(seed, lead.tongue, *place)
    return Album(
        id=spotify_id(seed, Kind.ALBUM, *place),
        name=name,
        album_type="single" if size == 1 else "album",
        artists=(lead,),
        release_date=friday(week if out_week is None else out_week).isoformat(),
        release_date_precision="day",
        total_tracks=size,
        label=label_name(seed, lead.index),
        upc=_upc(seed, *place),
    )


def _new_song(
    seed: str,
    place: tuple[int, int, int],
    track_number: int,
    album: Album,
    lead: Artist,
    guests: tuple[Artist, ...],
    life: Life,
) -> Song:
    title = song_title(seed, lead.tongue, *place)
    return Song(
        id=spotify_id(seed, Kind.SONG, *place),
        name=credited_title(title, tuple(guest.name for guest in guests)),
        album=album,
        artists=(lead, *guests),
        isrc=_isrc(seed, *place),
        duration_ms=duration_ms(seed, *place),
        explicit=uniform(seed, "explicit", *place) < 0.3,
        track_number=track_number,
        life=life,
    )


@lru_cache(maxsize=4)
def old_releases(seed: str) -> tuple[Release, ...]:
    """The old catalogue: songs of 1962 to 2013 that never quite leave the lower end of a chart of 200.

    One song of each album is the remembered one, the others never chart. Some release dates are known to the month
    or the year only; every sixth album is a compilation by various artists.
    """
    found = []
    for slot in range(OLD_RELEASES):
        performer = artist(seed, 40 + slot)
        compiled = slot % 6 == 0
        size, year = whole(8, 12, seed, "old size", slot), whole(1962, 2013, seed, "old year", slot)
        month, day = whole(1, 12, seed, "old month", slot), whole(1, 28, seed, "old day", slot)
        spelled, precision = _dated(year, month, day, uniform(seed, "precision", slot))
        title = album_title(seed, performer.tongue, _OLD, slot, 0)
        album = Album(
            id=spotify_id(seed, Kind.ALBUM, _OLD, slot, 0),
            name=f"Sound of the {year // 10}0s, Vol. {slot // 6 + 1}" if compiled else title,
            album_type="compilation" if compiled else "album",
            artists=(artist(seed, _VARIOUS_ARTISTS) if compiled else performer,),
            release_date=spelled,
            release_date_precision=precision,
            total_tracks=size,
            label=label_name(seed, "old", slot),
            upc=_upc(seed, _OLD, slot),
        )
        remembered = whole(0, size - 1, seed, "remembered", slot)
        songs = []
        for track in range(size):
            singer = performer if track == remembered or not compiled else artist(seed, (slot * 7 + track) % ARTISTS)
            life = Life("old", 0.5 + 0.35 * normal(seed, "old peak", slot)) if track == remembered else NEVER
            songs.append(_new_song(seed, (_OLD, slot, track), track + 1, album, singer, (), life))
        found.append(Release(album, tuple(songs)))
    return tuple(found)


def _dated(year: int, month: int, day: int, drawn: float) -> tuple[str, Precision]:
    if drawn < 0.25:
        return f"{year}", "year"
    if drawn < 0.35:
        return f"{year}-{month:02d}", "month"
    return f"{year}-{month:02d}-{day:02d}", "day"


@lru_cache(maxsize=4)
def winter_releases(seed: str) -> tuple[Release, ...]:
    """The songs that return each December, on compilations by various artists."""
    found = []
    for slot in range(WINTER_SONGS // _WINTER_ALBUM_SIZE):
        year = whole(1958, 2012, seed, "winter year", slot)
        spelled, precision = _dated(year, 11, 1 + slot * 9, (0.1, 0.3, 0.9)[slot % 3])
        album = Album(
            id=spotify_id(seed, Kind.ALBUM, _WINTER, slot, 0),
            name=f"Now It’s Snowing, Vol. {slot + 1}",
            album_type="compilation",
            artists=(artist(seed, _VARIOUS_ARTISTS),),
            release_date=spelled,
            release_date_precision=precision,
            total_tracks=_WINTER_ALBUM_SIZE,
            label=label_name(seed, "winter", slot),
            upc=_upc(seed, _WINTER, slot),
        )
        songs = []
        for track in range(_WINTER_ALBUM_SIZE):
            place = (_WINTER, slot, track)
            performer = artist(seed, 60 + slot * _WINTER_ALBUM_SIZE + track)
            life = Life("winter", 1.4 + 1.9 * uniform(seed, "winter peak", slot, track))
            song = _new_song(seed, place, track + 1, album, performer, (), life)
            songs.append(
                Song(
                    song.id, winter_title(seed, slot, track), album, song.artists, song.isrc, song.duration_ms, False,
                    song.track_number, life,
                )
            )  # fmt: skip
        found.append(Release(album, tuple(songs)))
    return tuple(found)


def find_artist(seed: str, identity: str) -> Artist | None:
    """The artist that has an id, or None."""
    place = place_of(seed, Kind.ARTIST, identity)
    if place is None or not (place[0] < ARTISTS or place[0] == _VARIOUS_ARTISTS):
        return None
    return artist(seed, place[0])


def find_release(seed: str, identity: str) -> Release | None:
    """The album that has an id, with its songs, or None."""
    place = place_of(seed, Kind.ALBUM, identity)
    if place is None:
        return None
    return next((release for release in _releases_of(seed, place[0]) if release.album.id == identity), None)


def find_song(seed: str, identity: str) -> Song | None:
    """The song that has an id, or None."""
    place = place_of(seed, Kind.SONG, identity)
    if place is None:
        return None
    return next(
        (song for release in _releases_of(seed, place[0]) for song in release.songs if song.id == identity),
        None,
    )


def _releases_of(seed: str, week: int) -> tuple[Release, ...]:
    if week == _OLD:
        return old_releases(seed)
    return winter_releases(seed) if week == _WINTER else releases(seed, week)
