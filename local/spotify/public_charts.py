"""The sample's charts as Spotify's public charts service would answer them: GET /public/v0/charts, without a token.

Keys, their order and nesting follow a real answer of 2024-10: three weekly charts of the world, 50 places each. What it
leaves unfilled (peaks, time on the chart, labels, streams) is filled if `public_filled` is set, as in entries of 2023.
Albums and artists are ranked by the streams of their songs among the first 200. Pictures are left out, as everywhere.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, timedelta
from functools import lru_cache
from typing import TypeVar

from local.spotify.faults import Fault, FaultKind
from local.spotify.model import FIRST_CHART_DATE, MAX_SIZE, Entry, chart
from local.spotify.music import Album, Artist, Song
from local.spotify.payloads import Json, Renderer
from local.spotify.playlists import chart_date_on
from local.spotify.settings import FIRST_TODAY, Settings

PATH = "/public/v0/charts"
SONGS_CHART = "regional-global-weekly"
PLACES = 50
T = TypeVar("T", Album, Artist)

_WEEK = timedelta(days=7)
_FIRST_DATE = chart_date_on(SONGS_CHART, FIRST_TODAY)
_LOOK_BACK = 4
"""Weeks of which the filled figures know: a song's peak and time on the chart reach no further back."""


def public_answer(renderer: Renderer, settings: Settings, fault: Fault | None) -> Json:
    """The answer of GET /public/v0/charts."""
    chart_date = chart_date_on(SONGS_CHART, renderer.today)
    seed, kind = renderer.seed, fault.kind if fault else None
    others = max(chart_date - _WEEK, _FIRST_DATE) if kind is FaultKind.DATES_DIFFER else chart_date
    songs = _songs(seed, chart_date, filled=settings.public_filled)
    if fault is not None:
        if kind is FaultKind.SHORT_PAGE:
            songs = songs[: max(0, len(songs) - (fault.count or 1))]
        elif kind is FaultKind.NULL_TRACK and (fault.index or 1) <= len(songs):
            songs[(fault.index or 1) - 1] |= {"missingRequiredFields": True, "trackMetadata": None}
    charts = [
        _chart("REGIONAL_GLOBAL_WEEKLY", "TRACK", "Weekly Top Songs: Global", chart_date, songs),
        _chart("ALBUM_GLOBAL_WEEKLY", "ALBUM", "Weekly Top Albums: Global", others, _albums(seed, others)),
        _chart("ARTIST_GLOBAL_WEEKLY", "ARTIST", "Weekly Top Artists: Global", others, _artists(seed, others)),
    ]
    if kind is FaultKind.EMPTY:
        for one in charts:
            one["entries"] = []
    return {"chartEntryViewResponses": charts[1:] if kind is FaultKind.MISSING_CHART else charts}


def _chart(alias: str, entity: str, title: str, chart_date: date, entries: Sequence[Json]) -> Json:
    return {
        "countryFilters": [],
        "displayChart": {
            "date": chart_date.isoformat(),
            "description": f"Your weekly update of the most played {entity.lower()}s right now.",
            "chartMetadata": {
                "uri": f"spotify:chart:{alias.lower()}",
                "alias": alias,
                "entityType": entity,
                "readableTitle": title,
                "backgroundColor": "#773795",
                "textColor": "#FFFFFF",
                "dimensions": {
                    "latestDate": chart_date.isoformat(),
                    "earliestDate": FIRST_CHART_DATE.isoformat(),
                    "country": "GLOBAL",
                    "chartType": f"TOP_{entity}",
                    "recurrence": "WEEKLY",
                    "genre": "",
                    "city": "",
                },
            },
        },
        "entries": list(entries),
        "highlights": [],
        "chartNavigationFilters": [],
    }


def _songs(seed: str, chart_date: date, *, filled: bool) -> list[Json]:
    previous = _places(seed, chart_date - _WEEK)
    rendered = []
    for entry in chart(SONGS_CHART, chart_date, size=PLACES, seed=seed):
        song = entry.song
        data = _entry_data(entry.position, previous.get(song.id))
        if filled:
            data = _filled(seed, chart_date, entry, data)
        metadata: Json = {
            "trackName": song.name,
            "trackUri": f"spotify:track:{song.id}",
            "displayImageUri": "",
            "artists": [_artist(artist) for artist in song.artists],
            "producers": [],
            "labels": [{"name": song.album.label, "spotifyUri": "", "externalUrl": ""}] if filled else [],
            "songWriters": [],
            "releaseDate": song.album.release_date if filled else "",
        }
        rendered.append({"chartEntryData": data, "missingRequiredFields": False, "trackMetadata": metadata})
    return rendered


def _entry_data(place: int, previous: int | None) -> Json:
    if previous is None:
        status = "NEW_ENTRY"
    elif previous == place:
        status = "NO_CHANGE"
    else:
        status = "MOVED_UP" if place < previous else "MOVED_DOWN"
    return {
        "currentRank": place,
        "previousRank": -1 if previous is None else previous,
        "peakRank": 0,
        "peakDate": "",
        "appearancesOnChart": 0,
        "consecutiveAppearancesOnChart": 0,
        "entryStatus": status,
        "entryRank": 0,
        "entryDate": "",
    }


def _filled(seed: str, chart_date: date, entry: Entry, data: Json) -> Json:
    """What a logged-in reader sees of an entry, as far as `_LOOK_BACK` weeks tell it."""
    weeks = [chart_date - back * _WEEK for back in range(_LOOK_BACK)]
    placed = {week: place for week in weeks if (place := _places(seed, week).get(entry.song.id))}
    peak = min(placed, key=lambda week: (placed[week], week))
    first = min(placed)
    consecutive = next((back for back, week in enumerate(weeks) if week not in placed), len(weeks))
    return {
        **data,
        "peakRank": placed[peak],
        "peakDate": peak.isoformat(),
        "appearancesOnChart": len(placed),
        "consecutiveAppearancesOnChart": consecutive,
        "rankingMetric": {"value": str(entry.streams), "type": "STREAMS"},
        "entryRank": placed[first],
        "entryDate": first.isoformat(),
    }


def _artist(artist: Artist) -> Json:
    return {"name": artist.name, "spotifyUri": f"spotify:artist:{artist.id}", "externalUrl": ""}


def _albums(seed: str, chart_date: date) -> list[Json]:
    ranked = _ranked(seed, chart_date, lambda song: [song.album])
    return [
        {
            "chartEntryData": _entry_data(place, None),
            "missingRequiredFields": False,
            "albumMetadata": {
                "albumName": album.name,
                "albumUri": f"spotify:album:{album.id}",
                "displayImageUri": "",
                "artists": [_artist(artist) for artist in album.artists],
                "labels": [],
                "releaseDate": "",
            },
        }
        for place, album in enumerate(ranked, 1)
    ]


def _artists(seed: str, chart_date: date) -> list[Json]:
    ranked = _ranked(seed, chart_date, lambda song: song.artists)
    return [
        {
            "chartEntryData": _entry_data(place, None),
            "missingRequiredFields": False,
            "artistMetadata": {
                "artistName": artist.name,
                "artistUri": f"spotify:artist:{artist.id}",
                "displayImageUri": "",
                "socialMedia": [],
            },
        }
        for place, artist in enumerate(ranked, 1)
    ]


def _ranked(seed: str, chart_date: date, credited: Callable[[Song], Iterable[T]]) -> list[T]:
    """Whom a week's songs are credited to, by the streams of their songs."""
    streams: defaultdict[str, int] = defaultdict(int)
    known: dict[str, T] = {}
    for entry in chart(SONGS_CHART, chart_date, size=MAX_SIZE, seed=seed):
        for one in credited(entry.song):
            known[one.id] = one
            streams[one.id] += entry.streams
    ranked = sorted(streams, key=lambda identity: (-streams[identity], identity))
    return [known[identity] for identity in ranked[:PLACES]]


@lru_cache(maxsize=16)
def _places(seed: str, chart_date: date) -> Mapping[str, int]:
    """Each song's place among the first 200 of a week; nothing of the weeks before the sample begins."""
    if chart_date < FIRST_CHART_DATE:
        return {}
    return {entry.song.id: entry.position for entry in chart(SONGS_CHART, chart_date, size=MAX_SIZE, seed=seed)}
