"""The answers of the named queries, from text as Athena gives it to values with types.

Whatever is not known stays None: it is said on the page, and never drawn as a nought.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TypeAlias

from lambdas.core.report.words import Movement, movement

Row: TypeAlias = Mapping[str, str | None]
Ask: TypeAlias = Callable[[str, Mapping[str, str]], Sequence[Row]]
"""Asks a named query with its parameters. Gives its rows as Athena does: every value text, or None for NULL."""

NAMELESS = "Name unknown"
UNCREDITED = "Artist unknown"


@dataclass(frozen=True)
class Entry:
    """A song on the newest chart."""

    position: int
    movement: Movement
    previous: int | None
    song: str
    artists: str
    best: int | None
    periods: int | None
    streams: int | None
    recording_id: str
    url: str | None
    isrc: str | None


@dataclass(frozen=True)
class Reign:
    """An unbroken run at number one."""

    recording_id: str
    song: str
    artists: str
    first: date
    last: date
    periods: int


@dataclass(frozen=True)
class Charted:
    """A song that was ever on the chart; `positions` by chart date."""

    recording_id: str
    song: str
    artists: str
    album: str | None
    url: str | None
    best: int
    periods: int
    streams: int | None
    first: date
    last: date
    positions: Mapping[date, int]
    isrc: str | None


@dataclass(frozen=True)
class ChartDate:
    """One date of the calendar: of the chart if `held`, else one that is missing from the data."""

    day: date
    held: bool
    new: int | None
    back: int | None
    left: int | None
    entries: int | None
    depth: int | None
    provider: str | None
    warnings: str | None


@dataclass(frozen=True)
class LongRunner:
    """A song by how long it has been on the chart: in the data, and as Spotify's own files say where they do."""

    recording_id: str
    song: str
    artists: str
    periods: int
    official: int | None
    best: int
    first: date
    last: date

    @property
    def longer(self) -> int:
        """The longer of the two figures, by which the query orders."""
        return max(self.periods, self.official or 0)


@dataclass(frozen=True)
class ArtistCount:
    """An artist by chart appearances; `artist` is a whole credit if not `identified`: only files tell of its songs.

    `share` is of all places of the chart, from 0.0 to 1.0.
    """

    artist: str
    appearances: int
    songs: int
    best: int
    share: float
    identified: bool


@dataclass(frozen=True)
class AlbumCount:
    """An album by how many of its songs were on the chart at once, and when."""

    album: str
    artists: str
    songs: int
    day: date


@dataclass(frozen=True)
class Answers:
    """Everything that the page is made from."""

    today: Sequence[Entry]
    reigns: Sequence[Reign]
    songs: Sequence[Charted]
    calendar: Sequence[ChartDate]
    longest: Sequence[LongRunner]
    artists: Sequence[ArtistCount]
    todays_artists: Sequence[tuple[str, int]]
    albums: Sequence[AlbumCount]
    tables: Sequence[tuple[str, int]]

    @property
    def by_credit(self) -> bool:
        """Whether all artists are whole credits: no song of the chart has artists that Spotify identified."""
        return not any(artist.identified for artist in self.artists)

    @property
    def newest(self) -> date:
        """The newest date of the chart."""
        return max(item.day for item in self.calendar if item.held)

    @property
    def first(self) -> date:
        """The first date of the chart: what "in your data" begins with."""
        return min(item.day for item in self.calendar if item.held)


QUERIES = (
    "todays_chart", "number_ones", "every_song", "chart_calendar", "longest_on_chart", "artists_on_chart",
    "todays_artists", "albums_at_once", "table_sizes",
)  # fmt: skip
"""The names of the queries that the page asks."""


def ask_everything(ask: Ask, chart: str) -> Answers | None:
    """The answers about a chart, or None if it has no published date."""
    of_chart = {"chart": chart}
    newest = ask("todays_chart", of_chart)
    if not newest:
        return None
    charted = sorted(map(_charted, ask("every_song", of_chart)), key=_by_length)
    return Answers(
        today=sorted(map(_entry, newest), key=lambda entry: (entry.position, entry.recording_id)),
        reigns=[_reign(row) for row in ask("number_ones", of_chart)],
        songs=charted,
        calendar=_calendar(ask("chart_calendar", of_chart), charted, _day(newest[0], "chart_date")),
        longest=[_long_runner(row) for row in ask("longest_on_chart", of_chart)],
        artists=[_artist(row) for row in ask("artists_on_chart", of_chart)],
        todays_artists=[
            (_name(row, "artist", UNCREDITED), _whole(row, "songs")) for row in ask("todays_artists", of_chart)
        ],
        albums=[_album(row) for row in ask("albums_at_once", of_chart)],
        tables=[(_name(row, "table_name", ""), _whole(row, "rows")) for row in ask("table_sizes", {})],
    )


def _by_length(song: Charted) -> tuple[int, int, str, str]:
    return -song.periods, song.best, song.song, song.recording_id


def _calendar(rows: Iterable[Row], charted: Iterable[Charted], newest: date) -> list[ChartDate]:
    """All dates in order: those of the query, and any on which a song was on the chart."""
    told = {item.day: item for item in map(_chart_date, rows)}
    for day in {newest, *(day for song in charted for day in song.positions)} - told.keys():
        told[day] = ChartDate(day, True, None, None, None, None, None, None, None)
    return [told[day] for day in sorted(told)]


def _entry(row: Row) -> Entry:
    return Entry(
        position=_whole(row, "position"),
        movement=movement(row["movement"]),
        previous=_maybe_whole(row, "previous_position"),
        song=_name(row, "song", NAMELESS),
        artists=_name(row, "artists", UNCREDITED),
        best=_maybe_whole(row, "best_position"),
        periods=_maybe_whole(row, "periods_on_chart"),
        streams=_maybe_whole(row, "streams"),
        recording_id=_name(row, "recording_id", ""),
        url=row["url"],
        isrc=row["isrc"],
    )


def _reign(row: Row) -> Reign:
    return Reign(
        recording_id=_name(row, "recording_id", ""),
        song=_name(row, "song", NAMELESS),
        artists=_name(row, "artists", UNCREDITED),
        first=_day(row, "first_date"),
        last=_day(row, "last_date"),
        periods=_whole(row, "periods_in_a_row"),
    )


def _charted(row: Row) -> Charted:
    positions: dict[date, int] = {}
    for told in (row["positions"] or "").split():
        day, _, place = told.rpartition(":")
        on = date.fromisoformat(day)
        positions[on] = min(int(place), positions.get(on, int(place)))
    return Charted(
        recording_id=_name(row, "recording_id", ""),
        song=_name(row, "song", NAMELESS),
        artists=_name(row, "artists", UNCREDITED),
        album=row["album"] or None,
        url=row["url"],
        best=_whole(row, "best_position"),
        periods=_whole(row, "periods_on_chart"),
        streams=_maybe_whole(row, "total_streams"),
        first=_day(row, "first_date"),
        last=_day(row, "last_date"),
        positions=positions,
        isrc=row["isrc"],
    )


def _chart_date(row: Row) -> ChartDate:
    return ChartDate(
        day=_day(row, "chart_date"),
        held=row["held"] == "true",
        new=_maybe_whole(row, "new_entries"),
        back=_maybe_whole(row, "re_entries"),
        left=_maybe_whole(row, "left"),
        entries=_maybe_whole(row, "entries"),
        depth=_maybe_whole(row, "depth"),
        provider=row["provider"],
        warnings=row["warnings"] or None,
    )


def _long_runner(row: Row) -> LongRunner:
    return LongRunner(
        recording_id=_name(row, "recording_id", ""),
        song=_name(row, "song", NAMELESS),
        artists=_name(row, "artists", UNCREDITED),
        periods=_whole(row, "periods_on_chart"),
        official=_maybe_whole(row, "official_periods_on_chart"),
        best=_whole(row, "best_position"),
        first=_day(row, "first_date"),
        last=_day(row, "last_date"),
    )


def _artist(row: Row) -> ArtistCount:
    return ArtistCount(
        artist=_name(row, "artist", UNCREDITED),
        appearances=_whole(row, "appearances"),
        songs=_whole(row, "songs"),
        best=_whole(row, "best_position"),
        share=float(row["share"] or ""),
        identified=row["identified"] == "true",
    )


def _album(row: Row) -> AlbumCount:
    return AlbumCount(
        album=_name(row, "album", NAMELESS),
        artists=_name(row, "artists", UNCREDITED),
        songs=_whole(row, "songs"),
        day=_day(row, "chart_date"),
    )


def _name(row: Row, column: str, otherwise: str) -> str:
    # A name of nothing but spaces would leave nothing to see, and nothing to click.
    return (row[column] or "").strip() or otherwise


def _maybe_whole(row: Row, column: str) -> int | None:
    value = row[column]
    return None if value is None or value == "" else int(value)


def _whole(row: Row, column: str) -> int:
    return int(row[column] or "")


def _day(row: Row, column: str) -> date:
    return date.fromisoformat(row[column] or "")
