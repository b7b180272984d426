"""What a chart is: its name, its period, and how its dates are told.

A chart's name is Spotify's own alias (`regional-global-daily`, as in the file names and the addresses of
charts.spotify.com) or a slug of the user's own. A chart date is the last day counted.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Literal, TypeAlias

from lambdas.core.errors import InvalidChart

Period: TypeAlias = Literal["daily", "weekly"]
PERIODS: tuple[Period, ...] = ("daily", "weekly")
Dating: TypeAlias = Literal["added_at", "observation"]

# Slugs become parts of S3 keys, file names and metric dimensions: they hold nothing that any of these would escape.
_CHART = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_MAX_CHART_LENGTH = 64
# Spotify's charts of songs, as charts.spotify.com names them: a region is `global` or a country's two letters.
_SPOTIFYS_OWN = re.compile(r"regional-[a-z]{2,6}-(?:daily|weekly)")
# How far they reach: the files to download have 200 rows, playlists and the charts' front page show the first 50.
_USUAL_DEPTHS = {"charts_csv": 200, "playlist": 50, "public_charts": 50}
_THURSDAY = 3
_PLAYLIST_ID = re.compile(r"[0-9A-Za-z]{22}")
_PLAYLIST_REFERENCE = re.compile(
    r"(?:spotify:playlist:|https?://[^/\s]+/(?:v1/playlists|playlist)/)([0-9A-Za-z]{22})\b"
)

# The warehouse's years: the one constant behind Athena's partition projection and the dates that documents may carry.
# Spotify opened in October 2008 (https://en.wikipedia.org/wiki/Spotify); its charts begin in 2013.
FIRST_YEAR = 2008
YEARS_AHEAD = 1


@dataclass(frozen=True)
class SpotifyChart:
    """A playlist that Spotify keeps as one of its charts."""

    chart: str
    playlist_id: str
    date_offset_days: int
    """Added to the day its entries are stamped with, to get the chart date: Spotify stamps the day after."""


SPOTIFY_CHARTS: tuple[SpotifyChart, ...] = (
    SpotifyChart("regional-global-daily", "37i9dQZEVXbMDoHDwVN2tF", -1),  # "Top 50 - Global"
    SpotifyChart("regional-global-weekly", "37i9dQZEVXbNG2KDcFcKOF", -1),  # "Top Songs - Global", ends on a Thursday
)
PUBLIC_CHARTS: tuple[str, ...] = ("regional-global-weekly",)
"""The charts of songs that Spotify's public charts service answers with (`lambdas.core.public_charts`)."""
_OFFICIAL = re.compile(r"regional-[a-z]{2,6}-(?:daily|weekly)")
_BY_PLAYLIST = {known.playlist_id: known for known in SPOTIFY_CHARTS}


def spotify_chart_of(playlist_id: str) -> SpotifyChart | None:
    """The Spotify chart that a playlist holds, or None for any other playlist."""
    return _BY_PLAYLIST.get(playlist_id)


def spotify_chart_named(chart: str) -> SpotifyChart | None:
    """The playlist that Spotify keeps as the chart of this name, or None if none is known."""
    return next((known for known in SPOTIFY_CHARTS if known.chart == chart), None)


def is_official(chart: str) -> bool:
    """Whether a chart's name is one of Spotify's own, `regional-<region>-<daily or weekly>`."""
    return _OFFICIAL.fullmatch(chart) is not None


def parse_chart(name: str) -> str:
    """`name` itself if it can name a chart.

    Raises InvalidChart: lower-case letters, digits and single hyphens only, at most 64 characters.
    """
    if len(name) > _MAX_CHART_LENGTH or not _CHART.fullmatch(name):
        raise InvalidChart(
            f"{name!r} cannot name a chart: use lower-case letters, digits and single hyphens, at most "
            f"{_MAX_CHART_LENGTH} characters, e.g. 'regional-global-daily' or 'road-trip'"
        )
    return name


def parse_playlist_id(text: str) -> str:
    """The 22-character id in a playlist's id, `spotify:playlist:` URI or link.

    Raises InvalidChart if there is none.
    """
    if _PLAYLIST_ID.fullmatch(text):
        return text
    if found := _PLAYLIST_REFERENCE.search(text):
        return found[1]
    raise InvalidChart(f"{text!r} is not a playlist: give its 22-character id, its spotify:playlist: URI or its link")


def playlist_id_in(text: str) -> str | None:
    """The playlist id that a URI or an address holds (Web API addresses included), or None."""
    found = _PLAYLIST_REFERENCE.search(text)
    return found[1] if found else None


def period_of(chart: str) -> Period:
    """The period that a chart's name tells: weekly if it ends in `-weekly`, as Spotify's aliases do, else daily."""
    return "weekly" if chart.endswith("-weekly") else "daily"


def usual_depth(chart: str, provider: str) -> int | None:
    """The last place of one of Spotify's own charts as a provider has it; None where nobody knows: others' charts."""
    return _USUAL_DEPTHS.get(provider) if _SPOTIFYS_OWN.fullmatch(chart) else None


def is_usual_weekday(chart: str, chart_date: date) -> bool:
    """Whether a chart may end on that day: Spotify's own weekly charts count from Friday to Thursday."""
    is_weekly = _SPOTIFYS_OWN.fullmatch(chart) and period_of(chart) == "weekly"
    return not is_weekly or chart_date.weekday() == _THURSDAY


def last_year(today: date) -> int:
    """The last year a chart date may lie in, seen from `today`."""
    return today.year + YEARS_AHEAD


def is_plausible(chart_date: date, *, today: date) -> bool:
    """Whether a chart date lies in the years that the warehouse's tables project."""
    return FIRST_YEAR <= chart_date.year <= last_year(today)


def end_of(chart_date: date) -> datetime:
    """The last second of a chart date (UTC): when a chart is taken as observed if nothing in it says so."""
    return datetime(chart_date.year, chart_date.month, chart_date.day, 23, 59, 59, tzinfo=UTC)


def step(period: Period) -> timedelta:
    """The time between two chart dates of one chart."""
    return timedelta(days=7 if period == "weekly" else 1)
