"""The life of a chart, made up: entries, climbs, falls, re-entries, albums that drop whole, songs of winter.

`chart` is a pure function of seed, chart name and chart date; no state, no clock, no network. It stands in for what
Spotify counts, so that every part behind it can be run and tested for any day, always with the same bytes.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache

from local.spotify.catalogue import FIRST_FRIDAY, LONGEST_LIFE_WEEKS, old_releases, releases, winter_releases
from local.spotify.draws import exponential, normal, uniform
from local.spotify.music import Artist, Song

SEED = "top-songs-sample-1"
"""The seed of the sample: another seed is another world of artists."""

FIRST_CHART_DATE = date(2017, 1, 1)
"""The first chart date served: Spotify's own daily charts begin on it (notes of the charts' `earliestDate`)."""

LAST_CHART_DATE = date(2099, 12, 31)

MAX_SIZE = 200
"""The depth of Spotify's official charts; its playlists hold the first 50."""

THURSDAY = 3
"""`date.weekday()` of the day that ends a weekly chart."""

_CHART = re.compile(r"regional-(global|[a-z]{2})-(daily|weekly)")

# Score under which a release is no longer looked at: below the 200th place of any day.
_FLOOR = -0.3
# Streams by day of the week, Monday first: new music lifts Fridays, Sundays are quiet.
_WEEKDAY = (1.0, 0.99, 0.99, 1.0, 1.06, 1.01, 0.95)
# Regions where songs in a language other than English are at home.
_AT_HOME = {"es": ("es", "mx", "ar", "co", "cl", "pe"), "fr": ("fr", "be"), "ja": ("jp",)}


class NoSuchChart(ValueError):
    """The sample has no chart of this name, date or size; the message says what it has."""


@dataclass(frozen=True, eq=False)
class Entry:
    """One position of a chart. `streams` are those of the chart's day or week."""

    position: int
    song: Song
    streams: int


def chart(name: str, chart_date: date, *, size: int = 50, seed: str = SEED) -> tuple[Entry, ...]:
    """The first `size` positions of a chart, without gaps.

    `name` is a Spotify alias: regional-<global or two letters of a country>-<daily or weekly>. `chart_date` is the
    last day counted, from 2017-01-01 to 2099-12-31; a weekly chart counts the seven days up to a Thursday.

    Raises NoSuchChart.
    """
    region, period = parse_name(name)
    if not FIRST_CHART_DATE <= chart_date <= LAST_CHART_DATE:
        raise NoSuchChart(
            f"no sample chart for {chart_date}: chart dates run from {FIRST_CHART_DATE} to {LAST_CHART_DATE}"
        )
    if not 1 <= size <= MAX_SIZE:
        raise NoSuchChart(f"no sample chart of {size} songs: ask for 1 to {MAX_SIZE}")
    if period == "daily":
        return _daily(seed, region, chart_date)[:size]
    if chart_date.weekday() != THURSDAY:
        raise NoSuchChart(f"no weekly sample chart for {chart_date}: it is no Thursday, the day that ends a week")
    return _weekly(seed, region, chart_date)[:size]


def parse_name(name: str) -> tuple[str, str]:
    """The region and the period (daily, weekly) of a chart's name. Raises NoSuchChart."""
    if not (found := _CHART.fullmatch(name)):
        raise NoSuchChart(
            f"no sample chart is named {name!r}: use regional-<global or two letters of a country>-<daily or weekly>, "
            "e.g. regional-global-daily"
        )
    return found[1], found[2]


def streams_of(score: float, region: str, weekday: int) -> int:
    """A day's streams of a song: the country charts are a fiftieth of the world's."""
    scale = 900_000 if region == "global" else 18_000
    return int(scale * exponential(0.62 * score) * _WEEKDAY[weekday])


def popularity_of(song: Song, on: date, *, seed: str = SEED) -> int:
    """Spotify's popularity of a song as of a day, 0 to 100: here simply a line through its score."""
    if song.life.shape == "never":
        return 20
    score = score_of(song, (on - FIRST_FRIDAY).days, on, seed=seed)
    return max(0, min(100, int(66 + 13 * score)))


def score_of(song: Song, day: int, on: date, *, seed: str) -> float:
    """A song's score on a day (as a number since `FIRST_FRIDAY` and as a date) before noise and a region's taste."""
    life = song.life
    if life.shape == "winter":
        return _winter_score(life.peak, on)
    if life.shape == "old":
        return _old_score(song, day, seed)
    if day < life.opens:
        return _FLOOR - 1
    age = day - life.born
    if age < life.rise:
        left = 1 - age / life.rise
        score = life.peak - life.climb * left * left
    else:
        score = life.peak - (age - life.rise) * life.decay
    if life.revival is not None:
        culminates, height = life.revival
        away = (day - culminates) / 14
        score = max(score, height - away * away)
    if life.closes is not None and day >= life.closes:
        score -= 0.4 + 0.06 * (day - life.closes)  # listeners move to the album version over the first weeks
    elif life.opens > life.born:
        score -= max(0.0, 0.6 - 0.04 * (day - life.opens))
    return score


def _winter_score(peak: float, on: date) -> float:
    away = (on - date(on.year, 12, 24)).days
    if away < -50:
        return _FLOOR - 1
    distance = away / (17 if away < 0 else 3)
    return peak - distance * distance


def _old_score(song: Song, day: int, seed: str) -> float:
    score = song.life.peak
    year, into = divmod(day, 365)
    if uniform(seed, "old revival", song.id, year) < 0.06:  # a film, a meme, an anniversary
        away = (into - 20 - 325 * uniform(seed, "old revival day", song.id, year)) / 10
        score = max(score, score + 1.5 - away * away)
    return score


@lru_cache(maxsize=64)
def _charting(seed: str, week: int) -> tuple[Song, ...]:
    """The songs whose score may be above the floor in some part of a week."""
    first, last = week * 7, week * 7 + 6
    found = [
        song
        for released in range(max(0, week - LONGEST_LIFE_WEEKS), week + 1)
        for release in releases(seed, released)
        for song in release.songs
        if song.life.shape == "release" and song.life.opens <= last and _lives_until(song) >= first
    ]
    for release in (*old_releases(seed), *winter_releases(seed)):
        found.extend(song for song in release.songs if song.life.shape != "never")
    return tuple(found)


@lru_cache(maxsize=65_536)
def _lives_until(song: Song) -> int:
    life = song.life
    end = life.born + life.rise + (life.peak - _FLOOR) / life.decay
    if life.revival is not None:
        end = max(end, life.revival[0] + 35)
    if life.closes is not None:
        end = min(end, life.closes + 60)
    return int(end) + 1


@lru_cache(maxsize=65_536)
def _swing(seed: str, song_id: str, knot: int) -> float:
    return 0.17 * normal(seed, "swing", song_id, knot)


def _noise(seed: str, song: Song, day: int) -> float:
    """What no model explains: a swing over weeks, drawn every six days, and a little jitter each day."""
    knot, into = divmod(day, 6)
    before, after = _swing(seed, song.id, knot), _swing(seed, song.id, knot + 1)
    return before + (after - before) * into / 6 + 0.035 * normal(seed, "jitter", song.id, day)


@lru_cache(maxsize=65_536)
def _taste(seed: str, region: str, song: Song) -> float:
    """What a region adds to a song: some artists, and its own language, are bigger there than in the world."""
    if region == "global":
        return 0.0
    lead = song.artists[0]
    home = 0.9 if region in _AT_HOME.get(lead.tongue, ()) else 0.0
    return _artist_taste(seed, region, lead) + home + 0.2 * normal(seed, "song taste", region, song.id)


@lru_cache(maxsize=16_384)
def _artist_taste(seed: str, region: str, performer: Artist) -> float:
    return 0.4 * normal(seed, "artist taste", region, performer.index)


def _streams(seed: str, region: str, on: date) -> list[tuple[int, Song]]:
    """The streams of every song in question on a day, in no order."""
    day, weekday = (on - FIRST_FRIDAY).days, on.weekday()
    counted = []
    for song in _charting(seed, day // 7):
        score = score_of(song, day, on, seed=seed)
        if score > _FLOOR:
            score += _noise(seed, song, day) + _taste(seed, region, song)
            counted.append((streams_of(score, region, weekday), song))
    return counted


def _ranked(counted: list[tuple[int, Song]]) -> tuple[Entry, ...]:
    counted.sort(key=lambda pair: (-pair[0], pair[1].id))
    return tuple(Entry(place, song, streams) for place, (streams, song) in enumerate(counted[:MAX_SIZE], start=1))


@lru_cache(maxsize=64)
def _daily(seed: str, region: str, on: date) -> tuple[Entry, ...]:
    return _ranked(_streams(seed, region, on))


@lru_cache(maxsize=16)
def _weekly(seed: str, region: str, ends: date) -> tuple[Entry, ...]:
    total: defaultdict[str, int] = defaultdict(int)
    songs: dict[str, Song] = {}
    for back in range(7):
        for streams, song in _streams(seed, region, ends - timedelta(days=back)):
            total[song.id] += streams
            songs[song.id] = song
    return _ranked([(streams, songs[identity]) for identity, streams in total.items()])
